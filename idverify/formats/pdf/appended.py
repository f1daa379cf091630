"""What was appended to a signed PDF, byte by byte: every reader must find the same objects in it (ISO 32000-1 7.5.6).

A reader that takes a cross-reference table for damaged looks for objects in the bytes, and then shows such as no table
lists. So nothing may stand there but what a table lists, and the tables must be such as no reader takes for damaged.
"""

from __future__ import annotations

import re
import zlib
from itertools import pairwise
from typing import Final, NamedTuple

from idverify.errors import DocumentError

RULE: Final = "appended-listed"
MAX_APPENDED: Final = 1024 * 1024
MOST_REVISIONS: Final = 16

_START: Final = b"startxref"
_SPACES: Final = b"\x00\t\n\f\r "
_WHERE: Final = re.compile(rb"startxref\r?\n(\d{1,10})\r?\n")
_LAST: Final = re.compile(rb"startxref[\r\n]+(\d{1,10})[\r\n]+%%EOF[\r\n]{0,2}\Z")
_END: Final = rb"startxref\r?\n(\d{1,10})\r?\n%%EOF(?:\r\n|\n|\r|\Z)"
_SAID: Final = rb"<<([^%()#]{1,2000}?)>>\s{1,2}"
_ENTRIES: Final = rb"(?:\d{10} 00000 n(?:\r\n| \n| \r)|0000000000 65535 f(?:\r\n| \n| \r))+"
_ENTRY_BYTES: Final = 20
_SECTION: Final = re.compile(rb"(\d{1,7}) (\d{1,5})\r?\n(" + _ENTRIES + rb")")
_TABLE: Final = re.compile(
    rb"xref\r?\n((?:\d{1,7} \d{1,5}\r?\n" + _ENTRIES + rb")+)trailer\s{0,2}" + _SAID + _END,
)
_STREAM: Final = re.compile(rb"(\d{1,7}) 0 obj\s{1,2}" + _SAID + rb"stream\r?\n")
_END_OF_STREAM: Final = re.compile(rb"\s{0,2}endstream\s{1,2}endobj\s{1,3}" + _END)
_FLATE: Final = re.compile(
    rb"/Type ?/XRef\b.*/Filter ?/FlateDecode\b|/Filter ?/FlateDecode\b.*/Type ?/XRef\b", re.DOTALL
)
_WIDTHS: Final = re.compile(rb"/W ?\[ ?1 ([1-8]) ([12]) ?\]")
_INDEX: Final = re.compile(rb"/Index ?\[((?: ?\d{1,7} \d{1,5})+) ?\]")
_MOST_INFLATED: Final = 256 * 1024
_KEY: Final = re.compile(rb"/(\w+)")
_OF_TRAILER: Final = frozenset({b"Root", b"Size", b"ID", b"Prev", b"Info"})
_OF_STREAM: Final = _OF_TRAILER | {b"Type", b"XRef", b"Filter", b"FlateDecode", b"W", b"Index", b"Length"}
_SIZE, _PREVIOUS, _LENGTH = (
    re.compile(rb"/" + name + rb"\s{1,2}(\d{1,10})(?=[\s/>]|\Z)") for name in (b"Size", b"Prev", b"Length")
)
# Whatever stands before it: some readers take comments for spaces
_OBJECT: Final = re.compile(rb"[\x00\t\n\f\r 0-9]obj(?![A-Za-z])")
_NO_PLACE: Final = re.compile(rb"trailer|%%EOF|%PDF-|/ObjStm|/XRef")


class _Table(NamedTuple):
    """A cross-reference table: the other objects that it lists, by their numbers, and what its trailer says."""

    offsets: dict[int, int]
    highest: int
    size: int
    previous: int
    end: int


def require_listed(pdf: bytes, signed: int) -> None:
    """Behind the first ``signed`` bytes there are whole revisions, and in them what their tables list, once.

    Raises ``DocumentError`` (``appended-listed``).
    """
    if len(pdf) - signed > MAX_APPENDED:
        raise _unlike(f"it has more than {MAX_APPENDED} bytes")
    last, size = _last_table(pdf, signed), _size(pdf, signed)
    begin = signed
    for _ in range(MOST_REVISIONS + 1):
        if begin >= len(pdf):
            return
        place = _place_of_table(pdf, begin)
        table = (_table if pdf.startswith(b"xref", last) else _table_in_stream)(pdf, place)
        least = max(size, 1 + table.highest)
        if table.previous != last or not least <= table.size <= least + 1:  # pyHanko leaves one number out each time
            raise _unlike("its table does not go on with the one before")
        _require_only(pdf, begin, place, table.offsets)
        last, size, begin = place, table.size, table.end
    raise _unlike(f"it has more than {MOST_REVISIONS} revisions")


def _place_of_table(pdf: bytes, begin: int) -> int:
    said = pdf.find(_START, begin)
    where = None if said < 0 else _WHERE.match(pdf, said)
    if where is None or not begin <= int(where[1]) < said:
        raise _unlike("it is no whole revision")
    return int(where[1])


