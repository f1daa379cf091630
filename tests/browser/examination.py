"""Examining a page: its language, what axe-core finds, and whether it fits a narrow screen."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.async_api import Page, ViewportSize

from idverify.web.assets import NODE_MODULES
from idverify.web.pages.words import Language, translate

AXE: Final = NODE_MODULES / "axe-core" / "axe.min.js"
RULES: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
NARROW: Final[ViewportSize] = {"width": 320, "height": 640}  # WCAG 2.2, 1.4.10

_RUN_AXE: Final = """tags => axe.run(document, {runOnly: {type: "tag", values: tags}, resultTypes: ["violations"]})"""
_OVERHANG: Final = """() => {
  const { scrollWidth, clientWidth } = document.documentElement;
  const out = [...document.body.querySelectorAll("*")].filter(one => one.getBoundingClientRect().right > clientWidth);
  return scrollWidth > clientWidth ? out.map(one => one.cloneNode().outerHTML) : [];
}"""


class Examiner:
    """Examines each page as often as it is shown; with axe-core, which takes its time, once per language.

    Pages are told apart by their route and title; what went wrong reads the same wherever it did, so by title alone.
    """

    def __init__(self, routes: tuple[str, ...]) -> None:
        self.examined: set[tuple[str, str, Language]] = set()
        self._routes = [(re.compile(_pattern(route)), route) for route in routes]

    async def examine(self, page: Page, language: Language) -> list[str]:
        """Every fault of the page that is shown."""
        path = urlsplit(page.url).path
        route = next((route for pattern, route in self._routes if pattern.fullmatch(path)), path)
        title = await page.title()
        seen = ("" if title.startswith(translate(language, "Error:")) else route, title, language)
        faults = [*await _language(page, language), *await _overhang(page)]
        if seen not in self.examined:
            self.examined.add(seen)
            faults += await _violations(page)
        return [f"{route} in {language}: {fault}" for fault in faults]


def _pattern(route: str) -> str:
    """A route's pattern (aiohttp's ``{name:expression}``) as a regular expression."""
    return re.sub(r"\{\w+(?::((?:[^{}]|\{[^{}]*\})*))?\}", lambda found: f"(?:{found[1] or '[^/]+'})", route)


async def _language(page: Page, language: Language) -> list[str]:
    said = await page.locator("html").get_attribute("lang")
    return [] if said == language else [f"says that its language is {said}"]


async def _violations(page: Page) -> list[str]:
    await page.evaluate(_axe())  # by the debugger's own way in, which the page's policy does not govern
    report: dict[str, Any] = await page.evaluate(_RUN_AXE, RULES)
    return [
        f"{violation['id']}: {node['failureSummary']} {node['html']}"
        for violation in report["violations"]
        for node in violation["nodes"]
    ]


async def _overhang(page: Page) -> list[str]:
    before = page.viewport_size
    assert before is not None
    await page.set_viewport_size(NARROW)
    overhanging: list[str] = await page.evaluate(_OVERHANG)
    await page.set_viewport_size(before)
    return [f"does not fit a screen of {NARROW['width']} pixels: {element}" for element in overhanging]


@cache
def _axe() -> str:
    return AXE.read_text()
