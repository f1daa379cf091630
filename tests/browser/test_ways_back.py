"""Somebody loses their only key and comes back, in a real browser: by their sheet, by a counter; and cancels a code."""

from __future__ import annotations

import pytest

from idverify.core.policy import Role
from idverify.services.enrol import _WAS_CANCELLED
from idverify.services.invite import Invited
from idverify.services.recovery_codes import SET_SIZE
from idverify.web.pages.account import _DONE
from idverify.web.pages.notices import WORDS, NoticeKind
from idverify.web.pages.words import Language
from tests.browser import desks
from tests.browser.conftest import Newcomer
from tests.browser.desks import Subject
from tests.browser.people import confirm, enrol_as_named, enrol_with_slip
from tests.browser.security_key import SecurityKey
from tests.browser.visitor import Visitor
from tests.simulators.bound_rows import rewritten
from tests.simulators.service import Deployment

SUBJECTS = {
    Language.EN: Subject("LOSER", "LESLIE", "LOST01"),
    Language.CY: Subject("COLLWR", "LLEU", "LOST02"),
}
ENDS = {Language.EN: "East", Language.CY: "West"}


async def _with_account(newcomer: Newcomer, deployment: Deployment, language: Language) -> tuple[Visitor, Visitor]:
    """An officer at the record of somebody, and that person, who enrolled with a slip."""
    officer, citizen = await newcomer(language), await newcomer(language)
    name = f"Orla {ENDS[language]}"
    await enrol_as_named(officer, await deployment.invite(Invited(Role.OFFICER, name)))
    await desks.record(officer, SUBJECTS[language])
    await enrol_with_slip(citizen, await desks.enrolment_code(officer))
    return officer, citizen


async def _types_code(visitor: Visitor, code: str) -> None:
    await visitor.go("/sign-in")
    await visitor.follow("I cannot sign in")
    await visitor.follow("Use a code")
    await visitor.fill("Code", code)
    await visitor.press("Continue")


@pytest.mark.parametrize("language", [pytest.param(Language.EN, marks=pytest.mark.long), Language.CY])
async def test_lost_and_back(newcomer: Newcomer, deployment: Deployment, language: Language) -> None:
    """Codes are printed, the key is lost; a new key at another computer; then a counter, and before it an impostor."""
    officer, citizen = await _with_account(newcomer, deployment, language)
    back = await newcomer(language)
    await _by_the_sheet(citizen, back)
    await desks.find(officer, SUBJECTS[language])
    impostors = await desks.enrolment_code(officer)
    await officer.follow("Print the letter to the account's owner")
    await officer.reads("A new security key for your account")
    await _cancelled(back, await newcomer(language), impostors)

    await desks.find(officer, SUBJECTS[language])
    own, later = await desks.enrolment_code(officer), await newcomer(language)
    assert rewritten(deployment.location, deployment.doors, "enrolment", {"not_before": 1}, kind="re-proofing")
    await later.plug_in(SecurityKey())
    await _types_code(later, own)
    await later.press("Register this key")
    await back.go("/citizen")
    await back.reads(WORDS[NoticeKind.RE_PROOFING_USED])
    await back.use(back.page.locator("main form[action$='/seen'] button").first)


async def _by_the_sheet(citizen: Visitor, back: Visitor) -> None:
    """Print codes; with one of them, a new key and another computer, come back and remove the lost key."""
    await citizen.go("/citizen")
    await citizen.follow("Print recovery codes")
    await citizen.press("Make new codes")
    await confirm(citizen)
    codes = await citizen.page.locator("#codes li").all_inner_texts()
    assert len(codes) == SET_SIZE
    await citizen.page.emulate_media(media="print")
    assert not await citizen.page.get_by_role("link", name=citizen.words("Your security keys")).first.is_visible()
    assert (await citizen.page.pdf(format="A4")).count(b"/Type /Page\n") == 1
    await back.plug_in(SecurityKey())
    await _types_code(back, codes[0])
    await back.press("Register this key")
    await back.reads(_DONE["enrolled"])
    await back.follow("I lost a key")
    await back.use(back.page.locator("main .govuk-button--warning"))
    await confirm(back)
    await back.reads(_DONE["removed"])
    await back.use(back.page.locator("main .govuk-summary-list__actions a").last)
    await back.reads("Remove this key")


async def _cancelled(owner: Visitor, impostor: Visitor, code: str) -> None:
    """The impostor must wait; the owner sees the notice and presses the button; the code then opens nothing."""
    await _types_code(impostor, code)
    await impostor.reads("This code does not work yet")
    await owner.go("/citizen")
    await owner.reads(WORDS[NoticeKind.RE_PROOFING_ASKED])
    await owner.press("It was not me: cancel the code")
    await owner.reads(_DONE["cancelled"])
    await _types_code(impostor, code)
    await impostor.reads(_WAS_CANCELLED)
