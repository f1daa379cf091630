"""Deciding on the officers' pages: the form, the confirmation, the second officer."""

from __future__ import annotations

from tests.simulators.plain_browser import PlainBrowser, Shown
from tests.unit.web.pages.conftest import People

REVOKE = {"reason": "permission-cancelled", "legal_basis": "Rules, part 9"}
UNFIT = (
    ({"reason": ""}, "Choose the reason"),
    ({"reason": "application-granted"}, "Choose a reason from the list"),
    ({"legal_basis": ""}, "Give the legal basis"),
    ({"legal_basis": "x" * 301}, "Use at most 300 characters"),
)


async def proposed(officer: PlainBrowser, person: str) -> Shown:
    """What the page says once an officer has proposed to revoke a person's permission."""
    path = f"/officer/people/{person}/decide/revoke"
    return await officer.confirm(await officer.fill(await officer.open(path), path, **REVOKE))


async def waiting(officer: PlainBrowser) -> Shown:
    """The one proposal that waits."""
    listed = await officer.open("/officer/proposals")
    (path,) = {link for link in listed.links if link.startswith("/officer/proposals/")}
    return await officer.open(path)


async def test_the_confirmation_says_what_is_signed(people: People) -> None:
    """Before the key is touched, the page says the decision, its reason and its legal basis in plain words."""
    officer = await people.staff("second")
    person = await people.served.api.person_with_status()
    path = f"/officer/people/{person}/decide/revoke"
    page = await officer.fill(await officer.open(path), path, **REVOKE)
    for said in ("Revoke a permission", "The permission was cancelled by decision.", "Rules, part 9", person):
        assert said in page.text
    assert page.ceremony is not None


async def test_one_proposes_and_another_approves(people: People) -> None:
    """The proposer is told that another officer must; the other one carries it out; a third time it is used up."""
    person = await people.served.api.person_with_status()
    proposer = people.browser()
    await proposer.enrol(await people.invite_officer("Pia Proposer"))
    second = await people.staff("second")
    made = await proposed(proposer, person)
    own, others = await waiting(proposer), await waiting(second)
    assert "Nothing has changed yet." in made.text
    assert "You proposed this, so you cannot approve it." in own.text
    assert own.path not in [form.action for form in own.forms]
    assert (await proposer.send(own.path, {"csrf": made_csrf(own)})).status == 403
    done = await second.confirm(await second.fill(others, others.path))
    assert done.heading == "The decision is recorded"
    assert "The permission was revoked." in done.text
    assert (await second.send(others.path, {"csrf": made_csrf(others)})).status == 409
    assert "Nothing waits." in (await second.open("/officer/proposals")).text
    assert "Pia Proposer, Oscar Officer" in (await second.open(f"/officer/people/{person}")).text


async def test_a_swapped_field_is_refused(people: People) -> None:
    """Between the question and the answer no field can be exchanged: nothing is decided then."""
    officer = await people.staff("second")
    person = await people.served.api.person_with_status()
    path = f"/officer/people/{person}/decide/revoke"
    asked = await officer.fill(await officer.open(path), path, **REVOKE)
    swapped = await officer.confirm(asked, reason="deceased")
    assert swapped.status == 409
    assert "Nothing was done" in swapped.text
    assert "Nothing waits." in (await officer.open("/officer/proposals")).text


async def test_an_expired_proposal_is_not_offered_for_approval(people: People) -> None:
    """Three days later the page says that it must be proposed again."""
    person = await people.served.api.person_with_status()
    second = await people.staff("second")
    await proposed(second, person)
    path = (await waiting(second)).path
    people.served.clock.advance(72 * 3600)
    await second.sign_in()
    page = await second.open(path)
    assert "It has expired." in page.text
    assert path not in [form.action for form in page.forms]


async def test_a_proposal_that_was_carried_out_is_not_offered_for_approval(people: People) -> None:
    """Whoever opens it again reads that it is done."""
    person = await people.served.api.person_with_status()
    proposer = people.browser()
    await proposer.enrol(await people.invite_officer("Pia Proposer"))
    await proposed(proposer, person)
    second = await people.staff("second")
    waits = await waiting(second)
    await second.confirm(await second.fill(waits, waits.path))
    page = await second.open(waits.path)
    assert "It was approved, and is done." in page.text
    assert waits.path not in [form.action for form in page.forms]


async def test_what_does_not_fit_is_said(people: People) -> None:
    """A decision without a reason of its kind or without a legal basis gets no further than its form."""
    officer = await people.staff("second")
    path = f"/officer/people/{await people.served.api.person_with_status()}/decide/suspend"
    empty = await officer.open(path)
    for typed, sentence in UNFIT:
        page = await officer.fill(empty, path, **{"reason": "under-review", "legal_basis": "Rules, part 9", **typed})
        assert (page.status, page.ceremony) == (400, None)
        assert sentence in page.text


async def test_a_change_starts_from_the_permission_in_force(people: People) -> None:
    """The form of a change shows what is permitted now, and takes two officers."""
    officer = await people.staff("second")
    path = f"/officer/people/{await people.served.api.person_with_status()}/decide/vary"
    page = await officer.open(path)
    assert "This takes two officers" in page.text
    typed = page.form(path).fields
    assert (typed["type_code"], typed["work"], typed["starts-year"]) == ("SKILLED-WORKER", "limited", "2024")
    changed = {"reason": "extended", "legal_basis": "Rules, part 2", "work": "yes", "occupations": ""}
    confirmed = await officer.confirm(await officer.fill(page, path, **changed))
    assert confirmed.heading == "It waits for a second officer"
    assert "Sponsored occupation only" not in (await waiting(officer)).text


async def test_what_the_status_does_not_allow_is_a_page(people: People) -> None:
    """The form of a decision that cannot be taken now says why."""
    officer = await people.staff("second")
    person = await people.served.api.person_with_status()
    for kind in ("grant", "reinstate"):
        page = await officer.open(f"/officer/people/{person}/decide/{kind}")
        assert page.status == 422
        assert "needs a person whose status is" in page.text


def made_csrf(page: Shown) -> str:
    """The token of the session that a page was shown in."""
    return next(form.fields["csrf"] for form in page.forms if "csrf" in form.fields)
