"""Which language a page is in, and where its switch leads."""

from __future__ import annotations

import pytest

from idverify.web.pages.language import preferred
from idverify.web.pages.local_path import local_path
from idverify.web.pages.words import Language, date_in_words, moment_in_words
from tests.unit.web.pages.conftest import People


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("", Language.EN),
        ("cy", Language.CY),
        ("cy-GB,cy;q=0.9,en-GB;q=0.8,en;q=0.7", Language.CY),
        ("en-GB,en;q=0.9,cy;q=0.8", Language.EN),
        ("en;q=0.1, CY;q=0.2", Language.CY),
        ("fr,de", Language.EN),
        ("cy;q=0", Language.EN),
        ("cy;q=x", Language.EN),
        ("*", Language.EN),
        (",".join(["xx"] * 50) + ",cy", Language.EN),
    ],
)
def test_the_browser_says_what_its_owner_reads(accept: str, language: Language) -> None:
    """The language of ours with the highest quality; English where nothing is said."""
    assert preferred(accept) is language


@pytest.mark.parametrize(
    "given",
    [
        "//evil.example/",
        "/\\evil.example",
        "https://evil.example/",
        "evil.example",
        "/a\\..\\b",
        "/a\r\nSet-Cookie: x=y",
        "/a b",
        "/ŵ",
        "/" + "a" * 400,
        "",
        None,
    ],
)
def test_no_redirect_leaves_this_site(given: str | None) -> None:
    """What is not plainly a path of ours leads to where the page wants it to lead."""
    assert local_path(given, "/otherwise") == "/otherwise"


@pytest.mark.parametrize("given", ["/", "/officer/people/new", "/enrol?x=%2F%2Fy&z=1", "/a/b-c_d.e~f"])
def test_a_path_of_ours_is_followed(given: str) -> None:
    """Paths with a query are, too."""
    assert local_path(given, "/otherwise") == given


async def test_the_switch_is_remembered_and_leads_back(people: People) -> None:
    """A choice beats what the browser says, on every page from then on."""
    browser = people.browser("en")
    page = await browser.open("/enrol")
    switch = next(link for link in page.links if link.startswith("/language/"))
    welsh = await browser.open(switch)

    assert (page.headers["Content-Language"], page.heading) == ("en", "Use a code")
    assert (welsh.path, welsh.headers["Content-Language"]) == ("/enrol", "cy")
    assert welsh.heading == "Defnyddio cod"
    assert '<html lang="cy"' in welsh.html
    assert (await browser.open("/")).headers["Content-Language"] == "cy"


async def test_the_switch_leads_nowhere_else(people: People) -> None:
    """Another site in ``back`` is the start page."""
    page = await people.browser().open("/language/cy?back=//evil.example/")

    assert page.path == "/"


def test_dates_are_in_words() -> None:
    """Months are in the catalogue; the order of a date is the same in both languages."""
    assert date_in_words(Language.EN, "2026-05-03") == "3 May 2026"
    assert date_in_words(Language.CY, "2026-05-03") == "3 Mai 2026"
    assert moment_in_words(Language.EN, 1_777_817_100) == "3 May 2026 at 14:05 UTC"
    assert moment_in_words(Language.CY, 1_777_817_100) == "3 Mai 2026 am 14:05 UTC"
