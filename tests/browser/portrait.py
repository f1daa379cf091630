"""Photos of invented people: drawings, made into JPEGs by the browser. Nobody's face, and no camera's metadata.

``.ci/portraits`` draws them anew: those of the demo's people (``idverify/app/portraits``), in the sizes that a record
keeps, and that whoever checks a share is shown.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.async_api import Browser

from tests.browser.chromium import chromium


@dataclass(frozen=True)
class Size:
    """Width and height in pixels, and the most bytes that a file of this size may have."""

    width: int
    height: int
    most: int


# By what is put behind the name: for a record, a phone or a letter; and for a view of a share
SIZES: Final[Mapping[str, Size]] = {"": Size(413, 531, 20_000), "-small": Size(240, 308, 8_000)}
QUALITIES: Final = (90, 80, 70, 60, 50)


@dataclass(frozen=True)
class Look:
    """Colours of a drawing, and how long the hair is."""

    skin: str
    hair: str
    clothes: str
    length: int


LOOKS: Final[Mapping[str, Look]] = {
    "anna": Look("#dba67e", "#4a3428", "#3f5873", 70),
    "erik": Look("#e8c09a", "#b98d4f", "#4d6b4a", 8),
    "nia": Look("#8a5a3b", "#3a3a3f", "#7a3f5c", 40),
}
_DRAWING: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 308" preserveAspectRatio="xMidYMid slice"
     width="{width}" height="{height}">
  <rect width="240" height="308" fill="#d8dfe6"/>
  <path d="M20 308c0-70 45-88 100-88s100 18 100 88z" fill="{clothes}"/>
  <path d="M62 125C50 38 190 38 178 125l-4 {length}H66z" fill="{hair}"/>
  <path d="M100 182h40v45q-20 15-40 0z" fill="{skin}"/>
  <ellipse cx="120" cy="135" rx="48" ry="62" fill="{skin}"/>
  <path d="M72 125c0-58 96-58 96 0-30-6-40-20-52-34-8 16-24 30-44 34z" fill="{hair}"/>
  <circle cx="102" cy="137" r="5"/><circle cx="138" cy="137" r="5"/>
  <path d="M104 167q16 12 32 0" fill="none" stroke="#7a3f33" stroke-width="4" stroke-linecap="round"/>
</svg>
"""


async def portrait(browser: Browser, look: Look = LOOKS["anna"], size: Size = SIZES["-small"]) -> bytes:
    """A JPEG, in the best of ``QUALITIES`` that fits its size."""
    page = await browser.new_page(viewport={"width": size.width, "height": size.height})
    drawing = _DRAWING.format(width=size.width, height=size.height, **vars(look))
    try:
        await page.set_content(f"<style>body {{ margin: 0 }}</style>{drawing}")
        for quality in QUALITIES:
            image = await page.screenshot(type="jpeg", quality=quality)
            if len(image) <= size.most:
                return image
        raise ValueError(f"expected at most {size.most} bytes, got {len(image)} at quality {quality}")
    finally:
        await page.close()


async def draw(folder: Path) -> None:
    """Every look in every size."""
    async with chromium() as browser:
        for name, look in LOOKS.items():
            for ending, size in SIZES.items():
                (folder / f"{name}{ending}.jpg").write_bytes(await portrait(browser, look, size))


if __name__ == "__main__":
    asyncio.run(draw(Path(sys.argv[1])))
