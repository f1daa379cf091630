"""QR codes on the pages of a PDF: each page is drawn as a screen would show it, and looked at as a picture.

What is drawn is what a person sees. Whether the document may be believed is not asked here.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Final

import pypdfium2  # type: ignore[import-untyped]
from PIL import Image

from idverify.errors import DocumentError
from idverify.formats.qr_image import LOOKS, MAX_CODES, MAX_PIXELS, OF_DRAWN, Looks, codes_on, write_code

MAX_PDF: Final = 10 * 1024 * 1024
"""Bytes."""

MAX_PAGES: Final = 8
_PIXELS_PER_POINT: Final = 3  # 216 dpi: a module of the densest code on paper has five


def warm() -> None:
    """Draw one page with one code, so that all is loaded that reading needs."""
    drawn = Image.open(io.BytesIO(write_code("IDV1:WARM", "png")))
    buffer = io.BytesIO()
    drawn.save(buffer, "PDF")
    read_pdf_codes(buffer.getvalue())


def read_pdf_codes(pdf: bytes) -> list[dict[str, Any]]:
    """Every QR code on the pages, in their order, as ``sandbox.answers.Code``.

    Raises ``DocumentError``: ``size``, ``pages``, ``pixels``, ``pdf``.
    """
    codes: list[dict[str, Any]] = []
    for page, looks in _pages(pdf):
        codes += codes_on(page, looks)
    return codes[:MAX_CODES]


def _pages(pdf: bytes) -> Iterator[tuple[Image.Image, Looks]]:
    if len(pdf) > MAX_PDF:
        raise DocumentError("size", f"A PDF may have {MAX_PDF} bytes; this one has {len(pdf)}.")
    try:
        document = pypdfium2.PdfDocument(pdf)
    except pypdfium2.PdfiumError as wrong:
        raise DocumentError("pdf", "The PDF cannot be opened: it is damaged, or needs a password.") from wrong
    with document:
        if len(document) > MAX_PAGES:
            raise DocumentError("pages", f"A PDF may have {MAX_PAGES} pages; this one has {len(document)}.")
        left = MAX_PIXELS
        for number in range(len(document)):
            try:
                page = document[number]
                width, height = page.get_size()
                left -= int(width * _PIXELS_PER_POINT) * int(height * _PIXELS_PER_POINT)
                if left < 0:
                    raise DocumentError("pixels", f"The pages may have {MAX_PIXELS} pixels at 216 dpi; they have more.")
                looks = LOOKS if _may_show_a_picture(page) else OF_DRAWN
                yield page.render(scale=_PIXELS_PER_POINT, grayscale=True).to_pil(), looks
            except pypdfium2.PdfiumError as wrong:
                raise DocumentError("pdf", f"Page {number + 1} of the PDF cannot be drawn.") from wrong


def _may_show_a_picture(page: Any) -> bool:
    """One of its own, or in an annotation, into which nobody looks: words and lines alone are never blurred."""
    pictures = page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE])
    return pypdfium2.raw.FPDFPage_GetAnnotCount(page) != 0 or next(pictures, None) is not None
