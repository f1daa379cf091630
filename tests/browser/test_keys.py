"""Keys of every kind at a real browser: with no room for accounts, synced, copied, faulty, somebody else's."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Page, Request, Route

from idverify.core.policy import Role
from idverify.services.invite import Invited
from idverify.web.pages.words import Language
from tests.browser.conftest import Newcomer
from tests.browser.people import Person, confirm, enrol, enrol_with_slip, sign_in
from tests.browser.security_key import SecurityKey
from tests.browser.visitor import Visitor
from tests.simulators.service import DETAILS, Api, Deployment, client

NO_ROOM = {"hasResidentKey": False}
SYNCED = {"defaultBackupEligibility": True, "defaultBackupState": True}
BUILT_IN = {"transport": "internal"}
DESK = "Your status"
NOT_VERIFIED = "The security key could not be verified"
SUSPENDED = "This security key is suspended"
NOT_DONE = "The security key did not answer"
COOKIE = "__Host-idverify"
OLD_BROWSER = """
  for (const name of ["parseCreationOptionsFromJSON", "parseRequestOptionsFromJSON", "signalUnknownCredential",
                      "signalAllAcceptedCredentials", "isConditionalMediationAvailable"]) {
    delete PublicKeyCredential[name];
  }
  delete PublicKeyCredential.prototype.toJSON;
"""
Slips = Callable[[], Awaitable[str]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def slip(deployment: Deployment) -> AsyncIterator[Slips]:
    """How somebody at the counter gets a code: an officers' system records them, and an officer prints it."""
    async with client() as session:
        api = Api(session, deployment)
        await api.enrol("officer", await deployment.invite(Invited(Role.OFFICER, "Petra Printer")))

        async def printed() -> str:
            person = (await api.ok("POST", "/api/v1/people", "officer", {"details": DETAILS}))["person"]
            return str((await api.ok("POST", f"/api/v1/people/{person}/enrolments", "officer"))["code"])

        yield printed


async def _citizen(visitor: Visitor, code: str, key: SecurityKey) -> str:
    """Enrol with a slip and sign out again; the account's number."""
    await enrol_with_slip(visitor, code, key)
    await visitor.reads("Your key is registered, and you are signed in. Write your account number down and keep it.")
    number = await visitor.page.locator("#account-number").inner_text()
    await visitor.press("Sign out")
    return number


async def _ask_for(visitor: Visitor, account: str) -> None:
    await visitor.go("/sign-in")
    await visitor.fill("Account number or name", account)
    await visitor.press("Continue")


@pytest.mark.parametrize("language", Language)
async def test_a_key_with_no_room_signs_in_by_number(newcomer: Newcomer, slip: Slips, language: Language) -> None:
    """By itself it cannot answer, and the page says so; with the number it opens the account."""
    visitor, key = await newcomer(language), SecurityKey(**NO_ROOM)
    number = await _citizen(visitor, await slip(), key)
    await visitor.press("Sign in")
    await visitor.reads(NOT_DONE)
    await _ask_for(visitor, number.replace(" ", ""))
    await visitor.press("Sign in")
    await visitor.reads(DESK)
    assert [held["isResidentCredential"] for held in await key.holds()] == [False]


async def test_a_number_that_nobody_has_reads_like_one_that_somebody_has(newcomer: Newcomer, slip: Slips) -> None:
    """To the word; what the two ask the browser for is compared in the tests of the service."""
    visitor, read = await newcomer(), []
    for account in (await _citizen(visitor, await slip(), SecurityKey()), "9300 0000 0000 0019"):
        await _ask_for(visitor, account)
        read.append((await visitor.text()).replace(account, ""))
    assert read[0] == read[1]


async def test_a_mistyped_number_says_so(newcomer: Newcomer) -> None:
    """At its field, with nothing lost."""
    visitor = await newcomer()
    await _ask_for(visitor, "9300 0000 0000 0018")
    await visitor.reads("An account number has 16 digits, and these are not right. Check each of them.")


