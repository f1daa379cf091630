"""Officers' pages: the desk, a new person, the record, and what others must not see of them."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from idverify.stores import tables
from tests.simulators.plain_browser import PlainBrowser, Shown
from tests.simulators.service import VCT
from tests.unit.web.pages.conftest import People

NEW = "/officer/people/new"
WHO = {
    "family_name": "SPECIMEN",
    "given_name": "ANNA MARIA",
    "birthdate__day": "12",
    "birthdate__month": "8",
    "birthdate__year": "1974",
    "nationalities": "qu, gb",
}
PASSPORT = {
    "document_type": "p",
    "document_number": "l 898 902c",
    "issuing_state": "uto",
    "document_expiry__day": "1",
    "document_expiry__month": "2",
    "document_expiry__year": "2031",
}
JPEG = b"\xff\xd8\xff\xe0 a photo"
UNFIT: tuple[tuple[dict[str, str | bytes], str], ...] = (
    ({"family_name": ""}, "Give the family name"),
    ({"given_name": "A\u202eB"}, "Use at most 150 characters that can be printed"),
    ({"birthdate__month": "13"}, "The date of birth must be a real date"),
    ({"nationalities": "Utopian"}, "Nationalities are one to five codes of two letters"),
    ({"nationalities": "QU,GB,FR,DE,IT,ES"}, "Nationalities are one to five codes of two letters"),
    ({"document_number": "L898902C"}, "Give every field of the travel document, or none of them"),
    ({**PASSPORT, "issuing_state": "Utopia"}, "The issuing state is a code of up to three letters"),
    ({"picture": b"GIF89a"}, "The photo must be a JPEG file of at most 22 kB"),
    ({"picture": JPEG + bytes(23_000)}, "The photo must be a JPEG file of at most 22 kB"),
)


async def record(officer: PlainBrowser, **more: str | bytes) -> Shown:
    """What comes of recording a person."""
    return await officer.fill(await officer.open(NEW), NEW, **{**WHO, **more})


async def test_a_person_is_recorded_and_found_again(people: People) -> None:
    """Blanks and small letters of a document's number make no other document."""
    officer = await people.staff("officer")
    made = await record(officer, picture=JPEG, **PASSPORT)
    assert made.heading == "ANNA MARIA SPECIMEN"
    assert "P L898902C" in made.text
    assert "data:image/jpeg;base64,/9j/" in made.html
    desk = await officer.open("/officer")
    asked = {name: PASSPORT[name] for name in ("document_type", "document_number", "issuing_state")}
    found = await officer.fill(desk, "/officer/people/search", **asked)
    assert found.path == made.path


async def test_nobody_with_this_document(people: People) -> None:
    """A search that finds nobody says so on the desk and keeps what was typed."""
    officer = await people.staff("officer")
    asked = {"document_type": "P", "document_number": "NOBODY1", "issuing_state": "UTO"}
    page = await officer.fill(await officer.open("/officer"), "/officer/people/search", **asked)
    assert page.status == 400
    assert "No person with this travel document is on record." in page.text
    assert page.form("/officer/people/search").fields["document_number"] == "NOBODY1"


async def test_a_record_is_opened_by_its_reference(people: People) -> None:
    """Who has no travel document is found by what their slip says; a reference of nobody is an error at its field."""
    officer = await people.staff("officer")
    made = await record(officer)
    reference, form = made.path.rpartition("/")[2], "/officer/people/reference"
    desk = await officer.open("/officer")
    found = await officer.fill(desk, form, reference=f"{reference[:16].upper()} {reference[16:]}")
    assert (found.path, reference in found.text) == (made.path, True)
    for typed, said in (
        ("0" * 32, "No person and no letter with this reference"),
        ("12", "The reference has 32 signs"),
    ):
        page = await officer.fill(desk, form, reference=typed)
        assert (page.status, said in page.text) == (400, True)


async def test_a_record_is_opened_by_the_reference_of_a_letter(people: People) -> None:
    """Who names the reference at the foot of a letter is found; they see on their record that somebody asked."""
    person = await people.served.api.person_with_status()
    wish = {"type": VCT, "purpose": "work"}
    made = await people.served.api.ok("POST", f"/api/v1/people/{person}/letters", "officer", wish)
    officer, form = people.browser(), "/officer/people/reference"
    await officer.enrol(await people.invite_officer("Lena Looker"))
    looks = await people.served.office.store.fetch(select(tables.look), {})
    found = await officer.fill(await officer.open("/officer"), form, reference=made["letter"])
    assert found.path == f"/officer/people/{person}"
    seen = await people.served.office.store.fetch(select(tables.look), {})
    assert [look["channel"] for look in seen[len(looks) :]] == ["record", "record"]  # the search, and the record


async def test_a_document_is_on_record_once(people: People) -> None:
    """A second person with the same document is an error at its field, not a second record."""
    officer = await people.staff("officer")
    await record(officer, **PASSPORT)
    again = await record(officer, **PASSPORT)
    assert again.status == 400
    assert "A person with this travel document is on record already." in again.text


async def test_what_does_not_fit_is_said(people: People) -> None:
    """Every field of the form of a new person says what is wrong with it, and nobody is recorded."""
    officer = await people.staff("officer")
    for typed, sentence in UNFIT:
        page = await record(officer, **typed)
        assert (page.status, page.heading) == (400, "Record a new person")
        assert sentence in page.text


