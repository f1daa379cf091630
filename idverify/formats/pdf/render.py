"""Letters drawn by WeasyPrint: HTML in, tagged PDF/A-3a (ISO 19005-3) out. Pure, and a job of workers that make.

Nothing is fetched: the HTML names its pictures ``picture:NAME``, and they are handed over beside it. There is no
``warm``: Pango looks for fonts in threads, and a worker must have none when it is confined.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import weasyprint
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import FatalURLFetchingError, URLFetcherResponse

from idverify.errors import DocumentError
from idverify.formats.pdf import tags

VARIANT: Final = "pdf/a-3a"
SCHEME: Final = "picture:"
MAX_HTML: Final = 512 * 1024
MAX_PICTURE: Final = 256 * 1024
MOST_PAGES: Final = 7  # A4 pages that whoever reads a letter will draw (``qr_image.MAX_PIXELS`` at 216 dpi)


def render(html: str, pictures: Mapping[str, bytes], attachments: Mapping[str, bytes], at: int) -> bytes:
    """The letter: embedded fonts, tags, and the attachments by their names, each the data that it states.

    ``pictures`` are JPEG, PNG or SVG by their names in the HTML; ``at``, Unix seconds, is when it was made. Raises
    ``DocumentError``: ``size``, ``pages``, ``outside``; ``unprintable`` where no font here has a sign for
    some character.
    """
    if len(html) > MAX_HTML or any(len(picture) > MAX_PICTURE for picture in pictures.values()):
        raise DocumentError("size", f"A letter may have {MAX_HTML} characters, and pictures of {MAX_PICTURE} bytes.")
    made = dt.datetime.fromtimestamp(at, dt.UTC)
    try:
        return _drawn(html, pictures, attachments, made)
    except FatalURLFetchingError:  # which is no Exception
        raise DocumentError("outside", "A letter may show the pictures that came with it, and nothing else.") from None


def _drawn(html: str, pictures: Mapping[str, bytes], attachments: Mapping[str, bytes], made: dt.datetime) -> bytes:
    document = weasyprint.HTML(string=html, url_fetcher=_Handed(pictures)).render(
        font_config=_fonts(), pdf_variant=VARIANT, pdf_tags=True
    )
    if len(document.pages) > MOST_PAGES:
        raise DocumentError("pages", f"A letter may have {MOST_PAGES} pages; this one has {len(document.pages)}.")
    document.metadata.created = document.metadata.modified = f"{made:%Y-%m-%dT%H:%M:%SZ}"
    pdf: bytes = document.write_pdf(
        finisher=_finished,
        pdf_variant=VARIANT,
        pdf_tags=True,
        attachments=[_attachment(name, content, made) for name, content in attachments.items()],
    )
    return pdf


class _Handed:
    """All that a letter may load: the pictures that came with it. There is nothing in here that could fetch."""

    _fail_on_errors = True  # WeasyPrint's, whose fetchers may leave a place empty: a letter without its photo is none

    def __init__(self, pictures: Mapping[str, bytes]) -> None:
        self._pictures = pictures

    def __call__(self, url: str) -> URLFetcherResponse:
        """The picture of this name. Raises ``LookupError``, which ends the rendering, for any other address."""
        if not url.startswith(SCHEME):
            raise LookupError(url)
        return URLFetcherResponse(url, self._pictures[url.removeprefix(SCHEME)])


@cache
def _fonts() -> FontConfiguration:
    """Those of the machine; reading them anew for each letter would take half of its time."""
    return FontConfiguration()


def _attachment(name: str, content: bytes, made: dt.datetime) -> weasyprint.Attachment:
    return weasyprint.Attachment(string=content, name=name, created=made, modified=made, relationship="Data")


def _finished(document: Any, pdf: Any) -> None:
    """ISO 19005-3 section 6.2.11.8: no letter shows a box in place of a sign."""
    missing = sorted({chr(code) for font in document.fonts.values() for code in font.missing})
    if missing:
        shown = " ".join(f"{sign} (U+{ord(sign):04X})" for sign in missing[:10])
        raise DocumentError("unprintable", f"No font here has signs for {shown}; install one that has them.")
    tags.complete(pdf, document.pages)
