"""A computer that others use too: a short session, a key to take along, nothing kept, and a clean end."""

from __future__ import annotations

import base64

import orjson
import pytest

from idverify.auth.key_policy import SHARED_LIMITS
from idverify.core.policy import Role
from idverify.services.invite import Invited
from idverify.web.session_cookie import NAME
from tests.simulators.plain_browser import PlainBrowser, Shown
from tests.simulators.signed_in import STAFF
from tests.unit.web.pages.conftest import People

CLEARED = '"cache", "cookies", "storage"'


def _attachment(page: Shown) -> str | None:
    """What kind of key the page asks the browser to register."""
    assert page.ceremony is not None
    selection: dict[str, str] = page.ceremony["public_key"]["authenticatorSelection"]
    return selection.get("authenticatorAttachment")


async def _citizen(people: People) -> PlainBrowser:
    """A person with a status, who signs in with the box ticked."""
    citizen = await people.citizen(await people.served.api.person_with_status())
    citizen.cookies.clear()
    await citizen.confirm(await citizen.open("/sign-in"), shared_computer="yes")
    return citizen


async def _set_cookie_and_cleared(browser: PlainBrowser, path: str, form: dict[str, str]) -> tuple[str, str | None]:
    cookie = {"Cookie": f"{NAME}={browser.cookies[NAME]}", "Origin": browser.origin}
    url = browser.origin + path
    async with browser._session.post(url, data=form, headers=cookie, allow_redirects=False) as left:
        return left.headers["Set-Cookie"], left.headers.get("Clear-Site-Data")


async def test_the_box_is_not_ticked_and_stays_as_it_was_left(people: People) -> None:
    """Also when the key did not do at the first try."""
    browser = await people.staff("officer")
    browser.cookies.clear()
    page = await browser.open("/sign-in")
    refused = await browser.confirm(page, response='{"id": "AA"}', shared_computer="yes")

    assert "shared_computer" not in page.forms[0].fields
    assert refused.forms[0].fields["shared_computer"] == "yes"
    await browser.confirm(refused)
    assert "Shared computer Yes" in (await browser.open("/account/sessions")).text


async def test_the_session_is_short(people: People) -> None:
    """Whoever walks away is signed out after ten minutes."""
    browser = await _citizen(people)
    people.served.clock.advance(SHARED_LIMITS[Role.CITIZEN].idle - 1)
    assert (await browser.open("/citizen")).path == "/citizen"
    people.served.clock.advance(SHARED_LIMITS[Role.CITIZEN].idle)
    assert (await browser.open("/citizen")).path.startswith("/sign-in")


async def test_nothing_but_the_session_s_cookie_is_set(people: People) -> None:
    """It goes when the browser closes: it has no date."""
    browser = await _citizen(people)

    assert list(browser.cookies) == [NAME]


async def test_a_slip_asks_for_a_key_to_take_along(people: People) -> None:
    """The box beside the code leads to options for such a key; without it either kind will do."""
    made = await people.served.api.ok("POST", f"/api/v1/people/{await people.person()}/enrolments", "officer")
    browser = people.browser()
    asked = await browser.open("/enrol")
    own = await browser.fill(asked, "/enrol", code=made["code"])
    shared = await browser.fill(asked, "/enrol", code=made["code"], shared_computer="yes")
    desk = await browser.confirm(shared)

    assert (_attachment(own), _attachment(shared)) == (None, "cross-platform")
    assert "register a key that you carry with you" in shared.text
    assert desk.path == "/account/keys?done=first"
    assert "Shared computer Yes" in (await browser.open("/account/sessions")).text


async def test_a_link_lets_one_choose_before_the_key_is_asked(people: People) -> None:
    """The page is loaded anew, there and back; a refused key does not change what was chosen."""
    code = await people.served.api.deployment.invite(STAFF["partner"])
    browser = people.browser()
    own = await browser.open(f"/enrol/{code}")
    shared = await browser.fill(own, "/enrol/key", shared_computer="yes")
    assert _attachment(await browser.fill(shared, "/enrol/key")) is None
    refused = await browser.confirm(shared, response='{"id": "AA"}')

    assert [_attachment(page) for page in (own, shared, refused)] == [None, "cross-platform", "cross-platform"]
    assert (await browser.confirm(refused)).path == "/relying-party"
    assert "Shared computer Yes" in (await browser.open("/account/sessions")).text


async def test_the_choice_goes_through_the_question_for_a_name(people: People) -> None:
    """Also where the link has no name on it."""
    code = await people.served.api.deployment.invite(Invited(Role.OFFICER))
    browser = people.browser()
    page = await browser.fill(await browser.open("/enrol"), "/enrol", code=code, shared_computer="yes")
    empty = await browser.fill(page, "/enrol/key", name="")
    asked = await browser.fill(empty, "/enrol/key", name="Nora Newcomer")

    assert (page.heading, empty.status, _attachment(asked)) == ("Who are you?", 400, "cross-platform")


@pytest.mark.parametrize("said", ["no", "YES", "yes yes"])
async def test_a_box_that_was_tampered_with(people: People, said: str) -> None:
    """It is refused where a form is read, and counts as not ticked where only the key's answer matters."""
    browser = await people.staff("officer")
    code = await people.served.api.deployment.invite(STAFF["second"])
    tampered = await people.browser().send("/enrol", {"code": code, "shared_computer": said})
    browser.cookies.clear()
    await browser.confirm(await browser.open("/sign-in"), shared_computer=said)

    assert tampered.status == 400
    assert "Shared computer No" in (await browser.open("/account/sessions")).text


async def test_another_key_is_one_to_take_along(people: People) -> None:
    """Adding a key in a session on a shared computer leaves no passkey on it."""
    browser = await _citizen(people)
    asked = await browser.fill(await browser.open("/account/keys/new"), "/account/keys/new", key_name="spare")
    registering = await browser.confirm(asked)

    assert _attachment(registering) == "cross-platform"
    assert "On a shared computer, register a key that you carry with you." in registering.text


async def test_the_browsers_wallet_is_closed(people: People) -> None:
    """No script of it is loaded, and the page says what to do instead; the offer can be saved as a file."""
    browser = await _citizen(people)
    wallet = await browser.open("/citizen/wallet")
    offered = await browser.confirm(await browser.fill(await browser.open("/citizen"), "/citizen/collect"))
    [file] = [link for link in offered.links if link.startswith("data:application/json;base64,")]

    for page in (wallet, offered):
        assert "its wallet is closed" in page.text
        assert "Save the offer on a USB stick of your own" in page.text
        assert "<script" not in page.html
        assert "connect-src" not in page.headers["Content-Security-Policy"]
    assert orjson.loads(base64.b64decode(file.partition(",")[2])).keys() == {
        "issuer",
        "type",
        "format",
        "code",
        "nonce",
    }


async def test_signing_out_leaves_nothing_behind(people: People) -> None:
    """Every way of signing out tells the browser so, and only there: at home the wallet and the language stay."""
    for ticked, cleared in (("yes", CLEARED), ("", None)):
        for way in ("/sign-out", "/account/sign-out-everywhere", "end"):
            browser = await _citizen(people)
            browser.cookies.clear()
            people.served.clock.advance(1)
            await browser.confirm(await browser.open("/sign-in"), shared_computer=ticked)
            page = await browser.open("/account/sessions")
            *_, newest = [form.action for form in page.forms if form.action.endswith("/end")]
            path = newest if way == "end" else way
            set_cookie, site_data = await _set_cookie_and_cleared(browser, path, page.form("/sign-out").fields)
            assert "Max-Age=0" in set_cookie
            assert site_data == cleared
