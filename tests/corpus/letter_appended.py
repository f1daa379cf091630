"""Revisions appended to a genuine letter that its readers do not all read alike: written by hand, byte by byte."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from tests.simulators import letters

_DRAWN: Final = re.compile(rb"\n(\d+) 0 obj\n<< /Length \d+ >>\nstream\n(/TH .+?)\nendstream", re.DOTALL)
_NOTHING: Final = b"40 0 obj\n(nothing)\nendobj\n"
_PLAIN: Final[Mapping[str, Any]] = {
    "before": b"",
    "listed": _NOTHING,
    "table": b"xref\n40 1\n%010d 00000 n \n",
    "trailer": b"trailer\n<</Root %s /Size 41 /ID %s /Prev %d>>\n",
    "start": b"startxref\n%d\n%%%%EOF\n",
}


def _content() -> bytes:
    """The page as it is, and a line more."""
    found = _DRAWN.search(letters.signed())
    assert found is not None
    more = found[2] + b"\nBT /F1 10 Tf 20 300 Td (and his family) Tj ET"
    return b"%s 0 obj\n<</Length %d>>\nstream\n%s\nendstream\nendobj\n" % (found[1], len(more), more)


def _appended(**other: bytes) -> bytes:
    """An honest letter and one revision more: ``before`` its object what no table lists, then the parts of it."""
    how, pdf = {**_PLAIN, **other}, letters.signed()
    last = int(re.findall(rb"startxref\s+(\d+)", pdf)[-1])
    root, identity = (
        re.findall(rb"/%s (%s)" % each, pdf)[-1] for each in ((b"Root", rb"\d+ 0 R"), (b"ID", rb"\[.+?\]"))
    )
    pdf += how["before"]
    at = len(pdf)
    pdf += how["listed"]
    place = len(pdf)
    table = how["table"].replace(b"%010d", b"%010d" % at)
    return pdf + table + how["trailer"] % (root, identity, last) + how["start"] % place


def cases() -> Iterator[tuple[str, bytes]]:
    """Name and letter. Some hide a line that some readers show; of others how they are written is enough."""
    large, content = _PLAIN["trailer"].replace(b"41", b"99999999"), _content()
    yield "another page, which no table lists", _appended(before=content)
    yield "the same, for readers that do not believe in so many objects", _appended(before=content, trailer=large)
    yield "a page within an object", _appended(listed=_NOTHING.replace(b"nothing", b"\n" + content))
    yield "a page behind a comment", _appended(listed=_NOTHING + b"9 0 % \nobj\n(other)\nendobj\n")
    yield "an object of another number", _appended(listed=_NOTHING.replace(b"40 0", b"41 0"))
    yield "more objects than there are", _appended(trailer=large)
    yield "entries of 19 bytes", _appended(before=content, table=b"xref\n40 1\n%010d 00000 n\n")
    yield "an object listed twice", _appended(table=b"xref\n40 1\n%010d 00000 n \n40 1\n%010d 00000 n \n")
    yield "a trailer with a comment", _appended(trailer=_PLAIN["trailer"].replace(b"<<", b"<<%% more\n"))
    yield "a trailer that says it is a stream", _appended(trailer=_PLAIN["trailer"].replace(b"<<", b"<</Type /XRef "))
    yield "a table that begins elsewhere", _appended(table=b" " + _PLAIN["table"])
    yield "objects in a stream", _appended(listed=_STREAM)
    yield "a number that is long", _appended(start=b"startxref\n00000000000000%d\n%%%%EOF\n")


_STREAM: Final = b"40 0 obj\n<</Type /ObjStm /N 1 /First 4 /Length 12>>\nstream\n9 0 (other) \nendstream\nendobj\n"


def over_the_page() -> bytes:
    """A field of no size for whoever looks at its box, with a look from a revision of which nothing is seen."""
    numbers: dict[str, list[int]] = {}

    def brought(writer: IncrementalPdfFileWriter) -> None:
        look = {
            pdf_name("/Type"): pdf_name("/XObject"),
            pdf_name("/Subtype"): pdf_name("/Form"),
            pdf_name("/BBox"): generic.ArrayObject(list(map(generic.NumberObject, (0, 0, 500, 400)))),
        }
        drawn = generic.StreamObject(look, stream_data=b"1 g 10 340 300 55 re f")
        numbers["look"] = [writer.add_object(drawn).idnum]
        numbers["box"] = [writer.add_object(generic.NumberObject(edge)).idnum for edge in (0, 0, 500, 400)]

    def shown(writer: IncrementalPdfFileWriter) -> None:
        look, *box = (generic.IndirectObject(one, 0, writer) for one in (*numbers["look"], *numbers["box"]))
        pages, form = writer.root["/Pages"]["/Kids"], writer.root["/AcroForm"]
        field = generic.DictionaryObject(
            {
                pdf_name("/Type"): pdf_name("/Annot"),
                pdf_name("/Subtype"): pdf_name("/Widget"),
                pdf_name("/FT"): pdf_name("/Sig"),
                pdf_name("/T"): generic.pdf_string("Other"),
                pdf_name("/F"): generic.NumberObject(4),
                pdf_name("/P"): pages.raw_get(0),
                pdf_name("/Rect"): generic.ArrayObject(box),
                pdf_name("/AP"): generic.DictionaryObject({pdf_name("/N"): look}),
            }
        )
        added = writer.add_object(field)
        for container, name in ((form, "/Fields"), (pages[0], "/Annots")):
            container[name] = generic.ArrayObject([*container[name], added])
            writer.update_container(container)

    return letters.later(letters.later(letters.signed(), brought), shown)
