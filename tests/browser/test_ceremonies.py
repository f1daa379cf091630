"""Key ceremonies in a real browser: what goes wrong at a key, at a browser or on the way, in plain sentences."""

from __future__ import annotations

import base64
import os

import pytest

from idverify.core.policy import Role
from idverify.services.invite import Invited
from idverify.web.pages.words import Language
from tests.browser.conftest import Newcomer
from tests.browser.people import Person, confirm, enrol, let_expire, sign_in
from tests.browser.security_key import SecurityKey
from tests.simulators.service import Deployment

OFFICER = Invited(Role.OFFICER)
NOT_DONE = "The security key did not answer"
SET_A_PIN = (
    "Plug the key in and try again; touch it when it blinks. "
    "If it has no PIN, set a PIN on this key first, in the settings of your computer or browser."
)


@pytest.mark.parametrize("language", Language)
async def test_a_key_without_a_pin_is_told_so_by_the_browser(
    newcomer: Newcomer, olive: Person, language: Language
) -> None:
    """NotAllowedError becomes a sentence that says what to do, and the same page works once the key has its PIN."""
    visitor = await newcomer(language)
    await visitor.plug_in(olive.key)
    await olive.key.has_pin(False)
    await visitor.go("/sign-in")
    await visitor.press("Sign in")
    await visitor.reads(NOT_DONE)
    await visitor.reads(SET_A_PIN)
    await olive.key.has_pin(True)
    await visitor.press("Sign in")
    await visitor.reads("Officer's desk")


async def test_a_key_that_did_not_verify_its_user_is_refused_by_us(newcomer: Newcomer, olive: Person) -> None:
    """An answer that says itself that no PIN was asked opens nothing."""
    visitor = await newcomer()
    await visitor.plug_in(olive.key)
    await olive.key.misbehave(user_verification=True)
    await visitor.go("/sign-in")
    await visitor.press("Sign in")
    await visitor.reads("The security key must ask for its PIN")
    await visitor.reads("Set a PIN on this key first, in the settings of your computer or browser, then try again.")


async def test_a_first_key_that_was_refused_holds_one_account(newcomer: Newcomer, deployment: Deployment) -> None:
    """What was refused is forgotten, and the good try takes its place: signing in offers nothing that opens nothing."""
    visitor, key = await newcomer(), SecurityKey()
    await visitor.plug_in(key)
    await key.misbehave(user_verification=True)
    await visitor.go(f"/enrol/{await deployment.invite(Invited(Role.OFFICER, 'Rita Retry'))}")
    assert visitor.page.url == f"{visitor.origin}/enrol/key"
    await visitor.press("Register this key")
    await visitor.reads("The security key must ask for its PIN")
    await visitor.page.wait_for_load_state("networkidle")
    assert await key.holds() == []
    await key.misbehave()
    await visitor.press("Register this key")
    await visitor.reads("Officer's desk")
    assert len(await key.holds()) == 1
    await visitor.press("Sign out")
    await visitor.press("Sign in")
    await visitor.reads("Officer's desk")


async def test_without_signals_too(newcomer: Newcomer, deployment: Deployment) -> None:
    """In a browser that forgets nothing, the key itself puts the good try in the place of the one that was refused."""
    visitor, key = await newcomer(), SecurityKey()
    await visitor.page.add_init_script("delete PublicKeyCredential.signalUnknownCredential")
    await visitor.plug_in(key)
    await key.misbehave(user_verification=True)
    await visitor.go("/enrol")
    await visitor.fill("Code", await deployment.invite(Invited(Role.OFFICER, "Rolf Retry")))
    await visitor.press("Continue")
    assert visitor.page.url == f"{visitor.origin}/enrol/key"
    await visitor.press("Register this key")
    await visitor.reads("The security key must ask for its PIN")
    [refused] = await key.holds()
    await key.misbehave()
    await visitor.press("Register this key")
    await visitor.reads("Officer's desk")
    [good] = await key.holds()
    assert good["credentialId"] != refused["credentialId"]


async def test_a_wrong_signature_and_an_unknown_key_read_the_same(newcomer: Newcomer, olive: Person) -> None:
    """Nobody learns from the page who is registered."""
    visitor, unknown = await newcomer(), SecurityKey()
    await visitor.plug_in(olive.key)
    await olive.key.misbehave(signature=True)
    await visitor.go("/sign-in")
    await visitor.press("Sign in")
    await visitor.reads("The security key could not be verified")
    said = await visitor.text()
    await olive.key.unplug()
    unknown.held = [{**held, "credentialId": base64.b64encode(os.urandom(32)).decode()} for held in olive.key.held]
    await visitor.plug_in(unknown)
    await visitor.press("Sign in")
    assert await visitor.text() == said


async def test_the_same_key_is_registered_once(newcomer: Newcomer, olive: Person) -> None:
    """InvalidStateError says that this key is known, and what to do."""
    visitor = await newcomer()
    await sign_in(visitor, olive.key)
    await visitor.go("/account/keys/new")
    await visitor.fill("Name of the new key", "blue key")
    await visitor.press("Continue")
    await confirm(visitor)
    await visitor.press("Register the new key")
    await visitor.reads("This security key is registered already")
    await visitor.reads("Sign in with it. To add another, plug in a different key.")