async def test_the_record_says_what_can_be_done_next(people: People) -> None:
    """What status and record do not allow is not offered: decisions, and documents before there is a permission."""
    officer = await people.staff("second")
    nobody_yet = await record(officer)
    api = people.served.api
    granted = await officer.open(f"/officer/people/{await api.person_with_status()}")
    assert _decisions(nobody_yet) == {"grant"}
    assert _decisions(granted) == {"vary", "suspend", "revoke"}
    assert nobody_yet.path + "/offer" not in [form.action for form in nobody_yet.forms]
    assert granted.path + "/offer" in [form.action for form in granted.forms]
    for said in ("The person holds a permission.", "Skilled worker", "Rules, part 1", "Olive Officer"):
        assert said in granted.text


async def test_a_permission_that_has_ended_is_called_so(people: People) -> None:
    """After its last day a permission is not said to run, and nothing is handed out on it."""
    officer = await people.staff("officer")
    grant = f"{(await record(officer)).path}/decide/grant"
    page = await officer.fill(await officer.open(grant), grant, **ended_permission())
    await officer.confirm(page)
    shown = await officer.open(grant.removesuffix("/decide/grant"))
    assert "The person holds a permission. The permission has ended." in shown.text
    assert shown.path + "/offer" not in [form.action for form in shown.forms]


async def test_who_opens_a_record_is_on_it(people: People) -> None:
    """The officer's own look stands on the record and in the history of the shift."""
    officer = await people.staff("second")
    person = await people.served.api.person_with_status()
    before = await officer.open("/officer")
    shown = await officer.open(f"/officer/people/{person}")
    after = await officer.open("/officer")
    assert "Oscar Officer" in shown.text
    assert "You have not opened a record or checked a document yet." in before.text
    assert "Opened the record: Read" in after.text


async def test_a_forms_own_address_leads_to_the_record(people: People) -> None:
    """Reloading or bookmarking a page that a form led to opens the record and does nothing."""
    officer = await people.staff("officer")
    made = await record(officer)
    for form in ("enrolment", "offer"):
        assert (await officer.open(f"{made.path}/{form}")).path == made.path
    assert (await officer.open("/officer/people/search")).path == "/officer"


async def test_unknown_people_and_decisions_are_no_page(people: People) -> None:
    """A reference that nobody has is a page that says so."""
    officer = await people.staff("officer")
    for path in (f"/officer/people/{'0' * 32}", f"/officer/proposals/{'0' * 32}"):
        assert (await officer.open(path)).status == 404


@pytest.mark.parametrize("who", ["admin", "partner"])
async def test_the_desk_is_for_officers_alone(people: People, who: str) -> None:
    """Nobody else opens an officer's page or sends its forms."""
    visitor = await people.staff(who)
    person = "0" * 32
    for path in ("/officer", NEW, f"/officer/people/{person}", "/officer/proposals", "/officer/verify"):
        assert (await visitor.open(path)).status == 403
    refused = await visitor.send(f"/officer/people/{person}/enrolment", {})
    assert refused.status == 403


async def test_the_desk_speaks_welsh(people: People) -> None:
    """An officer's record page and its errors are in Welsh for whoever reads Welsh."""
    officer = await people.staff("officer", "cy")
    wrong = await record(officer, family_name="")
    made = await record(officer)
    assert "Rhowch y cyfenw" in wrong.text
    assert "Ni roddwyd caniatâd erioed." in made.text


def ended_permission() -> dict[str, str]:
    """What an officer types to grant a permission that is over."""
    return {
        "reason": "application-granted",
        "legal_basis": "Rules, part 1",
        "type_text": "Visitor",
        "type_code": "VISITOR",
        "starts__day": "1",
        "starts__month": "2",
        "starts__year": "2020",
        "ends__day": "1",
        "ends__month": "3",
        "ends__year": "2020",
        "work": "no",
        "study": "no",
        "rent": "yes",
        "travel": "yes",
        "public_funds": "no",
    }


def _decisions(page: Shown) -> set[str]:
    return {link.rpartition("/decide/")[2] for link in page.links if "/decide/" in link}


async def test_what_a_record_lacks_is_said_before_a_form_is_filled_in(people: People) -> None:
    """New records say what documents need; one without it is offered no such grant, and says why."""
    officer = await people.staff("officer")
    new = await officer.open("/officer/people/new")
    assert "What is recorded here cannot be changed later." in new.text
    assert "Person identification data needs: Place of birth." in new.text
    assert "Driving licence needs: Photo." in new.text

    bare = await record(officer, **PASSPORT)
    assert "Person identification data cannot be given: the record lacks this" in bare.text
    assert _decisions(bare) == {"grant"}

    born = {"birth_locality": "Town", "birth_country": "QU"}
    whole = await record(officer, picture=JPEG, **born, **{**PASSPORT, "document_number": "X7"})
    assert "cannot be given" not in whole.text
    assert _decisions(whole) == {"grant", "grant/pid", "grant/driving-licence"}
    form = await officer.open(next(link for link in whole.links if link.endswith("/grant/pid")))
    assert "Assurance level (eIDAS): High. Give the day, too." in form.text
    assert "Leave all of it blank" not in form.text
