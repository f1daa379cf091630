"""QR codes on the pages of a PDF: drawn, scanned, and documents that are none."""

from __future__ import annotations

import io
from typing import Any

import pikepdf
import pytest
import weasyprint
from PIL import Image

from idverify.errors import DocumentError
from idverify.formats import qr_image, qr_pdf
from idverify.formats.qr_image import write_code
from idverify.formats.qr_pdf import MAX_PAGES, MAX_PDF, read_pdf_codes

TEXT = "IDV1:" + "A9B%" * 225


def letter(*codes: str, millimetres: float = 45) -> bytes:
    """A page for each code, drawn in lines as WeasyPrint makes them."""
    pages = "".join(
        f"<section style='break-after:page'><h1>Letter</h1><p>Some words.</p>"
        f"<div style='width:{millimetres}mm'>{write_code(code, 'svg').decode()}</div></section>"
        for code in codes
    )
    pdf = weasyprint.HTML(string=f"<html lang=en><body>{pages}</body></html>").write_pdf()
    assert isinstance(pdf, bytes)
    return pdf


def found(pdf: bytes) -> list[str]:
    return [code["text"] for code in read_pdf_codes(pdf)]


def refusal(pdf: bytes) -> str | None:
    try:
        read_pdf_codes(pdf)
    except DocumentError as refused:
        return refused.rule
    return None


def empty_pages(number: int, points: float = 72) -> bytes:
    buffer = io.BytesIO()
    with pikepdf.new() as pdf:
        for _ in range(number):
            pdf.add_blank_page(page_size=(points, points))
        pdf.save(buffer)
    return buffer.getvalue()


def test_a_drawn_code_is_read() -> None:
    """As it stands on a letter, 45 mm wide."""
    assert found(letter(TEXT)) == [TEXT]


def test_the_codes_of_all_pages_come_in_their_order() -> None:
    """A letter may have a second page, a file more than one letter."""
    assert found(letter("IDV1:ONE", "IDV1:TWO", "IDV1:THREE"))[:3] == ["IDV1:ONE", "IDV1:TWO", "IDV1:THREE"]


def test_a_scan_inside_a_pdf_is_read() -> None:
    """Office scanners wrap a JPEG of the page in a PDF: 200 dpi, aslant by three degrees, quality 40."""
    page = Image.new("L", (1654, 2339), 255)
    code = Image.open(io.BytesIO(write_code(TEXT, "png", 8))).convert("L")
    page.paste(code.resize((354, 354), Image.Resampling.BOX), (1000, 1700))
    buffer = io.BytesIO()
    page.rotate(3, Image.Resampling.BICUBIC, fillcolor=255).save(buffer, "PDF", resolution=200, quality=40)

    assert found(buffer.getvalue()) == [TEXT]


def test_pictures_are_looked_at_in_every_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that may show one, also in an annotation; what is words and lines alone is never out of focus."""
    asked: list[object] = []

    def looked(_page: Image.Image, looks: object) -> list[Any]:
        asked.append(looks)
        return []

    monkeypatch.setattr(qr_pdf, "codes_on", looked)
    scan, noted = io.BytesIO(), io.BytesIO()
    Image.new("L", (100, 100), 255).save(scan, "PDF")
    with pikepdf.open(io.BytesIO(letter(TEXT))) as pdf:
        note = pikepdf.Dictionary(Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Text, Rect=[0, 0, 9, 9])
        pdf.pages[0].Annots = pdf.make_indirect(pikepdf.Array([note]))
        pdf.save(noted)
    for document in (scan.getvalue(), noted.getvalue(), letter(TEXT)):
        asked.append(None)
        read_pdf_codes(document)

    assert asked[:4] == [None, qr_image.LOOKS, None, qr_image.LOOKS]
    assert asked[-1] is qr_image.OF_DRAWN


def test_a_page_without_a_code_has_none() -> None:
    """Not an error: what to make of it is the caller's."""
    assert read_pdf_codes(empty_pages(1)) == []


def test_damaged_and_locked_documents_are_refused() -> None:
    """With one rule; what PDFium repairs is read."""
    locked = io.BytesIO()
    with pikepdf.open(io.BytesIO(letter(TEXT))) as pdf:
        pdf.save(locked, encryption=pikepdf.Encryption(owner="o", user="u"))

    assert refusal(b"") == "pdf"
    assert refusal(b"%PDF-1.7\n%%EOF\n") == "pdf"
    assert refusal(locked.getvalue()) == "pdf"
    assert refusal(bytes(MAX_PDF + 1)) == "size"


def test_a_letter_cut_off_anywhere_is_refused_or_read() -> None:
    """Never another error."""
    pdf = letter(TEXT)
    for end in range(0, len(pdf), len(pdf) // 40):
        assert refusal(pdf[:end]) in {None, "pdf", "pixels"}, end


def test_more_pages_and_larger_pages_than_letters_have_are_refused() -> None:
    """Before any is drawn."""
    assert refusal(empty_pages(MAX_PAGES + 1)) == "pages"
    assert refusal(empty_pages(1, points=14_400)) == "pixels"
    assert refusal(empty_pages(MAX_PAGES, points=1_000)) == "pixels"
