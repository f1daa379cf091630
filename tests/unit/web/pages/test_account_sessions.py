"""Where one is signed in, on pages; and that forms hold while the cookie is renewed."""

from __future__ import annotations

import json

from idverify.auth.software_key import SoftwareKey
from idverify.web.session_cookie import NAME
from tests.simulators.plain_browser import PlainBrowser, Shown
from tests.unit.web.pages.conftest import People
from tests.unit.web.pages.test_account import KEYS, add_key, handles

SESSIONS = "/account/sessions"


async def _elsewhere(people: People, browser: PlainBrowser, **said: str) -> PlainBrowser:
    """The same person at another computer."""
    people.served.clock.advance(60)
    other = people.browser()
    other.key = browser.key
    await other.confirm(await other.open("/sign-in"), **said)
    return other


def _endings(page: Shown) -> list[str]:
    """Where the forms go that end a session, oldest first."""
    return [form.action for form in page.forms if form.action.endswith("/end")]


async def test_every_session_is_listed(people: People) -> None:
    """Since when, by which key, this one, on what computer; the list is found from the list of keys."""
    browser = await people.staff("officer")
    await _elsewhere(people, browser, shared_computer="yes")
    assert SESSIONS in (await browser.open(KEYS)).links
    page = await browser.open(SESSIONS)

    assert page.heading == "Where you are signed in"
    assert len(_endings(page)) == 2
    own, shared = page.text.split("Since ")[1:]
    assert "This one" in own
    assert "This one" not in shared
    assert "Opened with My security key" in own
    assert "Shared computer No" in own
    assert "Shared computer Yes" in shared


async def test_another_session_is_ended(people: People) -> None:
    """At once, without a key, and it is gone from the list."""
    browser = await people.staff("officer")
    other = await _elsewhere(people, browser)
    done = await browser.fill(page := await browser.open(SESSIONS), _endings(page)[1])

    assert done.path == f"{SESSIONS}?done=ended"
    assert "The session has ended." in done.text
    assert len(_endings(done)) == 1
    assert (await other.open("/officer")).path.startswith("/sign-in")
    assert (await browser.open("/officer")).path == "/officer"


async def test_ending_this_session_is_signing_out(people: People) -> None:
    """The browser forgets it; the other one goes on."""
    browser = await people.staff("officer")
    other = await _elsewhere(people, browser)
    left = await browser.fill(page := await browser.open(SESSIONS), _endings(page)[0])

    assert left.path == "/sign-in?signed-out"
    assert NAME not in browser.cookies
    assert (await other.open("/officer")).path == "/officer"


async def test_nobody_ends_another_persons_session(people: People) -> None:
    """There is no such session, whoever asks; and none is ended from elsewhere."""
    one, other = await people.staff("officer"), await people.staff("second")
    theirs = _endings(await other.open(SESSIONS))[0]
    csrf = (await one.open(SESSIONS)).form("/sign-out").fields

    assert (await one.send(theirs, csrf)).status == 404
    assert (await other.send(theirs, {"csrf": "A" * 43})).status == 403
    assert (await other.open("/officer")).path == "/officer"


async def test_forms_in_other_tabs_hold_after_an_act(people: People) -> None:
    """The cookie is another one, the old one opens nothing, and what was open before can still be sent."""
    browser = await people.staff("officer")
    key = handles(await browser.open(KEYS))[0]
    other_tab, before = await browser.open(key), browser.cookies[NAME]
    await add_key(people, browser, SoftwareKey())
    renamed = await browser.fill(other_tab, f"{key}/name", key_name="blue key")
    after, browser.cookies = browser.cookies[NAME], {NAME: before}

    assert before != after
    assert renamed.path == f"{KEYS}?done=renamed"
    assert (await browser.open("/officer")).path.startswith("/sign-in")


async def test_a_refused_act_leaves_the_cookie(people: People) -> None:
    """A wrong signature confirms nothing; the page asks again, and the session is the same."""
    browser = await people.staff("officer")
    asked = await browser.fill(await browser.open(f"{KEYS}/new"), f"{KEYS}/new", key_name="spare")
    before = browser.cookies[NAME]
    answer = json.loads(browser.answered(asked)["response"])
    answer["response"]["signature"] = answer["response"]["signature"][:-4] + "AAAA"
    refused = await browser.confirm(asked, response=json.dumps(answer))

    assert refused.status == 401
    assert browser.cookies[NAME] == before
    assert (await browser.confirm(refused)).heading == "Register the new key"
    assert browser.cookies[NAME] != before


async def test_registering_the_new_key_itself_renews_nothing(people: People) -> None:
    """That ceremony confirms no act, so the cookie that the confirmation brought stays good."""
    browser = await people.staff("officer")
    asked = await browser.fill(await browser.open(f"{KEYS}/new"), f"{KEYS}/new", key_name="spare")
    registering = await browser.confirm(asked)
    renewed = browser.cookies[NAME]
    done = await browser.confirm(registering, SoftwareKey())

    assert done.path == f"{KEYS}?done=added"
    assert browser.cookies[NAME] == renewed


async def test_two_tabs_confirm_at_once_one_after_the_other(people: People) -> None:
    """Both confirmations were asked for with the old cookie; each is carried out with the one of its time."""
    browser = await people.staff("officer")
    first = await browser.fill(await browser.open(f"{KEYS}/new"), f"{KEYS}/new", key_name="one")
    second = await browser.fill(await browser.open(f"{KEYS}/new"), f"{KEYS}/new", key_name="two")

    assert (await browser.confirm(first)).heading == "Register the new key"
    assert (await browser.confirm(second)).heading == "Register the new key"