async def test_another_accounts_key_does_not_open_the_one_that_was_asked_for(
    newcomer: Newcomer, olive: Person, slip: Slips
) -> None:
    """Not even where the browser was made to ask it: the challenge is bound to the account."""
    visitor = await newcomer()
    number = await _citizen(visitor, await slip(), SecurityKey())
    stranger = await newcomer()
    await stranger.plug_in(olive.key)
    await stranger.page.route("**/sign-in/account", _asking_any_key)
    await _ask_for(stranger, number)
    await stranger.press("Sign in")
    await stranger.reads(NOT_VERIFIED)


async def _asking_any_key(route: Route) -> None:
    """A page as somebody may change it on their own computer: with no list of keys."""
    page = await route.fetch()
    changed = re.sub(
        r'"allowCredentials": \[.*?\]\}?(?=, "(?:challenge|rpId|timeout))', '"allowCredentials": []', await page.text()
    )
    await route.fulfill(response=page, body=changed)


async def test_a_synced_passkey_is_taken_of_citizens_alone(
    newcomer: Newcomer, slip: Slips, deployment: Deployment
) -> None:
    """Staff are told why theirs is not."""
    citizen, officer = await newcomer(), await newcomer()
    await _citizen(citizen, await slip(), SecurityKey(**SYNCED))
    await citizen.press("Sign in")
    await citizen.reads(DESK)
    await enrol(officer, await deployment.invite(Invited(Role.OFFICER)), Person("Sue Synced", SecurityKey(**SYNCED)))
    await officer.reads("This security key cannot be used here")


async def test_a_copied_key_of_staff_is_suspended(newcomer: Newcomer, slip: Slips, deployment: Deployment) -> None:
    """Its counter does not rise: both are suspended. Citizens, whose keys may not count at all, are let in."""
    officer, person = await newcomer(), Person("Clara Copied")
    await enrol(officer, await deployment.invite(Invited(Role.OFFICER)), person)
    await officer.press("Sign out")
    await officer.press("Sign in")
    await person.key.unplug()
    await sign_in(officer, copy := person.key.copied(1))
    await officer.reads(SUSPENDED)
    await copy.unplug()
    await sign_in(officer, person.key)
    await officer.reads(SUSPENDED)

    citizen, key = await newcomer(), SecurityKey()
    await _citizen(citizen, await slip(), key)
    await citizen.press("Sign in")
    await citizen.press("Sign out")
    await key.unplug()
    await sign_in(citizen, key.copied(1))
    await citizen.reads(DESK)


async def test_a_key_that_nobody_touched_is_refused(newcomer: Newcomer, olive: Person) -> None:
    """By its own account."""
    visitor = await newcomer()
    await visitor.plug_in(olive.key)
    await olive.key.misbehave(user_presence=True)
    await visitor.go("/sign-in")
    await visitor.press("Sign in")
    await visitor.reads(NOT_VERIFIED)


async def test_of_two_keys_the_one_that_is_touched_answers(newcomer: Newcomer, olive: Person, oscar: Person) -> None:
    """Both know an account here; only the counter of the one that answered rises."""
    visitor = await newcomer()
    await visitor.plug_in(olive.key)
    await visitor.plug_in(oscar.key)
    for key, other in ((oscar.key, olive.key), (olive.key, oscar.key)):
        before = [await _count(one) for one in (key, other)]
        await other.is_touched(False)
        await key.is_touched(True)
        await visitor.go("/sign-in")
        await visitor.press("Sign in")
        await visitor.reads("Officer's desk")
        assert [await _count(one) for one in (key, other)] == [before[0] + 1, before[1]]
    for key in (olive.key, oscar.key):
        await key.is_touched(True)


async def _count(key: SecurityKey) -> int:
    [credential] = await key.holds()
    return int(credential["signCount"])


async def test_a_passkey_that_the_browser_offers_signs_in(newcomer: Newcomer, slip: Slips) -> None:
    """Without the button, where the browser knows one; and whoever presses the button first is not asked twice."""
    visitor, key = await newcomer(), SecurityKey(**BUILT_IN)
    await enrol_with_slip(visitor, await slip(), key)
    await key.is_touched(False)
    await visitor.press("Sign out")  # to the page that offers it
    asked = await _counted(visitor.page)
    await key.is_touched(True)  # from now on: what was asked before goes on waiting
    await visitor.press("Sign in")
    await visitor.reads(DESK)
    assert len(asked) == 1
    await key.is_touched(False)
    await visitor.press("Sign out")
    async with visitor.page.expect_navigation(url="**/citizen"):
        await key.is_touched(True)
        await visitor.page.reload()
    await visitor.reads(DESK)
    assert len(asked) == 2


