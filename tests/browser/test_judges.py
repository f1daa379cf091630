"""The tests' own judges: what a page must not do is seen if it does it."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from idverify.web.pages.words import Language
from tests.browser.examination import Examiner
from tests.browser.stranger import stranger
from tests.browser.visitor import Town, visit

PAGE = '<!DOCTYPE html><html lang="en"><head><title>A page</title>{head}</head><body><main>{body}</main></body></html>'
SOUND = "<h1>A page</h1>"


async def _faults(browser: Browser, head: str = "", body: str = SOUND, language: Language = Language.EN) -> list[str]:
    """What is found on one page."""
    async with (
        stranger(PAGE.format(head=head, body=body)) as origin,
        visit(Town(browser, origin, Examiner(())), language) as visitor,
    ):
        await visitor.go("/page")
        found, visitor.faults = visitor.faults, []
        return found


async def test_a_sound_page_has_no_faults(browser: Browser) -> None:
    """A page without faults is not accused."""
    assert await _faults(browser) == []


@pytest.mark.parametrize(
    ("head", "body", "fault"),
    [
        ("", f'{SOUND}<img alt="" src="https://images.example/one.png">', "asked for https://images.example"),
        (
            '<meta http-equiv="Content-Security-Policy" content="style-src \'none\'">',
            f"{SOUND}<style></style>",
            "console",
        ),
        ("", f"{SOUND}<script>console.error('no')</script>", "console"),
        ("", f"{SOUND}<script>missing()</script>", "exception"),
        ("", f"{SOUND}<img src='data:,'>", "image-alt"),
        ("", f"{SOUND}<p style='width: 600px'>wide</p>", "does not fit a screen of 320 pixels: <p"),
        (
            "<style>div { overflow-x: auto } p { padding-left: 600px } b { position: absolute }</style>",
            f"{SOUND}<div tabindex=0><p><b>beside</b></p></div>",
            "does not fit a screen of 320 pixels: <b",
        ),
    ],
    ids=["outside request", "policy", "console", "exception", "axe", "narrow screen", "out of what scrolls"],
)
async def test_a_fault_is_seen(browser: Browser, head: str, body: str, fault: str) -> None:
    """Each kind of fault is reported."""
    found = await _faults(browser, f'<meta name="viewport" content="width=device-width">{head}', body)
    assert any(fault in one for one in found), found


async def test_the_wrong_language_is_seen(browser: Browser) -> None:
    """A page that is not in its reader's language is reported."""
    assert await _faults(browser, language=Language.CY) == ["/page in cy: says that its language is en"]
