"""QR codes in pictures: scans, photos, pages, and pictures that are none."""

from __future__ import annotations

import io
import random
import zlib
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from idverify.errors import DocumentError
from idverify.formats.qr_image import MAX_CODES, MAX_IMAGE, MAX_PAGES, MAX_PIXELS, read_codes, write_code

ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
DPI = 200
MILLIMETRE = DPI / 25.4  # pixels


def code_text(length: int) -> str:
    """As long as a code on paper is: base45 of so many bytes, one and a half times."""
    chance = random.Random(length)  # noqa: S311  any text does
    return "IDV1:" + "".join(chance.choice(ALPHANUMERIC) for _ in range(length * 3 // 2))


def drawn(text: str, pixels: int) -> Image.Image:
    png = Image.open(io.BytesIO(write_code(text, "png", 8)))
    return png.convert("L").resize((pixels, pixels), Image.Resampling.NEAREST)


def encoded(picture: Image.Image, kind: str, **how: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **how)
    return buffer.getvalue()


def letter(text: str, millimetres: float, degrees: float) -> Image.Image:
    """A page of A4 at 200 dpi with the code and lines of text, laid on the scanner aslant."""
    fine = 3  # drawn larger, so that the scanner's grid falls anywhere between the modules
    page = Image.new("L", (round(210 * MILLIMETRE) * fine, round(297 * MILLIMETRE) * fine), 255)
    pen = ImageDraw.Draw(page)
    for line in range(30):
        pen.rectangle((150 * fine, (200 + 40 * line) * fine, (1100 - 13 * line) * fine, (214 + 40 * line) * fine), 60)
    page.paste(drawn(text, round(millimetres * MILLIMETRE * fine)), (300 * fine, 1500 * fine))
    turned = page.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=255)
    return turned.resize((page.width // fine, page.height // fine), Image.Resampling.BOX)


def found(image: bytes) -> list[str]:
    return [code["text"] for code in read_codes(image)]


@pytest.mark.parametrize("length", [400, 500, 600, 700])
@pytest.mark.parametrize("degrees", [3, -3, 90 + 3, 180])
def test_a_scan_of_a_letter_is_read(length: int, degrees: float) -> None:
    """200 dpi, aslant by three degrees, JPEG at quality 40, the code 45 mm wide: what an office's scanner makes."""
    text = code_text(length)

    assert found(encoded(letter(text, 45, degrees), "JPEG", quality=40)) == [text]


def test_a_code_with_a_portrait_is_read_from_a_scan() -> None:
    """The densest code that letters carry is 70 mm wide."""
    text = code_text(1600)

    assert found(encoded(letter(text, 70, 3), "JPEG", quality=40)) == [text]


def shaded(picture: Image.Image) -> Image.Image:
    """Lit from one side, and grey where paper is white."""
    light = Image.linear_gradient("L").resize(picture.size).point(lambda value: 60 + value * 0.6)
    return ImageChops.multiply(picture, light)


def aslant(picture: Image.Image) -> Image.Image:
    """Seen from the side: the far edge a quarter shorter."""
    width, height = picture.size
    return picture.transform(
        (width, height),
        Image.Transform.PERSPECTIVE,
        (1.25, 0.18, -0.125 * width, 0.02, 1.3, -0.1 * height, 0, 0.35 / height),
        Image.Resampling.BICUBIC,
        fillcolor=255,
    )


def grainy(picture: Image.Image) -> Image.Image:
    return ImageChops.add(picture, Image.effect_noise(picture.size, 25), 1, -128)


PHOTOS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "in good light": lambda picture: picture,
    "lit from one side": shaded,
    "from the side": aslant,
    "out of focus": lambda picture: picture.filter(ImageFilter.GaussianBlur(1.6)),
    "grainy": lambda picture: grainy(picture.filter(ImageFilter.GaussianBlur(0.8))),
    "all of it, a little": lambda picture: grainy(shaded(aslant(picture)).filter(ImageFilter.GaussianBlur(1.0))),
    "white on black": ImageChops.invert,
}


@pytest.mark.parametrize("how", PHOTOS)
def test_a_photo_of_a_letter_is_read(how: str) -> None:
    """As a phone takes it: a code of 600 bytes, five hundred pixels wide, in a picture that is none too good."""
    text = code_text(600)
    table = Image.new("L", (1600, 1200), 235)
    table.paste(drawn(text, 560), (520, 320))
    picture = PHOTOS[how](table.rotate(11, Image.Resampling.BICUBIC, fillcolor=235))

    assert found(encoded(picture, "JPEG", quality=70)) == [text]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "RGBA", "P", "1"])
def test_every_kind_of_picture_is_read(kind: str, mode: str) -> None:
    """Grey, in colour, for print, transparent, with a palette, black and white: as far as the kind has it."""
    picture = drawn("IDV1:KIND", 200).convert(mode)
    try:
        image = encoded(picture, kind)
    except OSError:
        pytest.skip(f"{kind} has no {mode}")

    assert found(image) == ["IDV1:KIND"]


def test_what_is_transparent_is_white() -> None:
    """A code drawn in black on nothing, as graphics programs save it."""
    code = drawn("IDV1:CLEAR", 200)
    picture = Image.merge("LA", (Image.new("L", code.size, 0), ImageChops.invert(code)))

    assert found(encoded(picture, "PNG")) == ["IDV1:CLEAR"]


