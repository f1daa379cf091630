"""Object streams (ISO 32000-1 7.5.7) by an index: pyHanko walks through all numbers before an object to find its place.

That is half of what reading a letter costs. The first object of each stream is pyHanko's, which so has decoded it and
found it in order; what is not a plain index is left to it, and so is every refusal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Final, NamedTuple

from pyhanko.pdf_utils import generic, misc
from pyhanko.pdf_utils.decode_limits import DecodePurpose
from pyhanko.pdf_utils.reader import PdfFileReader

_MOST: Final = 32 * 1024
"""Objects whose places are kept, over all streams."""

_PLAIN: Final = re.compile(rb"(?:[0-9]{1,10}[ \t\r\n\f]+)+")
_NO_OBJECT: Final = frozenset(b" \t\r\n\f\0%")
_READER: Final[Any] = PdfFileReader
_THEIRS: Final = _READER._get_object_from_stream  # noqa: SLF001  there is no other place to begin at


class _Indexed(NamedTuple):
    """A stream (kept, so that no other gets its ``id``), its bytes, and the places of (object number, position)."""

    stream: Any
    content: bytes
    places: Mapping[tuple[int, int], int]


@contextmanager
def read_by_index() -> Iterator[None]:
    """While this is open, in the one thread that a worker has; indexes are kept for as long."""
    _READER._get_object_from_stream = _by_index()  # noqa: SLF001  as above
    try:
        yield
    finally:
        _READER._get_object_from_stream = _THEIRS  # noqa: SLF001  as above


def _by_index() -> Callable[[Any, int, int, int], Any]:
    kept: dict[int, _Indexed] = {}

    def read(reader: Any, number: int, stream_number: int, position: int) -> Any:
        if not reader.strict:  # it takes for null what is out of order
            return _THEIRS(reader, number, stream_number, position)
        stream = generic.Reference(stream_number, 0, reader).get_object()
        indexed = kept.get(id(stream))
        if indexed is None:
            found = _THEIRS(reader, number, stream_number, position)
            if len(kept) < _MOST:
                room = _MOST - sum(len(one.places) for one in kept.values())
                kept[id(stream)] = _indexed(stream, room)
            return found
        place = indexed.places.get((number, position))
        found = None if place is None else _object(reader, number, indexed.content, place)
        return _THEIRS(reader, number, stream_number, position) if found is None else found

    return read


def _indexed(stream: Any, room: int) -> _Indexed:
    """Without places where the index is not plain numbers up to the first object, or is longer than there is room."""
    content, many, first = stream.read_data(DecodePurpose.OBJECT_STREAM), stream["/N"], stream["/First"]
    plain = _PLAIN.fullmatch(content, 0, first) if many <= room and 0 < first < len(content) else None
    if plain is None or content[first] in _NO_OBJECT:
        return _Indexed(stream, content, {})
    numbers = [int(one) for one in plain[0].split(maxsplit=2 * many)[: 2 * many]]
    if len(numbers) != 2 * many:
        return _Indexed(stream, content, {})
    places: dict[tuple[int, int], int] = {}
    seen = set[int]()
    for position, (number, offset) in enumerate(zip(numbers[::2], numbers[1::2], strict=True)):
        if number not in seen:  # the second of a number is out of order, and pyHanko says so
            seen.add(number)
            places[number, position] = first + offset
    return _Indexed(stream, content, places)


def _object(reader: Any, number: int, content: bytes, place: int) -> Any:
    """``None`` where pyHanko has something to say."""
    rest = BytesIO(content)
    rest.seek(place)
    try:
        found = generic.read_object(rest, generic.Reference(number, 0, reader))
        misc.read_non_whitespace(rest, seek_back=True, allow_eof=True)  # type: ignore[no-untyped-call]
    except misc.PdfError:
        return None
    return None if isinstance(found, generic.StreamObject | generic.IndirectObject) else found
