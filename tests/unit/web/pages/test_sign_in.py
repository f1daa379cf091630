"""Signing in with a key, what is said when it does not work, and signing out."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from idverify.auth.software_key import SoftwareKey
from idverify.web.metrics import Metrics
from idverify.web.pages.explanation import OTHER, REASONS, of_browser, reason_of
from idverify.web.pages.words import Language, translate
from idverify.web.session_cookie import NAME
from tests.simulators.plain_browser import PlainBrowser, Shown
from tests.simulators.signed_in import STAFF
from tests.unit.web.pages.conftest import People

REFUSED = "The security key could not be verified"
BROWSER_ERRORS = (*REASONS, "SomethingThatNoBrowserSays")


async def test_the_key_alone_opens_the_desk(people: People) -> None:
    """No name, no password; the cookie is for this host alone and out of the reach of scripts."""
    browser = await people.staff("officer")
    await browser.fill(await browser.open("/officer"), "/sign-out")
    page = await browser.open("/sign-in")
    async with browser._session.post(
        f"{browser.origin}/sign-in",
        data={**page.forms[0].fields, **browser.answered(page)},
        headers={"Origin": browser.origin},
        allow_redirects=False,
    ) as opened:
        cookie = opened.headers["Set-Cookie"]

        assert (opened.status, opened.headers["Location"]) == (303, "/officer")
        assert cookie.startswith(f"{NAME}=")
        assert {part.strip() for part in cookie.split(";")[1:]} == {"HttpOnly", "Path=/", "SameSite=Strict", "Secure"}


async def test_a_citizens_session_is_kept_when_a_link_leads_here(people: People) -> None:
    """Lax for the public, Strict for staff."""
    browser = await people.citizen(await people.person())
    await browser.fill(await browser.open("/account/keys"), "/sign-out")
    page = await browser.open("/sign-in")
    async with browser._session.post(
        f"{browser.origin}/sign-in",
        data={**page.forms[0].fields, **browser.answered(page)},
        headers={"Origin": browser.origin},
        allow_redirects=False,
    ) as opened:
        assert opened.headers["Location"] == "/citizen"
        assert "SameSite=Lax" in opened.headers["Set-Cookie"]


async def test_signing_in_again_ends_the_session_before(people: People) -> None:
    """The token changes at every sign-in, and the old one opens nothing."""
    browser = await people.staff("officer")
    before = browser.cookies[NAME]
    await browser.sign_in()
    after, browser.cookies = browser.cookies[NAME], {NAME: before}

    assert before != after
    assert (await browser.open("/officer")).path.startswith("/sign-in")


async def test_who_is_registered_cannot_be_learnt(people: People) -> None:
    """A key that nobody registered and a wrong signature of one that somebody did get the same page."""
    browser = await people.staff("officer")
    browser.cookies.clear()
    page = await browser.open("/sign-in")
    stranger = SoftwareKey()
    stranger.create(await _registration(people), browser.origin)
    unknown = await browser.confirm(page, stranger)
    page = await browser.open("/sign-in")
    answer = json.loads(browser.answered(page)["response"])
    answer["response"]["signature"] = answer["response"]["signature"][:-4] + "AAAA"
    wrong = await browser.confirm(page, response=json.dumps(answer))

    assert (unknown.status, wrong.status) == (401, 401)
    assert REFUSED in unknown.text
    assert unknown.text == wrong.text
    assert NAME not in browser.cookies


async def _registration(people: People) -> dict[str, object]:
    """Options for a key that is made and never registered."""
    code = await people.served.api.deployment.invite(STAFF["partner"])
    page = await people.browser().open(f"/enrol/{code}")
    assert page.ceremony is not None
    return dict(page.ceremony["public_key"])


async def test_a_refused_key_may_try_again_on_the_spot(people: People) -> None:
    """The page has a fresh challenge; the address that was asked for is not lost."""
    browser = await people.staff("officer")
    browser.cookies.clear()
    page = await browser.open("/account/keys")
    refused = await browser.confirm(page, response='{"id": "AA"}')
    done = await browser.confirm(refused)

    assert refused.status == 400
    assert refused.ceremony is not None
    assert page.ceremony is not None
    assert refused.ceremony["public_key"]["challenge"] != page.ceremony["public_key"]["challenge"]
    assert done.path == "/account/keys"


async def test_a_challenge_is_good_once_and_for_a_while(people: People) -> None:
    """A second use is refused in words, a late one starts again on the spot."""
    browser = await people.staff("officer")
    browser.cookies.clear()
    page = await browser.open("/sign-in")
    await browser.confirm(page)
    browser.cookies.clear()
    twice = await browser.confirm(page)
    page = await browser.open("/sign-in")
    people.served.clock.advance(301)
    late = await browser.confirm(page)

    assert (twice.status, twice.heading) == (409, "This was answered already")
    assert late.status == 410
    assert "The answer came too late, so nothing was done." in late.text
    assert (await browser.confirm(late)).path == "/officer"


@pytest.mark.parametrize("name", BROWSER_ERRORS)
@pytest.mark.parametrize("language", Language)
async def test_what_the_browser_says_becomes_a_sentence_and_a_next_step(
    people: People, name: str, language: Language
) -> None:
    """Each name that a browser may give, in both languages, with a fresh ceremony below."""
    browser = people.browser(language)
    page = await browser.open("/sign-in")
    shown = await browser.send("/sign-in", {**page.forms[0].fields, "browser_error": name})
    explained = of_browser(name)

    assert shown.status == 200
    assert shown.ceremony is not None
    for sentence in (explained.title, explained.happened, explained.next_step):
        assert translate(language, sentence) in shown.text


@pytest.mark.parametrize(("name", "reason"), [("NotAllowedError", "NotAllowedError"), ("Mozilla/5.0", OTHER)])
async def test_what_the_browser_says_is_counted_by_a_list_of_ours(people: People, name: str, reason: str) -> None:
    """Nothing that a client makes up becomes a label."""
    browser = people.browser()
    page = await browser.open("/sign-in")
    await browser.send("/sign-in", {**page.forms[0].fields, "browser_error": name})
    tally = people.served.office.tally
    assert isinstance(tally, Metrics)
    figures = (await tally.text(people.served.office)).decode()

    assert reason_of(name) == reason
    assert f'idverify_browser_errors_total{{reason="{reason}"}} 1.0' in figures
    assert "Mozilla" not in figures


async def _number(browser: PlainBrowser) -> str:
    shown = re.search(r'id="account-number">([0-9 ]+)<', (await browser.open("/account/keys")).html)
    assert shown is not None
    return shown[1]


async def test_a_key_is_asked_by_the_number_of_its_account(people: People) -> None:
    """The page of keys shows it; with it a page asks for that account's keys, and leads to where one wanted to go."""
    browser = await people.citizen(await people.person())
    number = await _number(browser)
    browser.cookies.clear()
    page = await browser.open("/account/keys")
    action = next(form.action for form in page.forms if form.action.startswith("/sign-in/account"))
    asked = await browser.fill(page, action, account=number)
    done = await browser.confirm(asked)

    assert asked.ceremony is not None
    assert len(asked.ceremony["public_key"]["allowCredentials"]) == 1
    assert number in asked.text
    assert done.path == "/account/keys"


