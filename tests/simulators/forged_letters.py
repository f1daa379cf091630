"""What somebody does to a letter that a service made, with nothing but the file."""

from __future__ import annotations

import io

import pikepdf
from PIL import Image
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from idverify.formats.qr_image import write_code
from tests.simulators import letters


def one_byte(pdf: bytes) -> bytes:
    """The same with another byte in the comment that says that there are bytes (ISO 32000-1 7.5.2): nobody reads it."""
    at = pdf.index(b"\n%") + 2
    return pdf[:at] + bytes([pdf[at] ^ 0x01]) + pdf[at + 1 :]


def appended(pdf: bytes) -> bytes:
    """The same with a revision more, which changes nothing that anybody sees."""

    def author(writer: IncrementalPdfFileWriter) -> None:
        writer.root["/PieceInfo"] = generic.DictionaryObject({pdf_name("/Note"): generic.pdf_string("seen")})
        writer.update_root()

    return letters.later(pdf, author)


def pasted(pdf: bytes, code: str) -> bytes:
    """Another's code on the first page, in a revision more."""
    picture = Image.open(io.BytesIO(write_code(code, "png", 1))).convert("L")

    def paste(writer: IncrementalPdfFileWriter) -> None:
        page = _first_page(writer)
        image = generic.StreamObject(
            dict_data={
                pdf_name("/Type"): pdf_name("/XObject"),
                pdf_name("/Subtype"): pdf_name("/Image"),
                pdf_name("/Width"): generic.NumberObject(picture.width),
                pdf_name("/Height"): generic.NumberObject(picture.height),
                pdf_name("/ColorSpace"): pdf_name("/DeviceGray"),
                pdf_name("/BitsPerComponent"): generic.NumberObject(8),
            },
            stream_data=picture.tobytes(),
        )
        resources = page["/Resources"]
        objects = resources.setdefault("/XObject", generic.DictionaryObject())
        objects[pdf_name("/Other")] = writer.add_object(image)
        writer.update_container(objects)
        drawn = generic.StreamObject(stream_data=b"q 300 0 0 300 150 300 cm /Other Do Q")
        page[pdf_name("/Contents")] = writer.add_object(drawn)
        writer.update_container(page)

    return letters.later(pdf, paste)


def _first_page(writer: IncrementalPdfFileWriter) -> generic.DictionaryObject:
    page = writer.root["/Pages"]["/Kids"][0]
    assert isinstance(page, generic.DictionaryObject)
    return page


def rewritten(pdf: bytes) -> bytes:
    """The same saved anew by a program for PDFs, as if that did no harm."""
    buffer = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        opened.save(buffer)
    return buffer.getvalue()
