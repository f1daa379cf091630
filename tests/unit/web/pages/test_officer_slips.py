"""What an officer prints: the sheet with a code, and the offer of a document."""

from __future__ import annotations

import base64
import re

import orjson

from tests.simulators.plain_browser import PlainBrowser, Shown
from tests.simulators.service import VCT
from tests.simulators.soft_wallet import SoftWallet
from tests.unit.web.pages.conftest import People

CODE = re.compile(r"[0-9A-Z]{4}(?:-[0-9A-Z]{4}){4}")


async def handed_out(officer: PlainBrowser, person: str, form: str) -> Shown:
    """The page to print, once confirmed."""
    record = await officer.open(f"/officer/people/{person}")
    return await officer.confirm(await officer.fill(record, f"{record.path}/{form}"))


async def test_the_sheet_is_in_both_languages_whatever_the_officer_reads(people: People) -> None:
    """One sheet tells an English and a Welsh reader the same; only the frame is in the officer's language."""
    person = await people.served.api.person_with_status()
    sheet = await handed_out(await people.staff("second", "cy"), person, "enrolment")
    for said in ("Register your security key", "Cofrestru eich allwedd ddiogelwch", "The code works once, until"):
        assert said in sheet.text
    assert sheet.html.count('lang="en"') >= 2
    assert sheet.headers["Cache-Control"] == "no-store"
    assert f"{people.served.office.deployment.iss}/enrol" in sheet.text


async def test_the_code_registers_a_key_once(people: People) -> None:
    """The code as it stands on the sheet opens the person's own desk, and nothing the second time."""
    person = await people.served.api.person_with_status()
    sheet = await handed_out(await people.staff("second"), person, "enrolment")
    found = CODE.search(sheet.text)
    assert found is not None
    citizen = people.browser()
    await citizen.enrol(found[0])
    assert (await citizen.open("/citizen")).heading == "You have permission to be here, without an end date"
    assert (await people.browser().open(f"/enrol/{found[0]}")).status == 409


async def test_the_person_sees_what_was_made_for_them(people: People) -> None:
    """A code and an offer stand on the record, each with who made it."""
    officer = await people.staff("second")
    person = await people.served.api.person_with_status()
    await handed_out(officer, person, "enrolment")
    await handed_out(officer, person, "offer")
    shown = (await officer.open(f"/officer/people/{person}")).text.partition("Who looked")[2]
    assert "Made a code to register a security key" in shown
    assert "Offered a credential" in shown


async def test_no_code_without_the_officers_key(people: People) -> None:
    """The button asks for the key first; the page that asks holds no code."""
    officer = await people.staff("second")
    record = await officer.open(f"/officer/people/{await people.served.api.person_with_status()}")
    page = await officer.fill(record, f"{record.path}/enrolment")
    assert page.ceremony is not None
    assert CODE.search(page.text) is None


async def test_the_offer_is_a_file_that_a_wallet_takes(people: People) -> None:
    """What is shown and what is downloaded are the same, and a wallet collects with it."""
    api = people.served.api
    page = await handed_out(await people.staff("second"), await api.person_with_status(), "offer")
    prefix = "data:application/json;base64,"
    (link,) = (link for link in page.links if link.startswith(prefix))
    offer = orjson.loads(base64.b64decode(link.removeprefix(prefix)))
    assert all(value in page.text for value in offer.values())
    assert offer["type"] == VCT
    body = {"code": offer["code"], "proof": SoftWallet().proof(offer["issuer"], offer["nonce"])}
    collected = await api.ok("POST", "/api/v1/credentials", None, body, Idempotency_Key="first-attempt")
    assert collected["format"] == "dc+sd-jwt"


async def test_there_is_no_offer_of_an_unknown_type(people: People) -> None:
    """A type that was written into the form by hand is refused."""
    officer = await people.staff("second")
    record = await officer.open(f"/officer/people/{await people.served.api.person_with_status()}")
    for wrong in ("", "urn:example:other"):
        page = await officer.fill(record, f"{record.path}/offer", type=wrong)
        assert page.status == 422
        assert page.ceremony is None


async def test_whoever_confirms_sees_whom_it_is_about(people: People) -> None:
    """Name and date of birth stand above what is signed, and the person can see that they were shown."""
    oscar = await people.staff("second")
    api = people.served.api
    person = await api.person_with_status()
    asked = await oscar.fill(await oscar.open(f"/officer/people/{person}"), f"/officer/people/{person}/enrolment")
    assert "This is about ANNA SPECIMEN, born 12 August 1974." in asked.text
    slip = await oscar.confirm(asked)
    assert person in slip.text.replace(" ", "")