async def _counted(page: Page) -> list[Request]:
    """Answers of keys that the page sends from now on."""
    sent: list[Request] = []

    def keep(request: Request) -> None:
        if request.method == "POST" and request.url.endswith("/sign-in"):
            sent.append(request)

    page.on("request", keep)
    return sent


async def test_an_older_browser_does_as_well(newcomer: Newcomer, slip: Slips) -> None:
    """One that cannot read options or write answers as JSON by itself, and knows no signals."""
    visitor = await newcomer()
    await visitor.page.add_init_script(OLD_BROWSER)
    await _citizen(visitor, await slip(), SecurityKey())
    await visitor.press("Sign in")
    await visitor.reads(DESK)
    assert await visitor.page.evaluate("() => PublicKeyCredential.parseRequestOptionsFromJSON") is None


async def test_a_browser_that_knows_no_keys_says_so(newcomer: Newcomer) -> None:
    """And what to do."""
    visitor = await newcomer()
    await visitor.page.add_init_script("delete window.PublicKeyCredential")
    await visitor.go("/sign-in")
    await visitor.press("Sign in")
    await visitor.reads("This browser or key cannot do it")


async def test_an_answer_is_good_once(newcomer: Newcomer, olive: Person) -> None:
    """Whoever sends it again, word for word, gets nothing."""
    visitor = await newcomer()
    await visitor.plug_in(olive.key)
    await visitor.go("/sign-in")
    sent = await _counted(visitor.page)
    await visitor.press("Sign in")
    [answer] = sent
    headers = {"Origin": visitor.origin, "Content-Type": "application/x-www-form-urlencoded"}
    again = await visitor.page.context.request.post(answer.url, data=answer.post_data or "", headers=headers)
    assert again.status == 409
    assert "set-cookie" not in again.headers


async def test_a_planted_session_is_not_the_one_that_is_opened(
    newcomer: Newcomer, olive: Person, oscar: Person
) -> None:
    """Whoever plants their own cookie in another's browser does not come in with them, and is out themselves."""
    attacker, victim = await newcomer(), await newcomer()
    await sign_in(attacker, oscar.key)
    [planted] = await attacker.page.context.cookies()
    await victim.page.context.add_cookies([planted])
    await victim.plug_in(olive.key)
    await victim.go("/sign-in")
    await victim.press("Sign in")
    [cookie] = [cookie for cookie in await victim.page.context.cookies() if cookie["name"] == COOKIE]
    assert cookie["value"] != planted["value"]
    await attacker.go("/account/keys")
    await attacker.reads("Sign in with your security key")


async def test_a_confirmation_of_one_act_does_not_carry_out_another(newcomer: Newcomer, deployment: Deployment) -> None:
    """The key signs that one key is removed; a page that was changed sends it for the other."""
    visitor, person, spare = await newcomer(), Person("Swen Swapped"), SecurityKey()
    await enrol(visitor, await deployment.invite(Invited(Role.OFFICER)), person)
    await visitor.go("/account/keys/new")
    await visitor.fill("Name of the new key", "spare key")
    await visitor.press("Continue")
    await confirm(visitor)
    await person.key.unplug()
    await visitor.plug_in(spare)
    await visitor.press("Register the new key")
    await spare.unplug()
    await visitor.plug_in(person.key)
    links = visitor.page.locator("main .govuk-summary-list__actions a")
    first, second = [await link.get_attribute("href") or "" for link in await links.all()]
    await visitor.go(second)
    await visitor.press("Remove this key")
    await visitor.page.evaluate(
        "path => { document.querySelector('#ceremony-form').action = path }", f"{first}/removal"
    )
    await confirm(visitor)
    await visitor.reads("What was sent is not the act that was to be confirmed. Nothing was done; start again.")
    await visitor.go("/account/keys")
    assert await links.count() == 2
