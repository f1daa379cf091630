"""Without JavaScript: key ceremonies say so, and everything else works."""

from __future__ import annotations

from tests.browser import desks
from tests.browser.conftest import Newcomer
from tests.browser.desks import Subject
from tests.browser.people import Person, sign_in
from tests.browser.visitor import Visitor

SWITCHED_OFF = "JavaScript is switched off"


async def test_a_key_ceremony_explains_itself(newcomer: Newcomer) -> None:
    """The page says it before the button is pressed, and after, with what to do."""
    visitor = await newcomer(java_script_enabled=False)
    await visitor.go("/sign-in")
    await visitor.reads(SWITCHED_OFF)
    await visitor.press("Sign in")
    await visitor.reads("A browser talks to a security key by JavaScript alone. Everything else here works without it.")


async def test_an_officer_works_with_a_session_from_elsewhere(newcomer: Newcomer, olive: Person) -> None:
    """Records a person, finds them, checks a document, reads what waits; a decision stops where the key is needed."""
    officer = await _signed_in(newcomer, olive)
    subject = Subject("PLAIN", "PAULA", "NOSCRIPT1")
    await desks.record(officer, subject)
    await officer.reads("No permission was ever granted.")
    await desks.find(officer, subject)
    await officer.go("/officer/verify")
    await officer.fill("Paste the document or the wallet's answer", "eyJ.eyJ.sig~")
    await officer.press("Check")
    await officer.reads("Rejected")
    await officer.go("/officer/proposals")
    await officer.reads("Decisions that wait for a second officer")
    await desks.find(officer, subject)
    await desks.grant(officer)
    await officer.reads("Do you confirm this decision?")
    await officer.reads(SWITCHED_OFF)
    await officer.press("Confirm with your security key")
    await officer.reads(SWITCHED_OFF)
    await desks.find(officer, subject)
    await officer.reads("No permission was ever granted.")


async def test_signing_out_needs_no_javascript(newcomer: Newcomer, olive: Person) -> None:
    """A form is enough."""
    officer = await _signed_in(newcomer, olive)
    await officer.press("Sign out")
    await officer.reads("You are signed out.")


async def _signed_in(newcomer: Newcomer, person: Person) -> Visitor:
    """A browser without JavaScript that was given a session: nobody can sign in there."""
    elsewhere, visitor = await newcomer(), await newcomer(java_script_enabled=False)
    await sign_in(elsewhere, person.key)
    cookies = await elsewhere.page.context.cookies()
    await visitor.page.context.add_cookies(cookies)
    await visitor.go("/officer")
    return visitor
