"""A portrait so small that it has room in a QR code: grey, WebP, from the JPEG that is on record.

Pure, and a job of workers: image decoders are written in C.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from idverify.errors import DocumentError

MAX_JPEG: Final = 256 * 1024
MAX_PIXELS: Final = 4_000_000
MAX_PORTRAIT: Final = 900
"""Bytes: a code with more in it needs more room than a letter has (docs/paper-code.md)."""

# Width and height in pixels, and the qualities that are tried: the first that fits is taken.
_TRIED: Final = tuple((size, quality) for size in ((64, 80), (56, 70), (48, 60)) for quality in (40, 25, 12, 5, 0))


def small_portrait(jpeg: bytes) -> bytes:
    """The portrait of at most ``MAX_PORTRAIT`` bytes. Raises ``DocumentError``: ``size``, ``pixels``, ``image``."""
    if len(jpeg) > MAX_JPEG:
        raise DocumentError("size", f"A portrait may have {MAX_JPEG} bytes; this one has {len(jpeg)}.")
    try:
        with _whole_alone(), Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise _too_many_pixels()
            grey = ImageOps.exif_transpose(opened).convert("L")
    except Image.DecompressionBombError:  # Pillow's own bound, far above ours
        raise _too_many_pixels() from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, ArithmeticError, LookupError, TypeError) as wrong:
        raise DocumentError("image", "The portrait on record cannot be decoded as JPEG.") from wrong
    for size, quality in _TRIED:
        small = _webp(ImageOps.fit(grey, size, Image.Resampling.LANCZOS), quality)
        if len(small) <= MAX_PORTRAIT:
            return small
    raise DocumentError("size", f"The portrait on record does not fit into {MAX_PORTRAIT} bytes.")


@contextmanager
def _whole_alone() -> Iterator[None]:
    """Half a picture is an error: WeasyPrint, which is loaded beside this, lets Pillow fill the rest with grey."""
    before, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def _too_many_pixels() -> DocumentError:
    return DocumentError("pixels", f"A portrait may have {MAX_PIXELS} pixels; this one has more.")


def _webp(picture: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=quality, method=6)
    return buffer.getvalue()
