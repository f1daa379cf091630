"""A status from grant to revocation, at the pages of four people with four security keys, in each language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from playwright.async_api import Browser

from idverify.core.credential_type import Purpose
from idverify.core.decision import DecisionKind
from idverify.core.policy import Role
from idverify.ports import SystemClock
from idverify.services.invite import Invited
from idverify.web.pages.verdict_words import WITHDRAWN
from idverify.web.pages.words import Language, day_in_words
from tests.browser import desks
from tests.browser.conftest import Newcomer
from tests.browser.desks import Subject
from tests.browser.people import Person, confirm, enrol, enrol_as_named, enrol_with_slip
from tests.browser.portrait import portrait
from tests.browser.visitor import Visitor
from tests.simulators.service import Deployment

# One line for several looks: "3 times since ..." or "Nifer o weithiau ers ...: 3"
FOLDED = re.compile(r"^(\d+) |: (\d+)$")
PROPOSAL = "main .govuk-summary-list__actions a"


@dataclass(frozen=True)
class Cast:
    """Who plays in one language."""

    first: str
    second: str
    employer: str
    subject: Subject


CASTS: Mapping[Language, Cast] = {
    Language.EN: Cast("Edith Officer", "Edwin Officer", "Example Farm Ltd", Subject("EXAMPLE", "ELLA", "EX100001")),
    Language.CY: Cast(
        "Mair Swyddog", "Math Swyddog", "Fferm Enghraifft Cyf", Subject("ENGHRAIFFT", "ELIN", "EX100002")
    ),
}


@pytest.mark.parametrize("language", [Language.EN, pytest.param(Language.CY, marks=pytest.mark.long)])
async def test_a_status_from_grant_to_revocation(
    browser: Browser, newcomer: Newcomer, deployment: Deployment, language: Language
) -> None:
    """Enrol, record, grant, collect, show and accept; revoke by two people and reject; the person sees every look."""
    cast, citizen = CASTS[language], await newcomer(language)
    first, second, employer = await _staff(newcomer, deployment, language)

    await desks.record(first, cast.subject, await portrait(browser))
    await desks.grant(first)
    await first.reads("Rules, part 1")  # the page says what the key will sign
    await confirm(first)
    await first.reads("The decision is recorded")
    await _enrol_at_the_counter(first, citizen, cast.subject)
    await desks.find(first, cast.subject)
    assert (await desks.hand_out(first))["issuer"] == deployment.url
    await desks.collect(citizen)

    await _accepted(first, citizen)
    await _accepted_with_what_work_needs(employer, citizen)
    kept = await citizen.save("Download the document", "button")
    await _judged(second, kept, "Check by hand")  # nobody proved that it is theirs

    await desks.find(first, cast.subject)
    await desks.propose_to_revoke(first)
    await confirm(first)
    await first.reads("It waits for a second officer")
    await _approve(first, second)
    await _judged(second, kept, "Rejected")
    await second.reads(WITHDRAWN[DecisionKind.REVOKE], date=day_in_words(language, SystemClock().now()))
    await second.reads("The permission was cancelled by decision.")
    await _saw_every_look(citizen, cast, first, second)


async def _staff(newcomer: Newcomer, deployment: Deployment, language: Language) -> list[Visitor]:
    """Two officers and an employer, each enrolled by a one-time link at a browser of their own."""
    cast, there = CASTS[language], [await newcomer(language) for _ in range(3)]
    for officer, name in zip(there, (cast.first, cast.second), strict=False):
        await enrol(officer, await deployment.invite(Invited(Role.OFFICER)), Person(name))
    await enrol_as_named(there[2], await deployment.invite(Invited(Role.RELYING_PARTY, cast.employer, Purpose.WORK)))
    return there


async def _enrol_at_the_counter(officer: Visitor, citizen: Visitor, subject: Subject) -> None:
    """A slip that prints on one sheet without the page around it, and a citizen who types its code as people do."""
    await desks.find(officer, subject)
    code = await desks.enrolment_code(officer)
    await officer.page.emulate_media(media="print")
    assert code in await officer.text()
    assert not await officer.page.get_by_role("button", name=officer.words("Sign out"), exact=True).is_visible()
    assert (await officer.page.pdf(format="A4")).count(b"/Type /Page\n") == 1
    await officer.page.emulate_media(media="screen")
    await enrol_with_slip(citizen, code)
    await citizen.follow("Your status")
    await citizen.reads("You have permission to be here, without an end date")


async def _accepted(officer: Visitor, citizen: Visitor) -> None:
    """An officer asks the wallet, pastes its answer, and sees all of it with the photo; a second time by file."""
    request = await desks.ask_wallet(officer, "/officer")
    await desks.check(officer, await desks.answer(citizen, request, "Family name", "Photo", "Work"))
    await officer.reads("Accepted")
    await officer.reads("The document is genuine, and it holds today.")
    photo = officer.words("Photo of the person whom the document was issued to")
    assert await officer.page.get_by_role("img", name=photo, exact=True).is_visible()
    await desks.answer(citizen, await desks.ask_wallet(officer, "/officer"))
    file = await citizen.save("Download the answer", "button")
    await officer.choose_file("Or choose a file", "presentation.json", file)
    await officer.press("Check")
    await officer.reads("Accepted")


async def _accepted_with_what_work_needs(employer: Visitor, citizen: Visitor) -> None:
    """An employer learns what the right to work needs, and not where somebody comes from or may live."""
    await desks.check(employer, await desks.answer(citizen, await desks.ask_wallet(employer, "/relying-party")))
    await employer.reads("Accepted")
    await employer.reads("Work")
    text = await employer.text()
    assert employer.words("Renting a home") not in text
    assert employer.words("Nationalities") not in text
    await employer.go("/relying-party/usage")
    await employer.reads("Checked a document shown by a wallet")


async def _approve(proposer: Visitor, approver: Visitor) -> None:
    """Whoever proposed it cannot approve it; a second officer can, over the same act. It is the newest that waits."""
    await proposer.go("/officer/proposals")
    await proposer.use(proposer.page.locator(PROPOSAL).last)
    await proposer.reads(
        "You proposed this, so you cannot approve it. Another officer must, with their own security key."
    )
    await approver.go("/officer/proposals")
    await approver.use(approver.page.locator(PROPOSAL).last)
    await approver.reads("Rules, part 9")
    await approver.press("Approve")
    await approver.reads("Rules, part 9")
    await confirm(approver)
    await approver.reads("The decision is recorded")


async def _judged(officer: Visitor, document: bytes, verdict: str) -> None:
    """Somebody brings the document itself as a file, without the wallet that it lives in."""
    await officer.go("/officer/verify")
    await officer.choose_file("Or choose files", "document.sdjwt", document)
    await officer.press("Check")
    await officer.reads(verdict)


async def _saw_every_look(citizen: Visitor, cast: Cast, *officers: Visitor) -> None:
    """The citizen's list counts every look of the officers' shifts, the employer's one, and their new key."""
    made = 0
    for officer in officers:
        await officer.go("/officer")
        made += await officer.page.locator("main .govuk-summary-list__row").count()
    await citizen.go("/citizen")
    hints = await citizen.page.locator("main tbody tr .govuk-hint").all_inner_texts()
    repeated = [int(found[1] or found[2]) for hint in hints if (found := FOLDED.search(hint))]
    rows = await citizen.page.locator("main tbody tr").count()
    assert rows - len(repeated) + sum(repeated) == made + 2
    for name in (cast.first, cast.second, cast.employer):
        await citizen.reads(name)
    await citizen.reads("Your permission was revoked")
