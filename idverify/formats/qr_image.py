"""QR codes (ISO/IEC 18004) in images: read from PNG, JPEG, WebP and TIFF, written as SVG and PNG.

Pure, and yet nothing for the service's own process: image decoders are written in C and meet what strangers send.
``idverify.sandbox`` runs these functions.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

import zxingcpp
from PIL import Image, ImageFilter, UnidentifiedImageError

from idverify.errors import DocumentError
from idverify.formats.images import KINDS, MAX_IMAGE, kind_of

MAX_PIXELS: Final = 32_000_000
"""Over all pages that are read: a phone's photo has 12 or 24 million, an A4 page at 600 dpi 35, at 400 dpi 15."""

MAX_PAGES: Final = 8
MAX_CODES: Final = 16
MAX_TEXT: Final = 4296  # the most that a code can hold: alphanumeric, version 40-L (ISO/IEC 18004 table 7)

Looks = tuple[tuple[Callable[[Image.Image], Image.Image], int], ...]

_QR_CODES: Final = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])
_DARK: Final = re.compile(rb"\x00+")


def warm() -> None:
    """Make Pillow load its decoders and zxing-cpp its tables, with one small code per kind."""
    picture = Image.open(io.BytesIO(write_code("IDV1:WARM", "png", 2)))
    for kind in KINDS:
        buffer = io.BytesIO()
        picture.convert("RGB").save(buffer, kind)
        read_codes(buffer.getvalue())


def read_codes(image: bytes) -> list[dict[str, Any]]:
    """Every QR code in an image, in the order of its pages, as ``sandbox.answers.Code``.

    Raises ``DocumentError``: ``size``, ``pixels``, ``pages``, ``image``.
    """
    codes: list[dict[str, Any]] = []
    for page in _pages(image):
        codes += codes_on(page, LOOKS)
    return codes[:MAX_CODES]


def codes_on(page: Image.Image, looks: Looks) -> list[dict[str, Any]]:
    """Every QR code on one page, which is grey."""
    for look, most in looks:
        if page.width * page.height <= most and (found := _found(look(page))):
            return [_told(barcode) for barcode in found]
    return []


def write_code(
    text: str, form: Literal["svg", "png"], scale: int = 4, level: Literal["L", "M", "Q", "H"] = "M"
) -> bytes:
    """A QR code with its quiet zone of four modules: SVG with one module to the unit, or PNG with ``scale`` pixels.

    Raises ``DocumentError`` (``size``) for a text that no code holds.
    """
    try:
        barcode = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level=level)
    except ValueError:
        raise DocumentError("size", f"A text of {len(text)} characters fits into no QR code.") from None
    modules = _modules(barcode.to_image(scale=1, add_quiet_zones=True))
    return _svg(modules) if form == "svg" else _png(modules, scale)


# --- reading --------------------------------------------------------------------------------------------------------


def _pages(image: bytes) -> Iterator[Image.Image]:
    if len(image) > MAX_IMAGE:
        raise DocumentError("size", f"An image may have {MAX_IMAGE} bytes; this one has {len(image)}.")
    kind = kind_of(image)
    if kind is None:
        raise DocumentError("image", "An image must be PNG, JPEG, WebP or TIFF.")
    try:
        with Image.open(io.BytesIO(image), formats=[kind]) as opened:
            frames = getattr(opened, "n_frames", 1)
            if frames > MAX_PAGES:
                raise DocumentError("pages", f"An image may have {MAX_PAGES} pages; this one has {frames}.")
            left = MAX_PIXELS
            for frame in range(frames):
                opened.seek(frame)
                left -= opened.width * opened.height
                if left < 0:
                    raise _too_many_pixels()
                yield _grey(opened)
    except Image.DecompressionBombError:  # Pillow's own bound, far above ours
        raise _too_many_pixels() from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, ArithmeticError, LookupError, TypeError) as wrong:
        raise DocumentError("image", f"The image cannot be decoded as {kind}.") from wrong


def _too_many_pixels() -> DocumentError:
    return DocumentError("pixels", f"An image may have {MAX_PIXELS} pixels; this one has more.")


def _grey(image: Image.Image) -> Image.Image:
    """On white, where it is transparent: as it would be printed."""
    if image.format == "JPEG":
        image.draft("L", image.size)
    if "A" in image.getbands() or "transparency" in image.info:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    return image.convert("L")


def _found(page: Image.Image) -> list[zxingcpp.Barcode]:
    pixels = memoryview(page.tobytes()).cast("B", (page.height, page.width))  # an Image it would copy twice
    return zxingcpp.read_barcodes(pixels, formats=_QR_CODES, text_mode=zxingcpp.TextMode.Plain)


def _as_it_is(page: Image.Image) -> Image.Image:
    return page


def _sharper(page: Image.Image) -> Image.Image:
    return page.filter(ImageFilter.UnsharpMask(radius=3, percent=200, threshold=0))


def _softer(page: Image.Image) -> Image.Image:
    return page.filter(ImageFilter.GaussianBlur(1.2))


def _smaller(page: Image.Image) -> Image.Image:
    return page.reduce(2)


def _larger(page: Image.Image) -> Image.Image:
    return page.resize((page.width * 2, page.height * 2), Image.Resampling.BICUBIC)


# Each is tried where those before it found nothing, on pages of so many pixels: what helps one picture harms another.
# Out of focus, grainy as photos in the dark are, larger than their detail, taken aslant or from afar.
LOOKS: Final[Looks] = (
    (_as_it_is, MAX_PIXELS),
    (_sharper, 16_000_000),
    (_softer, 16_000_000),
    (_smaller, MAX_PIXELS),
    (_larger, 4_000_000),
)
# What was drawn and never photographed is neither out of focus nor grainy.
OF_DRAWN: Final[Looks] = tuple(look for look in LOOKS if look[0] not in (_sharper, _softer))


def _told(barcode: zxingcpp.Barcode) -> dict[str, Any]:
    return {"text": barcode.text[:MAX_TEXT], "content": bytes(barcode.bytes)}


# --- writing --------------------------------------------------------------------------------------------------------


def _modules(drawn: Any) -> Image.Image:
    """A pixel for each module. zxing-cpp's images are buffers, which its annotations do not say."""
    rows = memoryview(drawn)
    height, width = rows.shape or (0, 0)
    return Image.frombytes("L", (width, height), rows.tobytes())


def _svg(modules: Image.Image) -> bytes:
    """One path of all dark runs: a third of the bytes that a rectangle for each takes."""
    width, height = modules.size
    pixels = modules.tobytes()
    rows = (pixels[row * width : (row + 1) * width] for row in range(height))
    path = "".join(
        f"M{dark.start()} {y}h{dark.end() - dark.start()}v1H{dark.start()}z"
        for y, row in enumerate(rows)
        for dark in _DARK.finditer(row)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" shape-rendering="crispEdges">'
        f'<path fill="#fff" d="M0 0h{width}v{height}H0z"/><path d="{path}"/></svg>'
    ).encode()


def _png(modules: Image.Image, scale: int) -> bytes:
    buffer = io.BytesIO()
    width, height = modules.size
    larger = modules.resize((width * scale, height * scale), Image.Resampling.NEAREST)
    larger.convert("1").save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
