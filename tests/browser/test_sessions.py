"""Sessions in a real browser: renewed, listed, ended; and a computer that others use after us."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from idverify.core.policy import Role
from idverify.services.invite import Invited
from idverify.web.pages.words import Language
from idverify.web.session_cookie import NAME
from tests.browser.conftest import Newcomer
from tests.browser.desks import COLLECT, status_in_words
from tests.browser.examination import Examiner
from tests.browser.people import Person, confirm, enrol, enrol_as_named
from tests.browser.security_key import SecurityKey
from tests.browser.visitor import Town, Visitor
from tests.simulators.service import Api, Deployment, client

OFFICER = Invited(Role.OFFICER)
CLOSED = "This is a shared computer, so its wallet is closed: whoever uses the computer next could show your document."
SHARED = "This is a shared computer, such as one in a library"
KEEP_SOMETHING = """() => new Promise((resolve) => {
  localStorage.setItem("kept", "1");
  sessionStorage.setItem("kept", "1");
  const asked = indexedDB.open("kept", 1);
  asked.onsuccess = () => { asked.result.close(); resolve(); };
})"""
KEPT = "async () => [localStorage.length, (await indexedDB.databases()).length, (await caches.keys()).length]"


@pytest_asyncio.fixture(loop_scope="session")
async def api(deployment: Deployment) -> AsyncIterator[Api]:
    """Callers of the API."""
    async with client() as session:
        made = Api(session, deployment)
        if "officer" not in deployment.people:
            await made.enrol("officer", await deployment.invite(Invited(Role.OFFICER, "Otto Officer")))
        yield made


async def _cookies(visitor: Visitor) -> dict[str, str]:
    return {str(cookie["name"]): str(cookie["value"]) for cookie in await visitor.page.context.cookies()}


async def _sign_in_here(visitor: Visitor, key: SecurityKey) -> None:
    """Sign in, and say that others use this computer too."""
    await visitor.plug_in(key)
    await visitor.go("/sign-in")
    await visitor.tick(SHARED)
    await visitor.press("Sign in")


async def _no_faults(visitor: Visitor) -> None:
    assert await Examiner(()).examine(visitor.page, visitor.language) == []


async def test_the_cookie_is_renewed_with_what_is_confirmed(
    newcomer: Newcomer, town: Town, deployment: Deployment
) -> None:
    """A cookie that somebody planted is no session; a form in another tab holds after the session's has changed."""
    visitor, person, planted = await newcomer(), Person("Renata Renewed"), "A" * 43
    await visitor.go("/sign-in")
    await visitor.page.evaluate(f"document.cookie = '{NAME}={planted}; Path=/; Secure'")
    assert (await _cookies(visitor))[NAME] == planted
    await enrol(visitor, await deployment.invite(OFFICER), person)
    signed_in = (await _cookies(visitor))[NAME]
    await visitor.go("/account/keys")
    await visitor.follow("Rename or remove My security key")
    await person.key.unplug()

    tab = Visitor(await visitor.page.context.new_page(), town, visitor.language, scripts=True)
    await tab.plug_in(person.key)
    await tab.go("/account/keys/new")
    await tab.fill("Name of the new key", "spare key")
    await tab.press("Continue")
    await confirm(tab)
    await tab.reads("Take out the key that you have just used and plug in the new one, then press the button.")
    renewed = (await _cookies(visitor))[NAME]
    await visitor.fill("New name", "blue key")
    await visitor.press("Rename")
    await visitor.reads("The key has its new name.")

    assert len({planted, signed_in, renewed}) == 3
    assert tab.faults == []
    await tab.leave()


