"""The evidence of what was confirmed, from the list to a file that holds."""

from __future__ import annotations

import json
import re

import pytest

from idverify.core.policy import Role
from idverify.core.verdict import CheckId, Outcome, Result
from idverify.services.invite import Invited
from idverify.services.reverify import reverify
from idverify.web.pages.words import Language
from tests.browser import desks
from tests.browser.conftest import Newcomer
from tests.browser.desks import Subject
from tests.browser.people import Person, confirm, enrol
from tests.simulators.service import Deployment

NAMES = {
    Language.EN: ("Eve Officer", "Eric Admin", Subject("DOUBTED", "DAISY", "DOUBT1")),
    Language.CY: ("Efa Swyddog", "Emrys Gweinyddwr", Subject("AMHEUS", "DILYS", "DOUBT2")),
}


@pytest.mark.parametrize("language", [pytest.param(Language.EN, marks=pytest.mark.long), Language.CY])
async def test_officer_and_admin_download_evidence(
    newcomer: Newcomer, deployment: Deployment, language: Language
) -> None:
    """The officer that of their own act, the admin that of somebody else's; each confirms it, and it is one file."""
    name, admin_name, subject = NAMES[language]
    officer, admin = await newcomer(language), await newcomer(language)
    await enrol(officer, await deployment.invite(Invited(Role.OFFICER)), Person(name))
    await enrol(admin, await deployment.invite(Invited(Role.ADMIN)), Person(admin_name))
    await desks.record(officer, subject)
    await desks.grant(officer)
    await confirm(officer)
    files = []
    for visitor, heading in ((officer, "What you confirmed"), (admin, "What staff confirmed")):
        await visitor.follow("What was confirmed")
        await visitor.reads(heading)
        row = visitor.page.locator("main tr", has_text=visitor.words("Decision on a person"))
        if visitor is admin:
            row = row.filter(has_text=name)
        await visitor.use(row.locator("button"))
        await visitor.reads(name)
        await confirm(visitor)
        files.append(await visitor.save("Download the evidence", "link"))

    one, other = (json.loads(file) for file in files)
    verdict = reverify(files[0], None)
    assert one["evidence"] == other["evidence"]
    assert one["action"]["act"] == "decide"
    assert verdict.verdict is Outcome.REFER
    assert {check.id for check in verdict.checks if check.result is Result.UNKNOWN} == {CheckId.RECEIPT, CheckId.KEY}
    await desks.find(officer, subject)
    assert re.search(re.escape(officer.words("Downloaded the evidence of an act on this record")), await officer.text())