async def test_a_refused_key_tries_again_for_the_same_account(people: People) -> None:
    """Nobody types their number twice; and a stranger sees a page like it."""
    browser = await people.citizen(await people.person())
    number = await _number(browser)
    browser.cookies.clear()
    shown = []
    for asked in (number, "9300 0000 0000 0019"):
        page = await browser.fill(await browser.open("/sign-in"), "/sign-in/account", account=asked)
        fields = {**page.form("/sign-in").fields, "response": '{"id": "AA"}', "browser_error": ""}
        refused = await browser.send("/sign-in", fields)
        assert refused.ceremony is not None
        assert refused.ceremony["public_key"]["allowCredentials"]
        shown.append((page.status, page.text.replace(asked, ""), refused.status, refused.text.replace(asked, "")))

    assert shown[0] == shown[1]


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "Enter your account number or your name"),
        ("1234", "An account number has 16 digits, and these are not right. Check each of them."),
        ("x" * 101, "Enter a name of at most 100 characters"),
    ],
)
async def test_what_is_no_account_says_so_at_its_field(people: People, typed: str, says: str) -> None:
    """And the page asks for any key, as before."""
    browser = people.browser()
    shown = await browser.fill(await browser.open("/sign-in"), "/sign-in/account", account=typed)

    assert shown.status == 400
    assert says in shown.text
    assert 'href="#account"' in shown.html
    assert shown.ceremony is not None
    assert shown.ceremony["public_key"]["allowCredentials"] == []


