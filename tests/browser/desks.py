"""What people do at the desks: an officer records and decides, a citizen collects and shows, somebody checks."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

import orjson

from idverify.core.decision import DecisionKind
from idverify.core.form_parts import SD_JWT_VC
from idverify.web.pages.act_words import DECISIONS, FORMAT_NAMES, TYPES
from tests.browser.people import confirm
from tests.browser.visitor import Visitor
from tests.simulators.service import VCT

COLLECT: Final = "Collect: %(document)s. %(form)s"


@dataclass(frozen=True)
class Subject:
    """An invented person whose status this is about."""

    family_name: str
    given_name: str
    passport: str


def status_in_words(visitor: Visitor) -> dict[str, str]:
    """An immigration status in its usual form, as buttons call it."""
    return {"document": visitor.words(TYPES[VCT]), "form": visitor.words(FORMAT_NAMES[SD_JWT_VC])}


async def find(officer: Visitor, subject: Subject) -> None:
    """Go to the record of somebody by their travel document."""
    await officer.go("/officer")
    await _type_passport(officer, subject)
    await officer.press("Find the person")


async def record(officer: Visitor, subject: Subject, photo: bytes | None = None) -> None:
    """Record a new person; their record is shown."""
    await officer.go("/officer")
    await officer.follow("Record a new person")
    await officer.fill("Family name", subject.family_name)
    await officer.fill("Given names", subject.given_name)
    await officer.date("Date of birth", dt.date(1990, 1, 31))
    await officer.fill("Nationalities", "QU")
    if photo is not None:
        await officer.choose_file("Photo", "portrait.jpg", photo)
    await _type_passport(officer, subject)
    await officer.date("Valid until", dt.date(2035, 6, 30))
    await officer.press("Record the person")


async def open_grant(officer: Visitor) -> None:
    """From a record that is shown to the form that grants a permission."""
    said = {"decision": DECISIONS[DecisionKind.GRANT], "document": TYPES[VCT]}
    await officer.follow("%(decision)s: %(document)s", **{name: officer.words(word) for name, word in said.items()})


async def grant(officer: Visitor) -> None:
    """Fill in the grant of a permission on a record that is shown, up to the page that asks for the key."""
    await open_grant(officer)
    await officer.choose("Reason", "The application was granted.")
    await officer.fill("Legal basis", "Rules, part 1")
    await officer.fill("Kind of permission", "Skilled worker")
    await officer.fill("Kind of permission (code)", "SKILLED-WORKER")
    await officer.date("First day", dt.date(2024, 1, 15))
    for question, answer in (
        ("Work", "With limits"),
        ("Study", "Yes"),
        ("Renting a home", "Yes"),
        ("Travel here", "Yes"),
        ("Public funds", "No"),
    ):
        await officer.choose(question, answer)
    await officer.press("Continue")


async def propose_to_revoke(officer: Visitor) -> None:
    """Fill in a revocation on a record that is shown, up to the page that asks for the key."""
    await officer.follow(DECISIONS[DecisionKind.REVOKE])
    await officer.choose("Reason", "The permission was cancelled by decision.")
    await officer.fill("Legal basis", "Rules, part 9")
    await officer.press("Continue")


async def enrolment_code(officer: Visitor) -> str:
    """Print a slip for the person whose record is shown; its code."""
    await officer.press("Print a code to register a security key")
    await confirm(officer)
    return await officer.page.locator("#code").inner_text()


async def hand_out(officer: Visitor) -> dict[str, Any]:
    """Make an offer for the person whose record is shown; the file that the page gives for it."""
    await officer.press("Hand out: %(document)s. %(form)s", **status_in_words(officer))
    await confirm(officer)
    offered: dict[str, Any] = orjson.loads(await officer.save("Download the offer", "link"))
    return offered


async def collect(citizen: Visitor) -> None:
    """Collect a document into the wallet of this browser, which is shown with it."""
    await citizen.go("/citizen")
    await citizen.press(COLLECT, **status_in_words(citizen))
    await confirm(citizen)
    await citizen.press("Collect into this browser")
    await citizen.page.get_by_role("heading", name=citizen.words(TYPES[VCT])).wait_for()


async def ask_wallet(checker: Visitor, desk: str, kind: str = VCT) -> str:
    """Make a verification request at a desk's verify page; its text. The page waits for the answer."""
    await checker.go(f"{desk}/verify")
    await checker.page.get_by_label(checker.words("Document to ask the wallet for")).select_option(kind)
    await checker.press("Ask the person's wallet first")
    return await checker.page.locator("#request").inner_text()


async def answer(citizen: Visitor, request: str, *shown: str) -> str:
    """Answer a verification request from the wallet of this browser, showing these besides what is ticked already."""
    await citizen.go("/citizen/wallet")
    await citizen.fill("The request", request)
    await citizen.click("Read the request")
    for claim in shown:
        await citizen.choose("Tick what they may see", claim)
    await citizen.click("Make the answer")
    text = citizen.page.get_by_label(citizen.words("Give this text to whoever checks, within five minutes"))
    await text.wait_for()
    return await text.input_value()


async def check(checker: Visitor, document: str) -> None:
    """Paste what was handed over; the verdict is shown."""
    await checker.fill("Paste the document or the wallet's answer", document)
    await checker.press("Check")


async def _type_passport(officer: Visitor, subject: Subject) -> None:
    await officer.fill("Type of travel document", "P")
    await officer.fill("Number of travel document", subject.passport)
    await officer.fill("Issuing state", "UTO")


async def order_letters(officer: Visitor, people: list[str]) -> str:
    """Order letters for these people in the print room; the batch, whose page is shown."""
    await officer.go("/officer")
    await officer.follow("Print room: letters for many people")
    await officer.fill("References of the people", "\n".join(people))
    await officer.choose("Which document?", "Immigration status")
    await officer.choose("What is the letter for?", "Right to work")
    await officer.choose("In which language?", "English")
    await officer.press("Order the letters")
    await officer.reads("Do you confirm that these letters are issued?")
    await confirm(officer)
    await officer.reads("The letters are ordered. They are made one after the other, also if you close this page.")
    return officer.page.url.partition("?")[0].rpartition("/")[2]
