"""As much of DER (ITU-T X.690) as certificates and their extensions need here: elements, one after the other.

>>> [(tag, content.hex()) for tag, content in elements(bytes.fromhex("0a0102bf8458020500"))]
[(10, '02'), (600, '0500')]
"""

from __future__ import annotations

from typing import Final

INTEGER: Final = 2
SEQUENCE: Final = 16
_LONG: Final = 0x80
_HIGH_TAG: Final = 0x1F


def elements(data: bytes) -> list[tuple[int, bytes]]:
    """Tag number, whatever its class, and contents of each element. Raises ``ValueError`` with the reason."""
    found, position = [], 0
    while position < len(data):
        tag, position = _tag(data, position)
        length, position = _length(data, position)
        if position + length > len(data):
            raise ValueError("it ends too early")
        found.append((tag, data[position : position + length]))
        position += length
    return found


def _byte(data: bytes, position: int) -> int:
    if position >= len(data):
        raise ValueError("it ends too early")
    return data[position]


def _tag(data: bytes, position: int) -> tuple[int, int]:
    low = _byte(data, position) & _HIGH_TAG
    if low != _HIGH_TAG:
        return low, position + 1
    tag = 0
    for place in (position + 1, position + 2):  # Android's numbers have two such bytes of seven bits
        seven = _byte(data, place)
        tag = tag << 7 | seven & ~_LONG
        if not seven & _LONG:
            return tag, place + 1
    raise ValueError("a tag is too long")


def _length(data: bytes, position: int) -> tuple[int, int]:
    first = _byte(data, position)
    if first < _LONG:
        return first, position + 1
    size = first & ~_LONG
    end = position + 1 + size
    if not 1 <= size <= 2 or end > len(data):
        raise ValueError("a length is indefinite or too long")
    return int.from_bytes(data[position + 1 : end], "big"), end
