"""Somebody lost their phone: one copy goes, by their security key, and a document in it is rejected from then on."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from idverify.core.policy import Role
from idverify.services.invite import Invited
from idverify.web.pages.words import Language
from tests.browser import desks
from tests.browser.conftest import Newcomer
from tests.browser.desks import Subject
from tests.browser.people import Person, confirm, enrol, enrol_with_slip
from tests.browser.portrait import portrait
from tests.simulators.service import Deployment

OFFICERS = {Language.EN: "Erin Officer", Language.CY: "Menna Swyddog"}
SUBJECTS = {
    Language.EN: Subject("EXAMPLE", "EMMA", "EX200001"),
    Language.CY: Subject("ENGHRAIFFT", "MEGAN", "EX200002"),
}
COPY = "main a[href^='/citizen/copies/']"


@pytest.mark.parametrize("language", [Language.EN, pytest.param(Language.CY, marks=pytest.mark.long)])
async def test_a_lost_copy_is_withdrawn(
    browser: Browser, newcomer: Newcomer, deployment: Deployment, language: Language
) -> None:
    """Collected, shown, lost: the desk leads to the copy, asks why, and asks for the key; then nobody accepts it."""
    officer, citizen, subject = await newcomer(language), await newcomer(language), SUBJECTS[language]
    await enrol(officer, await deployment.invite(Invited(Role.OFFICER)), Person(OFFICERS[language]))
    await desks.record(officer, subject, await portrait(browser))
    await desks.grant(officer)
    await confirm(officer)
    await desks.find(officer, subject)
    await enrol_with_slip(citizen, await desks.enrolment_code(officer))
    await desks.collect(citizen)
    kept = await citizen.save("Download the document", "button")

    await citizen.go("/citizen")
    await citizen.use(citizen.page.locator(COPY))
    await citizen.press("Withdraw this copy")
    await citizen.reads("Choose why you withdraw this copy")
    await citizen.choose("Why do you withdraw it?", "The device that it was on is lost, or somebody else may have it.")
    await citizen.press("Withdraw this copy")
    await citizen.reads("Do you confirm that nobody may accept this copy any more?")
    await confirm(citizen)
    await citizen.reads("The copy is withdrawn. Within minutes nobody accepts it any more.")
    await citizen.reads("Withdrawn by its holder: lost")
    await citizen.reads("You have permission to be here, without an end date")
    assert await citizen.page.locator(COPY).count() == 0

    await officer.go("/officer/verify")
    await officer.choose_file("Or choose files", "document.sdjwt", kept)
    await officer.press("Check")
    await officer.reads("Rejected")
    await officer.reads("The device that it was on is lost, or somebody else may have it.")
