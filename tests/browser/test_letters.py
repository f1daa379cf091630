"""Letters on paper at both desks, in each language: printed, collected with a code, got by their holder."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import zipfile
from dataclasses import replace

import pytest
from playwright.async_api import Browser

from idverify.core.policy import Role
from idverify.ledger.receipt import said_type
from idverify.services.invite import Invited
from idverify.web.pages.words import Language
from tests.browser import desks
from tests.browser.conftest import Newcomer
from tests.browser.desks import Subject
from tests.browser.people import Person, confirm, enrol, enrol_with_slip
from tests.browser.portrait import portrait
from tests.browser.visitor import Visitor
from tests.simulators.printed_letters import attached
from tests.simulators.service import Deployment

OFFICERS = {Language.EN: "Paula Printer", Language.CY: "Pedr Argraffydd"}
SUBJECTS = {
    Language.EN: Subject("LETTERED", "LENA", "LE300001"),
    Language.CY: Subject("LLYTHYROG", "LLINOS", "LE300002"),
}
PRINTERS = {Language.EN: "Petra Room", Language.CY: "Petra Ystafell"}
ROOM = {Language.EN: Subject("ROOM", "RITA", "LE400001"), Language.CY: Subject("YSTAFELL", "RHIAN", "LE500001")}
STEP = "Take this sheet to any counter of the authority. You need no phone, no e-mail and no computer."
DOWNLOAD = "main a[href*='/letters/'][download]"
RECEIPT = "main a[href$='/receipt'][download]"


async def _choose(visitor: Visitor, *, document: bool = True) -> None:
    if document:
        await visitor.choose("Which document?", "Immigration status")
    await visitor.choose("What is the letter for?", "Right to work")
    await visitor.choose("In which language?", "English")
    await visitor.tick("Large print")
    await visitor.tick("A small photo in the code, which is larger then")


async def _downloaded(visitor: Visitor) -> bytes:
    """The newest letter; its receipt, which is beside it, is of a letter."""
    assert said_type(await _file(visitor, RECEIPT)) == "letter.made"
    return await _file(visitor, DOWNLOAD)


async def _file(visitor: Visitor, link: str) -> bytes:
    async with visitor.page.expect_download() as downloading:
        await visitor.page.locator(link).first.click()
    return (await (await downloading.value).path()).read_bytes()


async def _found_by_reference(officer: Visitor) -> None:
    """By what stands at the foot of the newest letter, somebody at the counter is found."""
    reference = str(await officer.page.locator(DOWNLOAD).first.get_attribute("href")).rpartition("/")[2]
    record = officer.page.url.partition("/letters")[0]
    await officer.go("/officer")
    await officer.fill("Reference of a person or of a letter", f"{reference[:16]} {reference[16:]}")
    await officer.press("Open the record")
    assert officer.page.url == record


@pytest.mark.parametrize("language", [Language.EN, pytest.param(Language.CY, marks=pytest.mark.long)])
async def test_letters_at_both_desks(
    browser: Browser, newcomer: Newcomer, deployment: Deployment, language: Language
) -> None:
    """The officer prints one and hands out a code, for which any counter prints another; the holder gets a third."""
    officer, citizen, subject = await newcomer(language), await newcomer(language), SUBJECTS[language]
    await enrol(officer, await deployment.invite(Invited(Role.OFFICER)), Person(OFFICERS[language]))
    await desks.record(officer, subject, await portrait(browser))
    await desks.grant(officer)
    await confirm(officer)
    await desks.find(officer, subject)
    code = await desks.enrolment_code(officer)

    await desks.find(officer, subject)
    await officer.follow("Letters on paper")
    await officer.press("Issue the letter")
    await officer.reads("Choose what the letter is for")
    await _choose(officer)
    await officer.press("Issue the letter")
    await officer.reads("Do you confirm that this letter is issued?")
    await confirm(officer)
    await officer.reads("The letter is ready. It stands first in the list below: print it, or download it.")
    assert {"credential.sdjwt", "receipt.tlog-proof"} <= attached(await _downloaded(officer)).keys()

    await officer.press("Print a code: %(document)s", document=officer.words("Immigration status"))
    await confirm(officer)
    await officer.reads(
        "Take this sheet to any counter of the authority. You need no phone, no e-mail and no computer."
    )
    slip = await officer.page.locator("#code").inner_text()
    await officer.go("/officer")
    await officer.follow("Print a letter for a code")
    await officer.fill("Code", "0000-0000-0000-0000-0000")
    await _choose(officer, document=False)
    await officer.press("Issue the letter")
    await officer.reads("No letter waits for this code. Check each sign of it, or make a new code from the record.")
    await officer.fill("Code", slip.lower())
    await officer.press("Issue the letter")
    await confirm(officer)
    await officer.reads("The letter is ready. It stands first in the list below: print it, or download it.")

    await _found_by_reference(officer)

    await enrol_with_slip(citizen, code)
    await citizen.go("/citizen")
    await citizen.reads("A letter on paper")
    await citizen.follow("Get a letter on paper, or print one again")
    await _choose(citizen)
    await citizen.press("Get the letter")
    await confirm(citizen)
    assert (await _downloaded(citizen)).startswith(b"%PDF-")
    await citizen.go("/citizen")
    await citizen.use(citizen.page.locator("main a[href^='/citizen/copies/']").first)
    await citizen.reads("Showing it on paper (letter)")
    await citizen.follow("Get another letter in its place")
    await citizen.reads("The copy that it takes the place of is withdrawn with it.")
    await citizen.go("/citizen/letters")
    await citizen.press("Get a code: %(document)s", document=citizen.words("Immigration status"))
    await confirm(citizen)
    await citizen.reads("Print this page or write the code down. It is shown this once.")


@pytest.mark.parametrize("language", [Language.EN, pytest.param(Language.CY, marks=pytest.mark.long)])
async def test_the_print_room(newcomer: Newcomer, deployment: Deployment, language: Language) -> None:
    """Whoever needs a letter is listed; a list is ordered, what cannot be made is told, the rest comes as one file."""
    officer, subject = await newcomer(language), ROOM[language]
    await enrol(officer, await deployment.invite(Invited(Role.OFFICER)), Person(PRINTERS[language]))
    people = []
    for each in (subject, replace(subject, passport=subject.passport[:-1] + "9")):
        await desks.record(officer, each)
        people.append(officer.page.url.rpartition("/")[2])
    await desks.find(officer, subject)
    await desks.grant(officer)
    await confirm(officer)
    await officer.go("/officer/print-room")
    await officer.date("A letter should be good until", dt.date(2026, 1, 1))
    await officer.press("Fill the list")
    listed = await officer.page.get_by_label(officer.words("References of the people")).input_value()
    assert people[0] in listed
    assert people[1] not in listed  # nothing was decided yet
    await officer.press("Order the letters")
    await officer.reads("Choose what the letter is for")

    batch = await desks.order_letters(officer, people)
    for _ in range(60):
        await officer.go(f"/officer/print-room/{batch}")
        if not await officer.page.get_by_text(officer.words("See how far they are now")).count():
            break
        await asyncio.sleep(0.5)
    await officer.reads("%(made)s of %(total)s", made="1", total="2")
    await officer.reads("What was not made, and why")
    await officer.reads("No decision has granted this person a status yet.")
    archive = await officer.save("Download the letters that are made (ZIP)", "button")
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        (name,) = opened.namelist()
        assert opened.read(name) == await _downloaded(officer)
