r"""CBOR with exactly one reading: no duplicate keys, no indefinite lengths, no foreign tags, no bomb.

What strangers send is walked head by head before cbor2 sees it: what a length claims is held against what is there, and
nothing is built for it. The walk also remembers where each embedded item (tag 24) lies, since digests and signatures
cover the bytes that were received, which a second encoding need not give back (lengths may be spelled in several ways).

>>> decode(bytes.fromhex("a16161d8184101"), "An example")
{'a': Embedded(encoded=b'\xd8\x18A\x01', content=b'\x01')}
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cbor2

from idverify.errors import DocumentError

MAX_DEPTH: Final = 16
MAX_ITEMS: Final = 8192
MAX_INTEGER: Final = 2**53 - 1  # the bound of strict_json: what is verified here is told in JSON

TDATE, BIGNUM, EMBEDDED, FULL_DATE = 0, 2, 24, 1004
_BYTES, _TEXT, _TAG, _SIMPLE_TYPE = 2, 3, 6, 7
# The tags of ISO/IEC 18013-5 (RFC 8949 section 3.4, RFC 8943), each around a string. What is embedded is known by the
# two bytes of its tag; longer spellings of it have no place.
_DATES: Final = frozenset({TDATE, FULL_DATE})
_FULL_DATE_HEAD, _FULL_DATE_SIZE = b"\xd9\x03\xec\x6a", 14  # around ten characters: 1974-08-12
_MAP_HEAD: Final = 0xA0
_TAG_HEAD: Final = 0xD8
_SIMPLE: Final = frozenset({0xF4, 0xF5, 0xF6})  # false, true, null, of major type 7
# The exponents of floats that are no number (RFC 8949 section 3.3): infinite, or none at all.
_NOT_FINITE: Final = {25: 0x7C00, 26: 0x7F80_0000, 27: 0x7FF0_0000_0000_0000}


def _short(majors: Container[int]) -> bytes:
    """By its first byte, how many bytes an item of these major types has, where that byte tells; otherwise 0."""
    of_numbers = {24: 2, 25: 3, 26: 5}

    def length(first: int) -> int:
        major, info = first >> 5, first & 31
        if major not in majors or (major == _SIMPLE_TYPE and first not in _SIMPLE):
            return 0
        if major == _SIMPLE_TYPE:
            return 1
        if major < _BYTES:
            return of_numbers.get(info, 1 if info < 24 else 0)
        return 1 + info if info < 24 else 0

    return bytes(map(length, range(256)))


# A call per head would cost more than the head: most are told by these tables.
_KEYS: Final = _short({0, 1, _TEXT})
_VALUES: Final = _short({0, 1, _BYTES, _TEXT, _SIMPLE_TYPE})
_LONG_STRINGS: Final = frozenset({0x58, 0x78})  # of up to 255 bytes
_CONTAINERS: Final = frozenset(range(0x80, 0xC0))


@dataclass(slots=True)  # not frozen: that would cost as much as reading what is in it
class Embedded:
    """A data item inside a byte string (RFC 8949 section 3.4.5.1): the whole tag as received, and what is in it."""

    encoded: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class Encoded:
    """A data item that is encoded already, to go out as it is."""

    encoded: bytes


def encode(value: Any) -> bytes:
    """CBOR of integers, strings, booleans, null, dates, ``Embedded``, and lists and maps of them, in shortest heads.

    Maps stay in the order given. A ``datetime.date`` is a full-date (tag 1004), a ``datetime.datetime`` in UTC a tdate
    (tag 0). ``Embedded`` and ``Encoded`` go out as they came in.
    """
    return cbor2.dumps(value, default=_as_received)


def embed(content: bytes) -> Embedded:
    """``content``, which is one encoded item, in its tag."""
    return Embedded(b"\xd8\x18" + cbor2.dumps(content), content)


def _as_received(encoder: cbor2.CBOREncoder, value: Any) -> None:
    if type(value) not in {Embedded, Encoded}:
        raise TypeError(f"expected a value that CBOR has, got {type(value).__name__}")
    encoder.write(value.encoded)


def decode(data: bytes, what: str, *, items: int = MAX_ITEMS, bignums: bool = False) -> Any:
    """The one value that ``data`` spells, of so many ``items`` at most; tag 24 is an ``Embedded``, 0 and 1004 dates.

    With ``bignums`` tag 2 is a whole number of any size (RFC 8949 section 3.4.3), as serial numbers are.

    Raises ``DocumentError``: ``size``, ``cbor`` (text that is not UTF-8, a day that is none), ``cbor-depth``,
    ``cbor-duplicate-key``, ``cbor-key``, ``cbor-length``, ``cbor-number``, ``cbor-simple``, ``cbor-tag``,
    ``cbor-trailing``.
    """
    return _loads(data, _walk((data,), what, items, bignums=bignums), what)


def unwrap(data: bytes, what: str) -> bytes:
    """What is embedded in ``data``, which is one item in its tag and nothing else. Raises as ``decode`` does."""
    if data[:2] != b"\xd8\x18" or len(data) < 3:
        raise DocumentError("cbor-tag", f"{what} must be embedded with tag 24.")
    start, end = _embedded(data, 2, what)
    if end != len(data):
        raise _ends(what, early=end > len(data))
    return data[start:]


def decode_each(parts: Sequence[bytes], what: str) -> list[Any]:
    """``decode`` of many short items in one go. Raises as it does."""
    if _walk(parts, what, MAX_ITEMS):  # something is embedded, whose place is known in its part alone
        return [decode(part, what) for part in parts]
    # Each is known to be one item, so that together they are the items of one array.
    head = b"\x9a" + len(parts).to_bytes(4, "big")
    together: list[Any] = _loads(head + b"".join(parts), [], what)
    return together


def _loads(data: bytes, spans: list[tuple[int, int]], what: str) -> Any:
    hook = _hook(data, iter(spans)) if spans else None
    try:
        return cbor2.loads(data, tag_hook=hook, allow_indefinite=False, allow_duplicate_keys=False)
    except (cbor2.CBORError, ValueError, OverflowError) as wrong:
        rule = "cbor-duplicate-key" if "Duplicate map key" in str(wrong) else "cbor"
        raise DocumentError(rule, f"{what} must be CBOR: {wrong}.") from None


def _hook(data: bytes, spans: Iterator[tuple[int, int]]) -> Callable[[cbor2.CBORTag, bool], Embedded]:
    """cbor2 comes across the tags in the order in which the walk did."""

    def hook(tag: cbor2.CBORTag, _immutable: bool) -> Embedded:  # noqa: FBT001  as cbor2 calls it
        start, end = next(spans)
        return Embedded(data[start:end], tag.value)

    return hook


def _walk(parts: Sequence[bytes], what: str, most: int, *, bignums: bool = False) -> list[tuple[int, int]]:
    """Hold every head of each part against the caps and against what is there; where the embedded items lie."""
    spans: list[tuple[int, int]] = []
    for data in parts:
        end = _walk_one(data, spans, what, most, bignums)
        if end != len(data):
            raise _ends(what, early=end > len(data))
    return spans


def _walk_one(data: bytes, spans: list[tuple[int, int]], what: str, most: int, bignums: bool) -> int:  # noqa: C901, FBT001  in pieces it would cost double
    """Where the item ends that ``data`` begins with; beyond the end of ``data``, if that is too early."""
    levels: list[tuple[int, bool]] = []  # around this one: how many items or pairs are to come, and whether of a map
    position, left, in_map, items = 0, 1, False, 1
    try:
        while left or levels:
            if not left:
                left, in_map = levels.pop()
                continue
            left -= 1
            if in_map:
                position += _KEYS[data[position]] or _long_key(data, position, what)
            first = data[position]
            if step := _VALUES[first]:
                position += step
            elif first in _LONG_STRINGS:
                position += 2 + data[position + 1]
            elif first in _CONTAINERS:
                levels.append((left, in_map))
                left, position = (first & 31, position + 1) if first & 31 < 24 else _argument(data, position, what)
                in_map = first >= _MAP_HEAD
                items += 2 * left if in_map else left
                if items > most or len(levels) > MAX_DEPTH:
                    raise _beyond_caps(most if items > most else None, what)
            elif first == _TAG_HEAD and data[position + 1] == EMBEDDED:
                start, (_, position) = position, _embedded(data, position + 2, what)
                spans.append((start, position))
            elif data.startswith(_FULL_DATE_HEAD, position):
                position += _FULL_DATE_SIZE
            else:
                position = _other(data, position, what, bignums=bignums)
    except IndexError:
        return len(data) + 1
    return position


def _argument(data: bytes, position: int, what: str) -> tuple[int, int]:
    """The number in the head at ``position``, and where the head ends."""
    info = data[position] & 31
    if info < 24:
        return info, position + 1
    if info == 24:
        return data[position + 1], position + 2
    if info > 27:
        raise DocumentError("cbor-length", f"{what} must be CBOR with definite lengths.")
    end = position + 1 + (1 << info - 24)
    return int.from_bytes(data[position + 1 : end], "big"), end


def _long_key(data: bytes, position: int, what: str) -> int:
    """How many bytes a key has that is no short one."""
    argument, end = _argument(data, position, what)
    major = data[position] >> 5
    if major < _BYTES:
        _require_whole_number(argument + major, what)
        return end - position
    if major != _TEXT:
        raise DocumentError("cbor-key", f"The keys of maps in {what} must be integers or text.")
    return end + argument - position


def _embedded(data: bytes, position: int, what: str) -> tuple[int, int]:
    """Where the content of the byte string at ``position``, as it must be, starts and ends."""
    length, start = _argument(data, position, what)
    if data[position] >> 5 != _BYTES:
        raise DocumentError("cbor-tag", f"{what} has a tag 24 around something else than bytes.")
    return start, start + length


def _other(data: bytes, position: int, what: str, *, bignums: bool) -> int:
    """Where the item at ``position`` ends, which is a long string or number, a tag, a float, or has no place here."""
    argument, end = _argument(data, position, what)
    major = data[position] >> 5
    if major in {_BYTES, _TEXT}:
        return end + argument
    if major < _BYTES:
        _require_whole_number(argument + major, what)  # a negative one is -1 - argument
    elif major == _TAG:
        bignum = bignums and argument == BIGNUM and data[end] >> 5 == _BYTES
        if not bignum and (argument not in _DATES or data[end] >> 5 != _TEXT):
            raise DocumentError("cbor-tag", f"{what} has a tag {argument}, which has no place there.")
        length, start = _argument(data, end, what)
        end = start + length
    else:
        _require_finite(data[position] & 31, argument, what)
    return end


def _require_whole_number(size: int, what: str) -> None:
    if size > MAX_INTEGER:
        raise DocumentError("cbor-number", f"Whole numbers in {what} must be at most 2^53-1.")


def _beyond_caps(most: int | None, what: str) -> DocumentError:
    if most is not None:
        return DocumentError("size", f"{what} may have {most} items; it claims more.")
    return DocumentError("cbor-depth", f"{what} may be nested {MAX_DEPTH} deep; got more.")


def _require_finite(info: int, bits: int, what: str) -> None:
    mask = _NOT_FINITE.get(info)
    if mask is None:
        raise DocumentError("cbor-simple", f"{what} has a simple value that has no place there.")
    if bits & mask == mask:
        raise DocumentError("cbor-number", f"Numbers in {what} must be finite.")


def _ends(what: str, *, early: bool) -> DocumentError:
    if early:
        return DocumentError("cbor-length", f"{what} ends too early.")
    return DocumentError("cbor-trailing", f"Bytes follow after the end of {what}.")
