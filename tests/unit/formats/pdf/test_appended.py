"""What is appended to a letter looks alike to every reader, or is refused."""

from __future__ import annotations

import io
import re
import zlib
from typing import Final

import pikepdf
import pypdfium2  # type: ignore[import-untyped]
import pytest

from idverify.errors import DocumentError
from idverify.formats.pdf.appended import MAX_APPENDED, MOST_REVISIONS, require_listed
from tests.corpus import letter_appended
from tests.simulators import letters

SIGNED: Final = len(letters.signed())
UNLIKE: Final = dict(letter_appended.cases())


def test_our_own_time_stamps_are_listed() -> None:
    """Nothing appended, evidence appended, and a revision more."""
    require_listed(letters.signed(), SIGNED)
    require_listed(letters.signed("B-LTA"), SIGNED)
    require_listed(letters.later(letters.signed("B-LTA"), lambda writer: writer.update_root()), SIGNED)


def in_stream() -> tuple[bytes, int]:
    """A letter whose tables are streams, with a revision more, and how much of it is signed."""
    drawn = io.BytesIO()
    with pikepdf.open(io.BytesIO(letters.drawn())) as pdf:
        pdf.save(drawn, object_stream_mode=pikepdf.ObjectStreamMode.generate, deterministic_id=True)
    signed = letters.signed_by(drawn.getvalue())
    return letters.later(signed, lambda writer: writer.update_root()), len(signed)


def test_tables_in_streams_are_listed() -> None:
    """As the tables of the letters that are drawn here are."""
    require_listed(*in_stream())


def listing(index: bytes, entries: bytes, more: bytes = b"", before: bytes = b"") -> tuple[bytes, int]:
    """A letter with a table in a stream, of these entries behind itself."""
    appended, signed = in_stream()
    pdf = appended[:signed]
    last = int(re.findall(rb"startxref\s+(\d+)", pdf)[-1])
    size = int(re.findall(rb"/Size (\d+)", pdf)[-1])
    pdf += before
    place = len(pdf)
    content = zlib.compress(b"\x01" + place.to_bytes(8, "big") + bytes(2) + entries)
    said = b"/Type /XRef /Filter /FlateDecode /W [ 1 8 2 ] /Root 1 0 R /Size %d /Prev %d /Index [ %d 1 %s]%s /Length %d"
    head = b"%d 0 obj\n<<" + said + b">>\nstream\n%s\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n"
    return pdf + head % (size, size + 1, last, size, index, more, len(content), content, place), signed


UNLIKE_IN_STREAM: Final = {
    "an object in a stream": (b"1 1 ", b"\x02" + bytes(10)),
    "an object taken away": (b"1 1 ", bytes(11)),
    "more than it counts": (b"1 1 ", bytes(22)),
    "less than it counts": (b"1 99999 " * 50, bytes(11)),
    "an object twice": (b"1 1 1 1 ", (b"\x01" + bytes(10)) * 2),
    "objects elsewhere": (b"1 1 ", b"\x01" + bytes(7) + b"\x08\x00\x00"),
    "a filter more": (b"", b"", b" /DecodeParms null"),
    "an object before it": (b"", b"", b"", b"9 0 obj\n(other)\nendobj\n"),
}


def test_a_table_in_a_stream() -> None:
    """What ``UNLIKE_IN_STREAM`` changes one thing of."""
    require_listed(*listing(b"0 1 ", bytes(11)))


@pytest.mark.parametrize("name", UNLIKE_IN_STREAM)
def test_a_table_in_a_stream_lists_all_there_is(name: str) -> None:
    """And nothing else, once; what inflates is counted first."""
    with pytest.raises(DocumentError) as refused:
        require_listed(*listing(*UNLIKE_IN_STREAM[name]))
    assert refused.value.rule == "appended-listed"


def test_a_table_of_the_other_kind_is_refused() -> None:
    """A stream behind a table, which some readers do not follow."""
    appended, signed = in_stream()
    with pytest.raises(DocumentError):
        require_listed(letters.signed() + appended[signed:], SIGNED)


@pytest.mark.parametrize("name", UNLIKE)
def test_what_readers_need_not_read_alike_is_refused(name: str) -> None:
    """By one rule, whatever it is."""
    with pytest.raises(DocumentError) as refused:
        require_listed(UNLIKE[name], SIGNED)
    assert refused.value.rule == "appended-listed"


def test_a_reader_shows_what_no_table_lists() -> None:
    """PDFium takes a table of short entries for damaged, and looks for objects in the bytes: why there is this rule."""
    with pypdfium2.PdfDocument(UNLIKE["entries of 19 bytes"]) as document:
        assert "and his family" in document[0].get_textpage().get_text_range()
    with pypdfium2.PdfDocument(UNLIKE["another page, which no table lists"]) as document:
        assert "and his family" not in document[0].get_textpage().get_text_range()


@pytest.mark.parametrize(
    "appended",
    [b"\n", b"startxref", b"startxref\n99999\n%%EOF\n", b"1 0 obj\nendobj\n", b"0" * (MAX_APPENDED + 1)],
    ids=["a line", "half a revision", "a table that is elsewhere", "an object", "too much"],
)
def test_what_is_no_revision_is_refused(appended: bytes) -> None:
    """Nothing stands there that is no whole revision, and it has an end."""
    with pytest.raises(DocumentError):
        require_listed(letters.signed() + appended, SIGNED)


def test_revisions_have_an_end() -> None:
    """As many as are read."""
    pdf = letters.signed()
    for _ in range(MOST_REVISIONS):
        pdf = letters.later(pdf, lambda writer: writer.update_root())
    require_listed(pdf, SIGNED)
    with pytest.raises(DocumentError):
        require_listed(letters.later(pdf, lambda writer: writer.update_root()), SIGNED)


def test_a_long_comment_takes_no_time() -> None:
    """Bytes that patterns might go over again and again are read once."""
    body = b"40 0 obj\n(" + b"1 1%" * 200_000 + b")\nendobj\n"
    place = SIGNED + len(body)
    with pytest.raises(DocumentError):
        require_listed(letters.signed() + body + b"startxref\n%d\n%%%%EOF\n" % place, SIGNED)
