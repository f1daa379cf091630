"""The photo of an invented person: a drawing, made into a JPEG by the browser."""

from __future__ import annotations

from typing import Final

from playwright.async_api import Browser

_SIZE: Final = {"width": 240, "height": 320}
_DRAWING: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 320" width="240" height="320">
  <rect width="240" height="320" fill="#d8dfe6"/>
  <path d="M20 320c0-75 45-95 100-95s100 20 100 95z" fill="#3f5873"/>
  <path d="M100 190h40v45q-20 15-40 0z" fill="#c8936c"/>
  <path d="M62 130C50 40 190 40 178 130l-4 70H66z" fill="#4a3428"/>
  <ellipse cx="120" cy="140" rx="48" ry="62" fill="#dba67e"/>
  <path d="M72 130c0-60 96-60 96 0-30-6-40-20-52-34-8 16-24 30-44 34z" fill="#4a3428"/>
  <circle cx="102" cy="142" r="5"/><circle cx="138" cy="142" r="5"/>
  <path d="M104 172q16 12 32 0" fill="none" stroke="#7a3f33" stroke-width="4" stroke-linecap="round"/>
</svg>
"""


async def portrait(browser: Browser) -> bytes:
    """A JPEG of 240 by 320 pixels, well under the 22 kB that a record takes."""
    page = await browser.new_page(viewport={"width": _SIZE["width"], "height": _SIZE["height"]})
    try:
        await page.set_content(f"<style>body {{ margin: 0 }}</style>{_DRAWING}")
        return await page.screenshot(type="jpeg", quality=95)
    finally:
        await page.close()
