r"""CBOR with exactly one reading: no duplicate keys, no indefinite lengths, no foreign tags, no bomb.

What strangers send is walked head by head before cbor2 sees it: what a length claims is held against what is there, and
nothing is built for it. The walk also remembers where each embedded item (tag 24) lies, since digests and signatures
cover the bytes that were received, which a second encoding need not give back (lengths may be spelled in several ways).

>>> decode(bytes.fromhex("a16161d8184101"), "An example")
{'a': Embedded(encoded=b'\xd8\x18A\x01', content=b'\x01')}
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cbor2

from idverify.errors import DocumentError

MAX_DEPTH: Final = 16
MAX_ITEMS: Final = 8192
MAX_INTEGER: Final = 2**53 - 1  # the bound of strict_json: what is verified here is told in JSON

TDATE, EMBEDDED, FULL_DATE = 0, 24, 1004
_BYTES, _TEXT, _ARRAY, _MAP, _TAG = 2, 3, 4, 5, 6
# The tags of ISO/IEC 18013-5 (RFC 8949 section 3.4, RFC 8943), and the major type of what each holds: no other tag.
_TAGS: Final = {TDATE: _TEXT, EMBEDDED: _BYTES, FULL_DATE: _TEXT}
_SIMPLE: Final = frozenset({0xF4, 0xF5, 0xF6})  # false, true, null
# The exponents of floats that are no number (RFC 8949 section 3.3): infinite, or none at all.
_NOT_FINITE: Final = {25: 0x7C00, 26: 0x7F80_0000, 27: 0x7FF0_0000_0000_0000}


def _whole(first: int) -> int:
    """How many bytes an item has that is told by its first byte alone, and may be a key: short text, or 32 bits."""
    major, info = first >> 5, first & 31
    if major == _TEXT:
        return 1 + info if info < 24 else 0
    return {24: 2, 25: 3, 26: 5}.get(info, 1 if info < 24 else 0) if major < _BYTES else 0


_WHOLE: Final = bytes(map(_whole, range(256)))


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


def decode(data: bytes, what: str) -> Any:
    """The one value that ``data`` spells; tag 24 is an ``Embedded``, tags 0 and 1004 are dates.

    Raises ``DocumentError``: ``size``, ``cbor`` (text that is not UTF-8, a day that is none), ``cbor-depth``,
    ``cbor-duplicate-key``, ``cbor-key``, ``cbor-length``, ``cbor-number``, ``cbor-simple``, ``cbor-tag``,
    ``cbor-trailing``.
    """
    return _loads(data, _walk(data, what), what)


def decode_each(parts: Sequence[bytes], what: str) -> list[Any]:
    """``decode`` of many short items in one go. Raises as it does."""
    if any(_walk(part, what) for part in parts):  # something is embedded, whose place is known in its part alone
        return [decode(part, what) for part in parts]
    # Each is known to be one item, so that together they are the items of one array.
    head = b"\x9a" + len(parts).to_bytes(4, "big")
    together: list[Any] = _loads(head + b"".join(parts), [], what)
    return together


def _loads(data: bytes, spans: list[tuple[int, int]], what: str) -> Any:
    hook = _embedded(data, iter(spans)) if spans else None
    try:
        return cbor2.loads(data, tag_hook=hook, allow_indefinite=False, allow_duplicate_keys=False)
    except (cbor2.CBORError, ValueError, OverflowError) as wrong:
        rule = "cbor-duplicate-key" if "Duplicate map key" in str(wrong) else "cbor"
        raise DocumentError(rule, f"{what} must be CBOR: {wrong}.") from None


def _embedded(data: bytes, spans: Iterator[tuple[int, int]]) -> Callable[[cbor2.CBORTag, bool], Embedded]:
    """cbor2 comes across the tags in the order in which the walk did."""

    def hook(tag: cbor2.CBORTag, _immutable: bool) -> Embedded:  # noqa: FBT001  as cbor2 calls it
        start, end = next(spans)
        return Embedded(data[start:end], tag.value)

    return hook


def _walk(data: bytes, what: str) -> list[tuple[int, int]]:  # noqa: C901, PLR0912, PLR0915  calls would double its cost
    """Hold every head against the caps and against what is there; where the embedded items lie."""
    spans: list[tuple[int, int]] = []
    levels: list[tuple[int, bool]] = []  # around this one: how many items are to come, and whether of a map
    position, left, in_map, items, tag_start, whole = 0, 1, False, 1, -1, _WHOLE
    try:
        while True:
            while not left:
                if not levels:
                    _require_end(position, len(data), what)
                    return spans
                left, in_map = levels.pop()
            left -= 1
            first = data[position]
            if step := whole[first]:
                position += step
                continue
            start = position
            position += 1
            major, argument = first >> 5, first & 31
            if argument == 24:
                argument = data[position]
                position += 1
            elif argument > 24:
                if argument > 27:
                    raise DocumentError("cbor-length", f"{what} must be CBOR with definite lengths.")
                width = 1 << argument - 24
                argument = int.from_bytes(data[position : position + width], "big")
                position += width
            if major == _TEXT:
                position += argument
            elif in_map and left & 1 and major >= _BYTES:  # of a map's items, every first is a key
                raise DocumentError("cbor-key", f"The keys of maps in {what} must be integers or text.")
            elif major == _BYTES:
                position += argument
                if tag_start >= 0:
                    spans.append((tag_start, position))
                    tag_start = -1
            elif major < _BYTES:
                if argument + major > MAX_INTEGER:  # -1 - argument, where it is negative
                    raise DocumentError("cbor-number", f"Whole numbers in {what} must be at most 2^53-1.")
            elif major < _TAG:
                levels.append((left, in_map))
                in_map = major == _MAP
                left = 2 * argument if in_map else argument
                items += left
                if items > MAX_ITEMS or len(levels) > MAX_DEPTH:
                    raise _beyond_caps(items, what)
            elif major == _TAG:
                if _TAGS.get(argument) != data[position] >> 5:
                    raise DocumentError("cbor-tag", f"{what} has a tag {argument}, which has no place there.")
                left += 1
                tag_start = start if argument == EMBEDDED else -1
            elif first not in _SIMPLE:
                _require_finite(first & 31, argument, what)
    except IndexError:
        raise DocumentError("cbor-length", f"{what} ends too early.") from None


def _beyond_caps(items: int, what: str) -> DocumentError:
    if items > MAX_ITEMS:
        return DocumentError("size", f"{what} may have {MAX_ITEMS} items; it claims more.")
    return DocumentError("cbor-depth", f"{what} may be nested {MAX_DEPTH} deep; got more.")


def _require_finite(info: int, bits: int, what: str) -> None:
    mask = _NOT_FINITE.get(info)
    if mask is None:
        raise DocumentError("cbor-simple", f"{what} has a simple value that has no place there.")
    if bits & mask == mask:
        raise DocumentError("cbor-number", f"Numbers in {what} must be finite.")


def _require_end(position: int, length: int, what: str) -> None:
    if position > length:
        raise DocumentError("cbor-length", f"{what} ends too early.")
    if position < length:
        raise DocumentError("cbor-trailing", f"Bytes follow after the end of {what}.")
