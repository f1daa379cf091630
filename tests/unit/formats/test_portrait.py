"""The small portrait for a code: of whatever JPEG is on record, and of nothing that only claims to be one."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageStat

from idverify.errors import DocumentError
from idverify.formats import portrait
from idverify.formats.portrait import MAX_JPEG, MAX_PORTRAIT, small_portrait
from idverify.sandbox.workers import open_workers
from tests.simulators.printed_letters import photo

ORIENTATION = 0x0112  # Exif tag
# How a viewer turns what is stored (Exif 2.32, tag 274), and what undoes it
TURNED: dict[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


def jpeg(picture: Image.Image, **how: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", **how)
    return buffer.getvalue()


def shown(small: bytes) -> Image.Image:
    """The WebP as it is decoded."""
    picture = Image.open(io.BytesIO(small))
    assert picture.format == "WEBP"
    return picture.convert("L")


def face() -> Image.Image:
    return Image.open(io.BytesIO(photo())).convert("RGB")


def noise(side: int) -> Image.Image:
    return Image.effect_noise((side, side), 120)


def sized(width: int, height: int) -> bytes:
    """A JPEG whose header says that it is this large (ITU-T T.81 B.2.2), and that has no more of it."""
    small = jpeg(Image.new("L", (8, 8)))
    frame = small.index(b"\xff\xc0")
    return small[: frame + 5] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + small[frame + 9 :]


@pytest.mark.parametrize(
    "picture",
    [
        jpeg(face()),
        jpeg(face(), progressive=True),
        jpeg(face().convert("L")),
        jpeg(face().convert("CMYK")),
        jpeg(face().resize((4000, 20))),
        jpeg(face().resize((20, 4000))),
        jpeg(Image.new("RGB", (1, 1), "red")),
        jpeg(Image.new("L", (2000, 2000), 128)),
        jpeg(noise(500), quality=80),
    ],
    ids=["colours", "progressive", "grey", "CMYK", "wide", "high", "one pixel", "four megapixels", "noise"],
)
def test_any_picture_becomes_a_small_one(picture: bytes) -> None:
    """Grey, of one of the three sizes, and never larger than a code has room for."""
    small = small_portrait(picture)

    assert len(small) <= MAX_PORTRAIT
    assert shown(small).size in {(64, 80), (56, 70), (48, 60)}


@pytest.mark.parametrize("orientation", TURNED)
def test_it_stands_upright(orientation: int) -> None:
    """A photo that is stored turned or mirrored shows as its camera meant it."""
    upright = Image.new("L", (240, 300), 255)
    ImageDraw.Draw(upright).polygon([(0, 0), (200, 0), (0, 120)], fill=0)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = jpeg(upright.transpose(TURNED[orientation]), exif=exif, quality=95)

    difference = ImageChops.difference(shown(small_portrait(stored)), shown(small_portrait(jpeg(upright, quality=95))))
    assert ImageStat.Stat(difference).mean[0] < 4


@pytest.mark.parametrize(
    ("picture", "rule"),
    [
        (b"", "image"),
        (b"\xff\xd8\xff", "image"),
        (photo()[: len(photo()) // 2], "image"),
        (photo()[:200], "image"),
        (b"GIF89a" + photo(), "image"),
        (bytes(MAX_JPEG + 1), "size"),
        (sized(10_000, 5_000), "pixels"),
        (sized(2001, 2000), "pixels"),
        (sized(15_000, 15_000), "pixels"),
        (sized(65_000, 65_000), "pixels"),
        (sized(0, 0), "image"),
    ],
    ids=[
        "nothing",
        "a beginning",
        "half",
        "a header",
        "another kind",
        "long",
        "50 megapixels",
        "just too many",
        "225 megapixels",
        "4 gigapixels",
        "no size",
    ],
)
def test_what_is_no_portrait_is_refused(picture: bytes, rule: str) -> None:
    """By name, before anything large is decoded."""
    with pytest.raises(DocumentError) as refused:
        small_portrait(picture)
    assert refused.value.rule == rule


def test_a_png_is_none() -> None:
    """One decoder sees the bytes, whatever they are."""
    buffer = io.BytesIO()
    face().save(buffer, "PNG")
    with pytest.raises(DocumentError, match="JPEG"):
        small_portrait(buffer.getvalue())


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow tells of what it cannot read
@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0II*\0" + b"\xff" * 60])
def test_broken_exif_is_no_reason(exif: bytes) -> None:
    """Where it cannot be read how the camera was held, the picture is taken as it is."""
    assert small_portrait(jpeg(face(), exif=exif)) == small_portrait(jpeg(face()))


def test_what_never_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no size and quality is small enough, none is made."""
    monkeypatch.setattr(portrait, "MAX_PORTRAIT", 20)
    with pytest.raises(DocumentError) as refused:
        small_portrait(photo())
    assert refused.value.rule == "size"


async def test_a_worker_makes_it_and_refuses_by_the_same_names() -> None:
    """As the job ``small-portrait``; it is not ended by what it refuses."""
    async with open_workers(1) as workers:
        assert await workers.do("small-portrait", {"jpeg": photo()}) == small_portrait(photo())
        (before,) = workers.pids
        for picture, rule in ((sized(65_000, 65_000), "pixels"), (photo()[: len(photo()) // 2], "image")):
            with pytest.raises(DocumentError) as refused:
                await workers.do("small-portrait", {"jpeg": picture})
            assert refused.value.rule == rule
        assert workers.pids == [before]