async def test_a_second_key_opens_the_same_account_until_it_is_removed(
    newcomer: Newcomer, deployment: Deployment
) -> None:
    """Add a key, sign in with it, remove it: it opens nothing any more, and the browser that asks it forgets it."""
    visitor, person, spare = await newcomer(), Person("Sasha Spare"), SecurityKey()
    await enrol(visitor, await deployment.invite(OFFICER), person)
    await visitor.go("/account/keys/new")
    await visitor.fill("Name of the new key", "spare key")
    await visitor.press("Continue")
    await confirm(visitor)
    await person.key.unplug()
    await visitor.plug_in(spare)
    await visitor.press("Register the new key")
    await visitor.reads("The key is registered. You can sign in with it from now on.")
    await spare.unplug()

    elsewhere = await newcomer()
    await sign_in(elsewhere, spare)
    await elsewhere.reads("Officer's desk")

    await visitor.plug_in(person.key)
    await visitor.follow("Rename or remove spare key")
    await visitor.press("Remove this key")
    await confirm(visitor)
    await visitor.reads("The key is removed. It opens nothing here any more.")
    await elsewhere.go("/account/keys")
    await elsewhere.reads("Sign in with your security key")  # the session that it opened is over
    await elsewhere.press("Sign in")
    await elsewhere.reads("This security key was removed")
    await elsewhere.page.wait_for_load_state("networkidle")
    assert await spare.holds() == []


async def test_a_link_opens_once(newcomer: Newcomer, deployment: Deployment) -> None:
    """A used link says that it was used, and what to do."""
    code = await deployment.invite(OFFICER)
    first, second = await newcomer(), await newcomer()
    await enrol(first, code, Person("Una Used"))
    await second.go(f"/enrol/{code}")
    await second.reads("This code was used, or replaced by a newer one. Sign in with your key, or ask for a new code.")


async def test_an_expired_link_and_an_unknown_one_say_so(newcomer: Newcomer, deployment: Deployment) -> None:
    """Each of them asks for a code again, on the page or in the address."""
    visitor, code = await newcomer(), await deployment.invite(OFFICER)
    let_expire(deployment, "enrolment")
    await visitor.go(f"/enrol/{code}")
    await visitor.reads("This code has expired. Ask for a new one.")
    await visitor.fill("Code", "0000-0000-0000-0000-0000")
    await visitor.press("Continue")
    await visitor.reads("There is no such code. Check every character, or ask for a new one.")
    await visitor.fill("Code", "my code")
    await visitor.press("Continue")
    await visitor.reads(
        "Enter the code as you got it: 20 letters and digits, or two parts of 16 and 12, the longer one first"
    )


async def test_a_challenge_answered_late_or_twice_begins_anew(
    newcomer: Newcomer, olive: Person, deployment: Deployment
) -> None:
    """An expired challenge is explained, and the next answer does."""
    visitor = await newcomer()
    await visitor.plug_in(olive.key)
    await visitor.go("/sign-in")
    let_expire(deployment, "ceremony")
    await visitor.press("Sign in")
    await visitor.reads("The answer came too late, so nothing was done.")
    await visitor.press("Sign in")
    await visitor.reads("Officer's desk")


async def test_signing_in_takes_only_the_keyboard(newcomer: Newcomer, olive: Person) -> None:
    """From the top of the page to the button by Tab, and Enter; what has the focus is always visible."""
    visitor = await newcomer()
    await visitor.plug_in(olive.key)
    await visitor.go("/sign-in")
    button = visitor.page.get_by_role("button", name="Sign in", exact=True)
    for _ in range(20):
        await visitor.page.keyboard.press("Tab")
        assert await visitor.page.evaluate(
            "() => { const style = getComputedStyle(document.activeElement); "
            "return style.outlineStyle !== 'none' || style.boxShadow !== 'none' }"
        )
        if await button.evaluate("button => button === document.activeElement"):
            break
    async with visitor.page.expect_navigation():
        await visitor.page.keyboard.press("Enter")
    await visitor.reads("Officer's desk")


async def test_signing_out_everywhere_ends_the_other_session(newcomer: Newcomer, olive: Person) -> None:
    """One press ends the session at the other computer, too."""
    here, there = await newcomer(), await newcomer()
    await sign_in(here, olive.key)
    await olive.key.unplug()
    await sign_in(there, olive.key)
    await there.go("/account/keys")
    await here.go("/account/keys")
    await here.press("Sign out everywhere")
    await here.reads("You are signed out.")
    await there.go("/account/keys")
    await there.reads("Sign in with your security key")


async def test_signing_in_again_changes_the_session(newcomer: Newcomer, olive: Person) -> None:
    """A cookie that somebody planted or kept is worth nothing after the next sign-in."""
    visitor = await newcomer()
    await sign_in(visitor, olive.key)
    [before] = await visitor.page.context.cookies()
    await visitor.go("/sign-in")
    await visitor.press("Sign in")
    after = {cookie["value"] for cookie in await visitor.page.context.cookies()}
    assert before["name"] == "__Host-idverify"
    assert (before["httpOnly"], before["secure"], before["sameSite"]) == (True, True, "Strict")
    assert before["value"] not in after
    await visitor.page.context.clear_cookies()
    await visitor.page.context.add_cookies([before])
    await visitor.go("/account/keys")
    await visitor.reads("Sign in with your security key")
