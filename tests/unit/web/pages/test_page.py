"""The way of every visit: who may come in, where a form may come from, and how it ends when it goes wrong."""

from __future__ import annotations

import json
import re
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idverify.core.policy import Role
from idverify.services import sessions
from idverify.web.pages.page import Page
from idverify.web.pages.routes import PAGES
from idverify.web.session_cookie import NAME
from tests.unit.web.pages.conftest import People

KEYS = "/account/keys"
SAMPLES = ("0" * 32, "a" * 16, "0000-0000-0000-0000-0000", "revoke", "grant", "pid", "cy")


def path_of(page: Page) -> str:
    """A path that the page's pattern takes, with handles that nobody has."""

    def sample(variable: re.Match[str]) -> str:
        return next(text for text in SAMPLES if re.fullmatch(variable[1] or "[^/]+", text))

    return re.sub(r"\{[a-z_]+(?::((?:[^{}]|\{[0-9,]+\})+))?\}", sample, page.path)


async def test_who_is_not_signed_in_is_asked_to_and_comes_back(people: People) -> None:
    """The address that was asked for survives the ceremony."""
    browser = await people.staff("officer")
    browser.cookies.clear()
    asked = await browser.open(KEYS)
    done = await browser.confirm(asked)

    assert (asked.path, asked.heading) == ("/sign-in?next=%2Faccount%2Fkeys", "Sign in with your security key")
    assert (done.path, done.status) == (KEYS, 200)
    assert "You were signed out" not in asked.text


async def test_a_program_at_a_page_is_told_so(people: People) -> None:
    """It gets no redirect to a page that it cannot use."""
    browser = people.browser()
    browser.headers["Accept"] = "application/json"

    assert (await browser.open(KEYS)).status == 401


async def test_no_session_that_is_over_opens_anything(people: People) -> None:
    """An invented token, one of another shape, and one that has ended lead to signing in."""
    browser = await people.staff("officer")
    page = await browser.open(KEYS)
    ended = dict(browser.cookies)
    await browser.fill(page, "/sign-out")

    assert NAME not in browser.cookies
    for token in (ended[NAME], "A" * 43, "short", "ŵ", "x" * 5000):
        browser.cookies = {NAME: token}
        asked = await browser.open(KEYS)
        assert asked.path.startswith("/sign-in")
        assert ("You were signed out: your session was over" in asked.text) == (len(token) == 43)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "", "Sec_Fetch_Site": "same-origin"},
        {"Origin": "http://localhost:1", "Sec_Fetch_Site": "same-origin"},
    ],
)
async def test_another_sites_form_does_nothing(people: People, headers: dict[str, str]) -> None:
    """Even with the right token in it, and on pages that need no session."""
    browser = await people.staff("officer")
    fields = (await browser.open(KEYS)).form("/account/sign-out-everywhere").fields
    refused = await browser.send("/account/sign-out-everywhere", fields, **headers)
    at_the_door = await browser.send("/enrol", {"code": "0"}, **headers)

    assert (refused.status, refused.heading) == (403, "Nothing was done, to keep you safe")
    assert at_the_door.status == 403
    assert (await browser.open(KEYS)).status == 200


async def test_a_form_with_neither_origin_nor_fetch_metadata_does_nothing(people: People) -> None:
    """Nothing shows where it came from. ``Sec-Fetch-Site`` alone is enough."""
    browser = await people.staff("officer")
    url, headers = browser.origin + "/enrol", {"Content-Type": "application/x-www-form-urlencoded"}
    async with browser._session.post(url, data=b"code=0", headers=headers) as bare:
        assert bare.status == 403
    async with browser._session.post(url, data=b"code=0", headers={**headers, "Sec-Fetch-Site": "same-origin"}) as ours:
        assert ours.status == 400
    async with browser._session.post(url, data=b"code=0", headers={**headers, "Sec-Fetch-Site": "same-site"}) as near:
        assert near.status == 403


