"""A letter that one desk prints is checked at another: an officer's, an organisation's; honest, altered, copied."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from idverify.core.policy import Role
from idverify.core.verdict import PAPER_UNPROVEN
from idverify.services.invite import Invited
from idverify.web.pages.words import Language
from tests.browser import desks
from tests.browser.conftest import Newcomer
from tests.browser.desks import Subject
from tests.browser.people import Person, confirm, enrol, enrol_as_named
from tests.browser.portrait import portrait
from tests.browser.visitor import Visitor
from tests.simulators import forged_letters as forged
from tests.simulators import scanned
from tests.simulators.service import Deployment
from tests.simulators.signed_in import STAFF

OFFICERS = {Language.EN: "Cara Checker", Language.CY: "Catrin Gwiriwr"}
SUBJECTS = {
    Language.EN: Subject("CHECKED", "CHARLIE", "CH300001"),
    Language.CY: Subject("GWIRIEDIG", "GWEN", "CH300002"),
}


async def printed(officer: Visitor, subject: Subject, photo: bytes) -> bytes:
    """Record somebody, grant a status, print a letter with their portrait in its code, download it."""
    await desks.record(officer, subject, photo)
    await desks.grant(officer)
    await confirm(officer)
    await desks.find(officer, subject)
    await officer.follow("Letters on paper")
    await officer.choose("Which document?", "Immigration status")
    await officer.choose("What is the letter for?", "Right to work")
    await officer.choose("In which language?", "English")
    await officer.tick("A small photo in the code, which is larger then")
    await officer.press("Issue the letter")
    await confirm(officer)
    async with officer.page.expect_download() as downloading:
        await officer.page.locator("main a[href*='/letters/'][download]").first.click()
    return (await (await downloading.value).path()).read_bytes()


async def check(visitor: Visitor, desk: str, name: str, document: bytes) -> None:
    """Give one file to a desk's page; the verdict is shown."""
    await visitor.go(f"{desk}/verify")
    await visitor.page.locator("#file").set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": document}
    )
    await visitor.press("Check")


@pytest.mark.parametrize("language", [pytest.param(Language.EN, marks=pytest.mark.long), Language.CY])
async def test_a_letter_is_checked(
    browser: Browser, newcomer: Newcomer, deployment: Deployment, language: Language
) -> None:
    """As a file and as a scan, twice over: genuine, and not proven whose; altered it is rejected."""
    officer, subject = await newcomer(language), SUBJECTS[language]
    await enrol(officer, await deployment.invite(Invited(Role.OFFICER)), Person(OFFICERS[language]))
    pdf = await printed(officer, subject, await portrait(browser))
    scan = scanned.as_pdf(scanned.pages(pdf))

    for name, document in (("letter.pdf", pdf), ("copy.pdf", pdf), ("scan.pdf", scan)):
        await check(officer, "/officer", name, document)
        await officer.reads("Accepted")
        await officer.reads(PAPER_UNPROVEN)
        assert subject.family_name in await officer.text()
        assert await officer.page.locator("img.idv-photo").count() == 1
    for altered in (forged.one_byte(pdf), forged.appended(pdf)):
        await check(officer, "/officer", "letter.pdf", altered)
        await officer.reads("Rejected")
        await officer.reads("The letter was changed since it was signed, or its issuer did not sign it.")
        assert subject.family_name not in await officer.text()

    employer = await newcomer(language)
    await enrol_as_named(employer, await deployment.invite(STAFF["partner"]))
    await check(employer, "/relying-party", "letter.pdf", pdf)
    await employer.reads("Accepted")
    await employer.reads(PAPER_UNPROVEN)
    assert subject.family_name in await employer.text()
    assert subject.passport not in await employer.text()