async def test_the_browser_is_told_of_a_removed_key_by_its_holder(people: People) -> None:
    """Once it signed, the page names it for the browser to forget; and the page of keys names those that are left."""
    browser, lost = await people.staff("officer"), SoftwareKey()
    people.served.clock.advance(1)
    asked = await browser.fill(await browser.open("/account/keys/new"), "/account/keys/new", key_name="lost")
    added = await browser.confirm(await browser.confirm(asked), lost)
    last = [link for link in added.links if re.fullmatch("/account/keys/[0-9a-f]{32}", link)][-1]
    left = await browser.confirm(await browser.fill(await browser.open(last), f"{last}/removal"))
    finder = people.browser()
    finder.key = lost
    told = await finder.sign_in()

    accepted = signals_of(added)["signalAllAcceptedCredentials"]
    still = signals_of(left)["signalAllAcceptedCredentials"]
    [gone] = set(accepted["allAcceptedCredentialIds"]) - set(still["allAcceptedCredentialIds"])
    assert (len(still["allAcceptedCredentialIds"]), still["userId"]) == (1, accepted["userId"])
    assert "This security key was removed" in told.text
    assert signals_of(told) == {"signalUnknownCredential": {"rpId": "localhost", "credentialId": gone}}
    assert "signals" not in (await people.browser().open("/sign-in")).html


def signals_of(page: Shown) -> dict[str, Any]:
    """What the page tells the browser of keys."""
    found = re.search(r'id="signals">(.*?)</script>', page.html)
    assert found is not None
    assert "signals.js" in page.html
    told: dict[str, Any] = json.loads(found[1])
    return told


async def test_without_javascript_the_page_explains_itself(people: People) -> None:
    """Before the button is pressed, and after."""
    browser = people.browser()
    page = await browser.open("/sign-in")
    pressed = await browser.fill(page, "/sign-in")

    assert "<noscript>" in page.html
    assert page.forms[0].fields["browser_error"] == "JavaScriptNotEnabled"
    assert "JavaScript is switched off" in pressed.text


@pytest.mark.parametrize("wanted", ["//evil.example", "https://evil.example/", "/\\evil.example"])
async def test_signing_in_leads_nowhere_else(people: People, wanted: str) -> None:
    """Neither the address nor a changed form sends anybody to another site."""
    browser = await people.staff("officer")
    browser.cookies.clear()
    page = await browser.open(f"/sign-in?next={wanted}")
    done = await browser.confirm(page, next=wanted)

    assert done.path == "/officer"


async def test_signing_out_everywhere_ends_the_other_sessions(people: People) -> None:
    """The same person at two computers; somebody else stays signed in."""
    here, second = await people.staff("officer"), await people.staff("second")
    there = people.browser()
    there.key = here.key
    await there.sign_in()
    left = await here.fill(await here.open("/account/keys"), "/account/sign-out-everywhere")

    assert (left.path, NAME in here.cookies) == ("/sign-in?signed-out", False)
    assert "You are signed out." in left.text
    assert (await there.open("/officer")).path.startswith("/sign-in")
    assert (await second.open("/officer")).path == "/officer"
