"""Object streams are read by an index that refuses nothing: with it and without, every PDF is read alike."""

from __future__ import annotations

import logging
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import cache, partial
from io import BytesIO
from random import Random
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyhanko.pdf_utils.generic import Reference
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader

from idverify.errors import DocumentError
from idverify.formats.pdf import object_streams, read
from idverify.formats.pdf.object_streams import read_by_index
from tests.corpus import make_letter
from tests.corpus.layout import load
from tests.unit.services.test_drawn_letters import letter

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # WeasyPrint leaves its colour profile open
MUTANTS = 150
_STREAM = re.compile(rb"/Type\s*/ObjStm.*?>>\s*stream\r?\n", re.DOTALL)
_LENGTH = re.compile(rb"/Length (\d+)")

# No comment begins where none ends: pyHanko looks for its end for ever (a worker, until its time is up).
_BYTES = b"0123456789 /<>[]()R\n\0-.x"
TOKENS = st.sampled_from(
    [b"1", b"2", b"3", b"0", b"4", b"10", b"007", b"+5", b"-3", b"1.5", b"%c\n", b"x", b"99999999999", b"", b"\0"]
)
SPACES = st.sampled_from([b" ", b" ", b" ", b"\n", b"\r\n", b"  ", b"\0", b"\x0b", b""])
OBJECTS = st.sampled_from(
    [
        b"42",
        b"42 ",
        b"<</A 1>>",
        b"[1 2 3]",
        b"(text)",
        b"/Name",
        b"null",
        b"1 0 R",
        b"<<",
        b"%c\n7",
        b" 7",
        b"true",
        b"[",
    ]
)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """PyHanko tells the log of what it cannot read."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def outcome(work: Callable[[], Any]) -> tuple[str, Any]:
    """What comes of it, or what it raises, whatever that is."""
    try:
        return "read", work()
    except Exception as raised:  # noqa: BLE001  both ways must come to the same
        return type(raised).__name__, str(raised)


# --- PDFs made by hand ----------------------------------------------------------------------------------------------


def pdf_of(content: bytes, many: int, first: int, entries: list[tuple[int, int]]) -> bytes:
    """An object stream (number 9) of these bytes, and for each (object number, position) an entry that says so."""
    listed = {0: (0, 0, 0), **{number: (2, 9, position) for number, position in entries}}
    packed = zlib.compress(content)
    head = b"<</Type/ObjStm/N %d/First %d/Filter/FlateDecode/Length %d>>" % (many, first, len(packed))
    pdf = b"%%PDF-1.7\n9 0 obj\n%s\nstream\n%s\nendstream\nendobj\n" % (head, packed)
    listed |= {9: (1, pdf.index(b"9 0 obj"), 0), 10: (1, len(pdf), 0)}
    rows = b"".join(
        bytes([kind]) + place.to_bytes(4, "big") + third.to_bytes(2, "big")
        for kind, place, third in (listed.get(number, (0, 0, 0)) for number in range(11))
    )
    table = b"<</Type/XRef/Size 11/W[1 4 2]/Root 1 0 R/Length %d>>" % len(rows)
    end = b"startxref\n%d\n%%%%EOF\n" % len(pdf)
    return pdf + b"10 0 obj\n%s\nstream\n%s\nendstream\nendobj\n%s" % (table, rows, end)


def objects(pdf: bytes, order: list[int], *, strict: bool) -> list[tuple[str, Any]]:
    """Each object as it would be written, and where it says that it is from, or what speaks against it."""
    reader = PdfFileReader(BytesIO(pdf), strict=strict)

    def written(number: int) -> tuple[bytes, str]:
        found, out = reader.get_object(Reference(number, 0, reader)), BytesIO()
        found.write_to_stream(out)
        return out.getvalue(), repr(found.container_ref)

    return [outcome(partial(written, number)) for number in order]


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Plain ones, and such as are wrong in one place or several."""
    texts = draw(st.lists(OBJECTS, min_size=1, max_size=5))
    numbers, offset = [], 0
    for number, text in enumerate(texts, 1):
        numbers += [b"%d" % number, b"%d" % offset]
        offset += len(text) + 1
    for _ in range(draw(st.integers(0, 2))):
        numbers[draw(st.integers(0, len(numbers) - 1))] = draw(TOKENS)
    index = b"".join(number + draw(SPACES) for number in numbers)
    places = [(number, number - 1) for number in range(1, len(texts) + 1)]
    if draw(st.booleans()):
        places[draw(st.integers(0, len(places) - 1))] = draw(st.tuples(st.integers(1, 6), st.integers(0, 6)))
    many = len(texts) + draw(st.sampled_from([0, 0, 0, 1, -1, 100_000]))
    first = len(index) + draw(st.sampled_from([0, 0, 0, 1, -1, 1000, -1000]))
    return pdf_of(index + b" ".join(texts), many, first, places)


@given(streams(), st.lists(st.integers(1, 6), min_size=1, max_size=12), st.booleans())
def test_odd_streams_both_ways(pdf: bytes, order: list[int], strict: bool) -> None:  # noqa: FBT001  drawn
    """Every object is the same, in whatever order, or refused in the same words; again, too, when it is not cached."""
    twice = [*order, *order]
    long = outcome(lambda: objects(pdf, twice, strict=strict))
    with read_by_index():
        assert outcome(lambda: objects(pdf, twice, strict=strict)) == long


