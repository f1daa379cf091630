"""A PID at pages alone: recorded with what it needs, granted, collected into the browser, shown at the counter."""

from __future__ import annotations

import datetime as dt

from playwright.async_api import Browser

from idverify.core.form_parts import SD_JWT_VC
from idverify.core.types.pid import PID
from idverify.web.pages.act_words import FORMAT_NAMES
from tests.browser import desks
from tests.browser.conftest import Newcomer
from tests.browser.desks import COLLECT, Subject
from tests.browser.people import Person, confirm, enrol_with_slip, sign_in
from tests.browser.portrait import portrait
from tests.browser.visitor import Visitor

SUBJECT = Subject("EXAMPLE", "EIRA", "EX300001")
GRANT = "Grant a permission: Person identification data"


async def test_a_pid_is_shown_at_the_counter(browser: Browser, newcomer: Newcomer, olive: Person) -> None:
    """Whoever lacks a place of birth is offered none, and it is said why; whoever has one collects it and shows it."""
    officer, citizen = await newcomer(), await newcomer()
    await sign_in(officer, olive.key)
    photo = await portrait(browser)
    await desks.record(officer, SUBJECT, photo)
    await officer.reads("Person identification data cannot be given")
    assert await officer.page.get_by_role("link", name=GRANT).count() == 0

    await _record_with_birth(officer, photo)
    await officer.follow(GRANT)
    await officer.reads("Assurance level (eIDAS): High. Give the day, too.")
    await _grant(officer)
    await officer.follow("The person's record")
    await enrol_with_slip(citizen, await desks.enrolment_code(officer))
    await citizen.go("/citizen")
    await citizen.press(COLLECT, document=PID.name, form=FORMAT_NAMES[SD_JWT_VC])
    await confirm(citizen)
    await citizen.press("Collect into this browser")
    await citizen.page.get_by_role("heading", name=PID.name).wait_for()

    request = await desks.ask_wallet(officer, "/officer", PID.id)
    await desks.check(officer, await desks.answer(citizen, request, "Family name", "Photo"))
    await officer.reads("Accepted")
    await officer.reads("Compare the photo with the person.")


async def _record_with_birth(officer: Visitor, photo: bytes) -> None:
    await officer.go("/officer")
    await officer.follow("Record a new person")
    await officer.reads("Person identification data needs: Place of birth.")
    for label, text in {
        "Family name": SUBJECT.family_name,
        "Given names": SUBJECT.given_name,
        "Nationalities": "QU",
        "Place of birth": "Utopia City",
        "Country of birth": "QU",
    }.items():
        await officer.fill(label, text)
    await officer.date("Date of birth", dt.date(1990, 1, 31))
    await officer.choose_file("Photo", "portrait.jpg", photo)
    await officer.press("Record the person")


async def _grant(officer: Visitor) -> None:
    await officer.choose("Reason", "The application was granted.")
    await officer.fill("Legal basis", "Rules, part 1")
    await officer.date("First day", dt.date(2026, 1, 15))
    await officer.date("Last day", dt.date(2036, 1, 14))
    await officer.date("Identity checked on", dt.date(2026, 1, 12))
    await officer.page.get_by_label("Assurance level (eIDAS)").select_option("high")
    await officer.press("Continue")
    await confirm(officer)