def test_the_pages_of_a_scan_are_all_read() -> None:
    """A TIFF has pages; their codes come in their order."""
    pages = [drawn(f"IDV1:PAGE{number}", 200) for number in range(3)]
    buffer = io.BytesIO()
    pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:])

    assert found(buffer.getvalue()) == ["IDV1:PAGE0", "IDV1:PAGE1", "IDV1:PAGE2"]


def test_several_codes_on_a_page_are_all_read() -> None:
    """The letter's own and another beside it; never more than anybody has use for."""
    page = Image.new("L", (1400, 1400), 255)
    for place in range(25):
        page.paste(drawn(f"IDV1:{place}", 200), (place % 5 * 280, place // 5 * 280))

    assert len(set(found(encoded(page, "PNG")))) == MAX_CODES


def test_bytes_come_as_they_are() -> None:
    """Text that is no ASCII too."""
    [code] = read_codes(write_code("Lýsing ŵ €", "png"))

    assert code == {"text": "Lýsing ŵ €", "content": "Lýsing ŵ €".encode()}


def test_a_picture_without_a_code_has_none() -> None:
    """Not an error: what to make of it is the caller's."""
    assert read_codes(encoded(Image.effect_noise((900, 900), 80), "PNG")) == []


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_fifty_megapixels_are_refused_before_they_are_decoded(kind: str) -> None:
    """Whatever few bytes they come in."""
    how = {"compression": "group4"} if kind == "TIFF" else {}
    picture = Image.new("1" if kind == "TIFF" else "L", (10_000, 5_000), 1)

    with pytest.raises(DocumentError) as refused:
        read_codes(encoded(picture, kind, **how))
    assert refused.value.rule == "pixels"


def test_a_size_that_only_the_head_claims_is_refused() -> None:
    """A PNG of a hundred bytes that says it is 65535 pixels wide and high."""
    head = (65535).to_bytes(4) * 2 + b"\x08\0\0\0\0"
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(9))), (b"IEND", b"")]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        len(body).to_bytes(4) + name + body + zlib.crc32(name + body).to_bytes(4) for name, body in parts
    )

    with pytest.raises(DocumentError) as refused:
        read_codes(png)
    assert refused.value.rule == "pixels"


@pytest.mark.parametrize(
    ("image", "rule"),
    [
        (b"", "image"),
        (b"GIF89a" + bytes(100), "image"),
        (b"BM" + bytes(100), "image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "image"),
        (b"\x89PNG\r\n\x1a\n", "image"),
        (b"\xff\xd8\xff", "image"),
        (b"RIFF\0\0\0\0WEBP", "image"),
        (b"II*\0\xff\xff\xff\xff", "image"),
        (b"MM\0*" + bytes(4), "image"),
        (bytes(MAX_IMAGE + 1), "size"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*EXIF.*:UserWarning")  # a worker has nobody to warn
def test_what_is_no_picture_is_refused(image: bytes, rule: str) -> None:
    """And nothing but the four decoders sees a byte of it."""
    with pytest.raises(DocumentError) as refused:
        read_codes(image)
    assert refused.value.rule == rule


def test_more_pages_than_a_letter_has_are_refused() -> None:
    """Or pages that together have too many pixels."""
    buffer = io.BytesIO()
    page = Image.new("1", (50, 50), 1)
    page.save(buffer, "TIFF", save_all=True, append_images=[page] * MAX_PAGES)
    with pytest.raises(DocumentError, match="pages"):
        read_codes(buffer.getvalue())

    large, buffer = Image.new("1", (5_000, 4_000), 1), io.BytesIO()
    assert large.width * large.height < MAX_PIXELS
    large.save(buffer, "TIFF", compression="group4", save_all=True, append_images=[large])
    with pytest.raises(DocumentError, match="pixels"):
        read_codes(buffer.getvalue())


def refusal(image: bytes) -> str | None:
    try:
        read_codes(image)
    except DocumentError as refused:
        return refused.rule
    return None


def test_a_picture_cut_off_anywhere_is_refused_or_read() -> None:
    """Never another error: what decoders raise is known."""
    for kind in ("PNG", "JPEG", "WEBP", "TIFF"):
        image = encoded(drawn("IDV1:CUT", 200).convert("RGB"), kind)
        for end in range(3, len(image), max(1, len(image) // 60)):
            assert refusal(image[:end]) in {None, "image", "pixels"}, (kind, end)


def test_a_drawing_is_the_same_code() -> None:
    """The SVG's path covers the dark modules and no others, within a quiet zone of four."""
    text = code_text(600)
    svg = ET.fromstring(write_code(text, "svg"))  # noqa: S314  our own
    width, height = map(int, svg.attrib["viewBox"].split()[2:])
    picture = Image.new("L", (width * 4, height * 4), 255)
    pen = ImageDraw.Draw(picture)
    for run in svg[1].attrib["d"].split("M")[1:]:
        place, _, rest = run.partition("h")
        x, y = map(int, place.split())
        pen.rectangle((x * 4, y * 4, (x + int(rest.partition("v")[0])) * 4 - 1, y * 4 + 3), 0)
        assert 4 <= x < width - 4
        assert 4 <= y < height - 4

    assert found(encoded(picture, "PNG")) == [text]


def test_a_text_too_long_for_a_code_is_refused() -> None:
    """With a sentence, not with the library's exception."""
    with pytest.raises(DocumentError, match="fits into no QR code"):
        write_code("A" * 5000, "png")