@pytest.mark.parametrize("csrf", ["", "A" * 43, "ŵ"])
async def test_a_form_without_the_sessions_token_does_nothing(people: People, csrf: str) -> None:
    """The right origin is not enough."""
    browser = await people.staff("officer")

    assert (await browser.send("/account/sign-out-everywhere", {"csrf": csrf})).status == 403
    assert (await browser.open(KEYS)).status == 200


async def test_nobody_elses_token_is_taken(people: People) -> None:
    """A form of one session cannot be sent in another."""
    one, other = await people.staff("officer"), await people.staff("second")
    fields = (await other.open(KEYS)).form("/account/sign-out-everywhere").fields

    assert (await one.send("/account/sign-out-everywhere", fields)).status == 403


async def test_each_role_sees_its_own_pages_alone(people: People) -> None:
    """Every page against every role: 403 for those whose page it is not, and a fault for nobody."""
    browsers = {
        Role.OFFICER: await people.staff("second"),
        Role.ADMIN: await people.staff("admin"),
        Role.RELYING_PARTY: await people.staff("partner"),
        Role.CITIZEN: await people.citizen(await people.person()),
    }
    for role, browser in browsers.items():
        csrf = (await browser.open(KEYS)).form("/account/sign-out-everywhere").fields["csrf"]
        for page in PAGES:
            if page.who is None or "sign-out" in page.path:
                continue
            path = path_of(page)
            shown = await (browser.open(path) if page.method == "GET" else browser.send(path, {"csrf": csrf}))

            assert shown.status < 500, f"{page.method} {path} as {role}: {shown.text}"
            assert (shown.status == 403) == (role not in page.who), f"{page.method} {path} as {role}: {shown.status}"


async def test_a_stranger_sees_no_page_of_anybody(people: People) -> None:
    """Every page that is for somebody sends a stranger to sign in."""
    browser = people.browser()
    for page in PAGES:
        if page.who is not None:
            path = path_of(page)
            shown = await (browser.open(path) if page.method == "GET" else browser.send(path, {}))

            assert shown.path.startswith("/sign-in?next="), path


async def test_a_fault_of_ours_says_so_and_no_more(people: People) -> None:
    """No trace, no message of the exception; a sentence and what to do."""
    browser = await people.staff("officer", "cy")
    with patch.object(sessions, "recognise", side_effect=RuntimeError("secret detail")):
        shown = await browser.open(KEYS)

    assert (shown.status, shown.heading) == (500, "Aeth rhywbeth o'i le ar ein hochr ni")
    assert "secret" not in shown.html
    assert "RuntimeError" not in shown.html


async def test_an_address_that_leads_nowhere_is_a_page_for_people(people: People) -> None:
    """Programs get a problem."""
    browser = people.browser("cy")
    shown = await browser.open("/no/such/page")
    browser.headers["Accept"] = "*/*"
    told = await browser.open("/no/such/page")

    assert (shown.status, shown.heading) == (404, "Nid oes tudalen o'r fath")
    assert told.headers["Content-Type"] == "application/problem+json"


async def test_an_upload_that_is_too_large_is_refused_in_words(people: People) -> None:
    """One megabyte is read, and no more."""
    browser = people.browser()
    shown = await browser.send("/enrol", {"code": b"x" * (1024 * 1024 + 1)})

    assert (shown.status, shown.heading) == (413, "This is too large")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(max_size=40),
    response=st.one_of(
        st.text(max_size=60),
        st.recursive(
            st.none() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner) | st.dictionaries(st.sampled_from(["id", "rawId", "type", "response"]), inner)
            ),
            max_leaves=8,
        ).map(json.dumps),
    ),
)
async def test_no_bytes_of_a_client_are_a_fault_of_ours(people: People, text: str, response: str) -> None:
    """Whatever comes back in a ceremony's form, in whatever cookie, query or language."""
    browser = people.browser()
    page = await browser.open("/sign-in")
    fields = {**page.forms[0].fields, "response": response, "browser_error": "", "next": text}
    shown = await browser.send("/sign-in", fields)

    assert shown.status in {200, 400, 401}
    assert shown.status == 400 or shown.ceremony is not None
