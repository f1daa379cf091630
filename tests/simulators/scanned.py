"""What becomes of a letter on paper: somebody lays it into a scanner, a little aslant, and saves it small."""

from __future__ import annotations

import io
from typing import Final

import pypdfium2  # type: ignore[import-untyped]
from PIL import Image

DPI: Final = 200
DEGREES: Final = 3
QUALITY: Final = 40


def pages(pdf: bytes) -> list[Image.Image]:
    """Each page as the scanner sees it: grey, at 200 dpi, turned by three degrees on its white lid."""
    with pypdfium2.PdfDocument(pdf) as document:
        drawn = [page.render(scale=DPI / 72, grayscale=True).to_pil() for page in document]
    return [page.rotate(DEGREES, Image.Resampling.BICUBIC, expand=True, fillcolor=255) for page in drawn]


def as_jpeg(page: Image.Image) -> bytes:
    """A page as JPEG of quality 40."""
    buffer = io.BytesIO()
    page.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def as_pdf(scanned: list[Image.Image]) -> bytes:
    """All pages in one file, each a JPEG of quality 40, as scanners that send e-mail make them; nobody signed it."""
    buffer = io.BytesIO()
    again = [Image.open(io.BytesIO(as_jpeg(page))) for page in scanned]
    again[0].save(buffer, "PDF", save_all=True, append_images=again[1:], resolution=DPI, quality=QUALITY)
    return buffer.getvalue()