@pytest.mark.parametrize(
    ("content", "first"),
    [
        (b"1 0 1 3 42 43", 8),  # the second of a number, at a place that the table names
        (b"1 0 2 0 42", 8),
        (b"1 0 2 3 42 /B\0", 8),
        (b"1 0 2 3 42 1 0 R", 8),  # a reference is no object of a stream
        (b"1 0 2 3 42 %c\n7", 8),
        (b"1 0 2 3      ", 8),
        (b"1 0 2 3", 7),
        (b"1 0 2 342", 7),  # where does the last number end
        (b"1 0 2 ", 6),
        (b"1 0 2 99 42 43", 9),
    ],
)
def test_odd_streams(content: bytes, first: int) -> None:
    """The same for what nearly is plain."""
    pdf = pdf_of(content, 2, first, [(1, 0), (2, 1)])
    for order in ([1, 2], [2, 1]):
        long = objects(pdf, order, strict=True)
        with read_by_index():
            assert objects(pdf, order, strict=True) == long


def test_more_objects_than_are_kept() -> None:
    """Beyond the cap the walk is pyHanko's; what is read stays the same."""
    texts = [b"%d" % (number * 7) for number in range(1, 9)]
    index = b"".join(b"%d %d " % (number, sum(map(len, texts[: number - 1])) + number - 1) for number in range(1, 9))
    pdf = pdf_of(index + b" ".join(texts), 8, len(index), [(number, number - 1) for number in range(1, 9)])
    order, walked = list(range(8, 0, -1)), mock.Mock(side_effect=object_streams._THEIRS)
    with mock.patch.object(object_streams, "_THEIRS", walked), read_by_index():
        assert [text for _, (text, _) in objects(pdf, order, strict=True)] == texts[::-1]
        assert walked.call_count == 1  # the first of the stream
        with mock.patch.object(object_streams, "_MOST", 7):
            assert [text for _, (text, _) in objects(pdf, order, strict=True)] == texts[::-1]
        assert walked.call_count == 1 + 8


def test_nothing_is_left_behind() -> None:
    """Outside, pyHanko reads as it always did."""
    with pytest.raises(PdfError), read_by_index():
        PdfFileReader(BytesIO(b"%PDF-1.7\nnothing\n"))
    assert PdfFileReader._get_object_from_stream is object_streams._THEIRS


# --- letters ---------------------------------------------------------------------------------------------------------


def apart(pdf: bytes) -> Any:
    """All that reading finds before pages are drawn."""
    opened = read.examined(pdf)
    if opened is None:
        return None
    signed = [read.told(one, opened) for one in (*opened.signatures, *opened.stamps)]
    return signed, read.broken(opened), opened.later, opened.attachments, str(opened.reader.root.get("/Lang"))


def both_ways(pdf: bytes) -> str:
    """Taken apart with and without the index: the same; by what name it ended."""
    quick = outcome(lambda: apart(pdf))
    with mock.patch.object(read, "read_by_index", nullcontext):
        assert outcome(lambda: apart(pdf)) == quick
    return quick[0]


@cache
def letters() -> tuple[bytes, ...]:
    return letter("en"), letter("cy", large=True)


def mutant(random: Random, pdf: bytes) -> bytes:
    """With bytes changed in an object stream, which is packed again into its place, or anywhere."""
    found = list(_STREAM.finditer(pdf))
    if not found or random.random() < 0.2:
        at = random.randrange(len(pdf))
        return pdf[:at] + random.randbytes(random.choice((1, 1, 4))) + pdf[at + 1 :]
    head = random.choice(found)
    (length,) = map(int, _LENGTH.findall(head[0]))
    content = bytearray(zlib.decompress(pdf[head.end() : head.end() + length]))
    for _ in range(random.choice((1, 1, 2))):
        at = random.randrange(random.choice((40, 1500, len(content))))
        content[min(at, len(content) - 1)] = random.choice(_BYTES)
    packed = zlib.compress(bytes(content), 9)
    return pdf[: head.end()] + packed[:length].ljust(length, b"\0") + pdf[head.end() + length :]


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in load(make_letter.FOLDER)])
def test_hostile_letters_both_ways(case: Any) -> None:
    """Every letter of the corpus is read alike."""
    both_ways(case.document)


def test_own_letters_both_ways() -> None:
    """Letters as they are made are read, and read by the index."""
    for pdf in letters():
        walked = mock.Mock(side_effect=object_streams._THEIRS)
        with mock.patch.object(object_streams, "_THEIRS", walked):
            apart(pdf)
        assert walked.call_count <= 8  # one of each stream
        assert both_ways(pdf) == "read"


def test_mutants_both_ways() -> None:
    """Changed letters are read alike or refused in the same words, and some of both kinds are among them."""
    random = Random(7)  # noqa: S311  to be drawn again
    seen = {both_ways(mutant(random, random.choice(letters()))) for _ in range(MUTANTS)}

    assert {"read", DocumentError.__name__} <= seen
