"""A letter that may not be made: the form comes back with why, and with all that was chosen."""

from __future__ import annotations

from idverify.web.pages.officer_letters import COLLECTION
from tests.simulators.holder import decided_by_two
from tests.simulators.service import VCT
from tests.unit.web.pages.conftest import People

CHOSEN = {"purpose": "work", "language": "en"}
NO_PHOTO = "There is no photo on record, or this purpose shows none"


async def test_a_small_photo_of_whom_there_is_none(people: People) -> None:
    """At the officer's desk, with a code at any counter, and at the person's own."""
    person = await people.served.api.person_with_status()
    officer = people.browser()
    await officer.enrol(await people.invite_officer("Piet Printer"))
    letters = f"/officer/people/{person}/letters"
    wish = {**CHOSEN, "extras": ["large", "portrait"]}
    page = await officer.fill(await officer.open(letters), letters, type=VCT, **wish)
    assert (page.status, NO_PHOTO in page.text) == (400, True)
    assert page.form(letters)

    slip = await people.served.api.ok("POST", f"/api/v1/people/{person}/letter-codes", "officer", {"type": VCT})
    page = await officer.fill(await officer.open(COLLECTION), COLLECTION, code=slip["code"], **wish)
    assert (page.status, NO_PHOTO in page.text, slip["code"] in page.html) == (400, True, True)
    done = await officer.confirm(await officer.fill(page, COLLECTION, code=slip["code"], extras=["large"]))
    assert "The letter is ready." in done.text

    citizen = await people.citizen(person)
    page = await citizen.fill(await citizen.open("/citizen/letters"), "/citizen/letters", type=VCT, **wish)
    assert (page.status, NO_PHOTO in page.text) == (400, True)


async def test_what_is_missing_is_told_in_the_order_of_the_page(people: People) -> None:
    """Who goes by the keyboard from one error to the next goes down the form once."""
    person = await people.served.api.person_with_status()
    officer = people.browser()
    await officer.enrol(await people.invite_officer("Piet Printer"))
    chosen = ["Choose what the letter is for", "Choose the language of the letter"]
    for path, form, first in (
        (f"/officer/people/{person}/letters", f"/officer/people/{person}/letters", ["Choose the document"]),
        (COLLECTION, COLLECTION, ["Type the code that is on the sheet"]),
        ("/officer/print-room", "/officer/print-room", ["Choose the document"]),
    ):
        page = await officer.fill(await officer.open(path), form)
        places = [page.text.index(error) for error in first + chosen]
        assert (page.status, places) == (400, sorted(places))


async def test_a_person_whose_status_gives_none(people: People) -> None:
    """Another document than the status gives, and a suspended status: told beside the question."""
    person = await people.served.api.person_with_status()
    officer = people.browser()
    await officer.enrol(await people.invite_officer("Piet Printer"))
    letters = f"/officer/people/{person}/letters"
    page = await officer.fill(await officer.open(letters), letters, type="urn:eudi:pid:1", **CHOSEN)
    assert (page.status, "gives this person no document of this type" in page.text) == (400, True)
    slip = await people.served.api.ok("POST", f"/api/v1/people/{person}/letter-codes", "officer", {"type": VCT})
    await decided_by_two(people.served.api, person, "suspend", "under-review")
    page = await officer.fill(await officer.open(COLLECTION), COLLECTION, code=slip["code"], **CHOSEN)
    assert (page.status, slip["code"] in page.html) == (400, True)