def _table(pdf: bytes, place: int) -> _Table:
    """ISO 32000-1 7.5.4."""
    found = _TABLE.match(pdf, place)
    if found is None:
        raise _unlike("its table is in no form that all readers take")
    offsets: dict[int, int] = {}
    for section in _SECTION.finditer(found[1]):
        first, count, entries = int(section[1]), int(section[2]), section[3]
        if len(entries) != count * _ENTRY_BYTES:
            raise _unlike("its table counts otherwise than it lists")
        for number in range(count):
            entry = entries[number * _ENTRY_BYTES :]
            _list(offsets, first + number, int(entry[:10]) if entry[17:18] == b"n" else None)
    return _told(found[2], _OF_TRAILER, offsets, max(offsets, default=0), found, place)


def _table_in_stream(pdf: bytes, place: int) -> _Table:
    """ISO 32000-1 7.5.8, which lists itself too."""
    found = _STREAM.match(pdf, place)
    length = None if found is None else _LENGTH.search(found[2])
    end = None if found is None or length is None else _END_OF_STREAM.match(pdf, found.end() + int(length[1]))
    if found is None or length is None or end is None or not _FLATE.search(found[2]):
        raise _unlike("its table is in no form that all readers take")
    offsets = dict(_in_stream(found[2], pdf[found.end() : found.end() + int(length[1])]))
    if offsets.pop(int(found[1]), None) != place:
        raise _unlike("its table does not list itself")
    return _told(found[2], _OF_STREAM, offsets, max(int(found[1]), *offsets, 0), end, place)


def _in_stream(said: bytes, content: bytes) -> dict[int, int]:
    widths, index = _WIDTHS.search(said), _INDEX.search(said)
    if widths is None or index is None:
        raise _unlike("its table is in no form that all readers take")
    wide, size = int(widths[1]), 1 + int(widths[1]) + int(widths[2])
    try:
        entries = zlib.decompressobj().decompress(content, _MOST_INFLATED)
    except zlib.error:
        raise _unlike("its table is damaged") from None
    pairs = list(map(int, index[1].split()))
    if len(entries) != sum(pairs[1::2]) * size:
        raise _unlike("its table counts otherwise than it lists")
    numbers = [first + place for first, count in zip(pairs[::2], pairs[1::2], strict=True) for place in range(count)]
    offsets: dict[int, int] = {}
    for place, number in enumerate(numbers):
        entry = entries[place * size : (place + 1) * size]
        listed = entry[0] == 1 and not any(entry[1 + wide :])
        if not listed and entry[0] != 0:
            raise _unlike("it has objects in streams, or such as replace what was taken away")
        _list(offsets, number, int.from_bytes(entry[1 : 1 + wide], "big") if listed else None)
    return offsets


def _list(offsets: dict[int, int], number: int, offset: int | None) -> None:
    """``None``: it is free, as number 0 is and no other."""
    if (offset is None) != (number == 0) or number in offsets:
        raise _unlike("its table takes objects away, or lists one twice")
    if offset is not None:
        offsets[number] = offset


def _told(
    said: bytes, known: frozenset[bytes], offsets: dict[int, int], highest: int, end: re.Match[bytes], place: int
) -> _Table:
    keys, size, previous = _KEY.findall(said), _SIZE.search(said), _PREVIOUS.search(said)
    if len(set(keys)) != len(keys) or not known.issuperset(keys) or size is None or previous is None:
        raise _unlike("its trailer says what no trailer of evidence says")
    if int(end[end.re.groups]) != place:
        raise _unlike("it says that its table is elsewhere")
    return _Table(offsets, highest, int(size[1]), int(previous[1]), end.end())


def _require_only(pdf: bytes, begin: int, end: int, offsets: dict[int, int]) -> None:
    """From ``begin`` to ``end`` there are these objects, one behind the other, and nothing that looks like another."""
    listed = sorted((offset, number) for number, offset in offsets.items())
    if pdf[begin : listed[0][0] if listed else end].strip(_SPACES):
        raise _unlike("something stands before its objects")
    for (offset, number), (following, _) in pairwise([*listed, (end, 0)]):
        whole = pdf[offset:following].rstrip(_SPACES) if begin <= offset < following else b""
        if re.match(rb"%d 0 obj[\r\n <\[(/]" % number, whole) is None or not whole.endswith(b"endobj"):
            raise _unlike("an object is not where its table says")
    body = pdf[begin:end]
    if len(_OBJECT.findall(body)) != len(listed) or _NO_PLACE.search(body):
        raise _unlike("there is an object that no table lists")


def _last_table(pdf: bytes, signed: int) -> int:
    found = _LAST.search(pdf, max(0, signed - 64), signed)
    return -1 if found is None else int(found[1])


def _size(pdf: bytes, signed: int) -> int:
    found = _SIZE.match(pdf, max(0, pdf.rfind(b"/Size", 0, signed)))
    return 0 if found is None else int(found[1])


def _unlike(why: str) -> DocumentError:
    said = "What was appended to the PDF need not look alike to every reader"
    return DocumentError(RULE, f"{said}: {why}.")