@pytest.mark.parametrize("language", Language)
async def test_a_session_elsewhere_is_ended(newcomer: Newcomer, deployment: Deployment, language: Language) -> None:
    """The owner sees both, ends the other one, and then this one."""
    here, there = await newcomer(language), await newcomer(language)
    person = Person(f"Elsa Elsewhere {language}")
    await enrol(there, await deployment.invite(OFFICER), person)
    await person.key.unplug()
    await _sign_in_here(here, person.key)
    await here.go("/account/keys")
    await here.follow("See your sessions, and end those that you do not need")
    ending = here.page.get_by_role("button", name=here.words("End this session"))
    assert await ending.count() == 2
    await _no_faults(here)
    other = here.page.locator(".govuk-summary-card").filter(has_not=here.page.locator(".govuk-tag"))
    await here.use(other.get_by_role("button"))
    await here.reads("The session has ended. Whoever used it is signed out.")
    await there.go("/officer")
    await there.reads("Sign in with your security key")
    await here.use(ending)
    await here.reads("You are signed out.")


async def test_a_shared_computer_keeps_nothing(newcomer: Newcomer, api: Api) -> None:
    """No wallet, nothing stored, no cookie but the session's; signing out takes away whatever else there was."""
    visitor, key = await newcomer(), SecurityKey()
    person = await api.person_with_status()
    code = (await api.ok("POST", f"/api/v1/people/{person}/enrolments", "officer"))["code"]
    await visitor.plug_in(key)
    await visitor.go("/enrol")
    await visitor.fill("Code", code)
    await visitor.tick(SHARED)
    await visitor.press("Continue")
    await visitor.reads("On a shared computer, register a key that you carry with you.")
    await visitor.press("Register this key")
    await visitor.follow("Demo wallet")
    await visitor.reads(CLOSED)
    await _no_faults(visitor)
    await visitor.go("/citizen")
    await visitor.press(COLLECT, **status_in_words(visitor))
    await confirm(visitor)
    await visitor.reads(CLOSED)
    await _no_faults(visitor)
    offer = json.loads(await visitor.save("Download the offer", "link"))
    assert offer.keys() == {"issuer", "type", "format", "code", "nonce"}
    assert await visitor.page.evaluate(KEPT) == [0, 0, 0]
    assert list(await _cookies(visitor)) == [NAME]

    await visitor.speak(Language.CY)
    await visitor.page.evaluate(KEEP_SOMETHING)
    assert await visitor.page.evaluate(KEPT) == [1, 1, 0]
    sign_out = visitor.page.get_by_role("button", name=visitor.words("Sign out"), exact=True)
    visitor.language = Language.EN  # the choice of a language is forgotten, too: the browser's own counts again
    await visitor.use(sign_out)
    await visitor.reads("You are signed out.")
    assert await visitor.page.evaluate(KEPT) == [0, 0, 0]
    assert await visitor.page.evaluate("sessionStorage.length") == 0
    assert await _cookies(visitor) == {}
    await visitor.speak(Language.CY)
    await visitor.go("/sign-in")
    await visitor.reads("Sign in with your security key")


async def test_at_home_signing_out_takes_the_session_alone(newcomer: Newcomer, deployment: Deployment) -> None:
    """The language stays, and what a wallet keeps."""
    visitor = await newcomer()
    await enrol_as_named(visitor, await deployment.invite(Invited(Role.OFFICER, "Homer Home")))
    await visitor.speak(Language.CY)
    await visitor.page.evaluate(KEEP_SOMETHING)
    await visitor.press("Sign out")
    await visitor.reads("You are signed out.")
    assert await visitor.page.evaluate(KEPT) == [1, 1, 0]
    assert list(await _cookies(visitor)) == ["idverify_language"]


@pytest.mark.parametrize("language", Language)
async def test_no_passkey_stays_on_a_shared_computer(
    newcomer: Newcomer, deployment: Deployment, language: Language
) -> None:
    """With an authenticator inside the computer and a key in its slot, the key is the one that is registered."""
    visitor, inside, key = await newcomer(language), SecurityKey(transport="internal"), SecurityKey()
    await visitor.plug_in(inside)
    await visitor.plug_in(key)
    await visitor.go(f"/enrol/{await deployment.invite(Invited(Role.OFFICER, f'Sally Shared {language}'))}")
    await visitor.press(SHARED)
    await visitor.reads("On a shared computer, register a key that you carry with you.")
    await _no_faults(visitor)
    await visitor.press("Register this key")
    await visitor.reads("Officer's desk")

    assert (len(await inside.holds()), len(await key.holds())) == (0, 1)
