"""Administration and the checking organisation's desk: links, API keys, and everybody kept to their own pages."""

from __future__ import annotations

import re
from typing import Final

import pytest

from idverify.core.credential_type import Purpose
from idverify.core.policy import Role
from idverify.services.invite import Invited
from idverify.web.pages.act_words import PURPOSES, ROLES
from idverify.web.pages.routes import PAGES
from idverify.web.pages.words import Language
from tests.browser.conftest import Newcomer
from tests.browser.people import Person, confirm, enrol, enrol_as_named, enrol_with_slip, sign_in
from tests.browser.visitor import Visitor
from tests.simulators.service import Deployment

PARAMETER: Final = re.compile(r"\{\w+:[^{}]+(?:\{(\d+)\})?\}")  # of a path: a handle, and how long it is
NAMES = {
    Language.EN: ("Agnes Admin", "Example Homes and Co"),
    Language.CY: ("Alwen Gweinyddwr", "Cartrefi Enghraifft"),
}


@pytest.mark.parametrize("language", [Language.EN, pytest.param(Language.CY, marks=pytest.mark.long)])
async def test_an_admin_enrols_an_organisation_that_makes_an_api_key(
    newcomer: Newcomer, deployment: Deployment, language: Language
) -> None:
    """By a one-time link, confirmed with the admin's key; the organisation's key is shown once and can be revoked."""
    (name, organisation), admin = NAMES[language], await newcomer(language)
    await enrol(admin, await deployment.invite(Invited(Role.ADMIN)), Person(name))
    await admin.press("Enrol somebody")
    await admin.press("Continue")
    await admin.reads("There is a problem")
    await admin.choose("What they do here", ROLES[Role.RELYING_PARTY])
    await admin.fill("Name", organisation)
    await admin.page.get_by_label(admin.words("What a checking organisation checks for")).select_option(Purpose.RENT)
    await admin.press("Continue")
    await confirm(admin)
    link = await admin.page.locator("#link").inner_text()
    await admin.go("/admin")
    assert organisation not in await admin.text()

    partner = await newcomer(language)
    await enrol_as_named(partner, link.removeprefix(f"{partner.origin}/enrol/"))
    await admin.go("/admin")
    await admin.reads(organisation)
    await partner.reads(organisation)
    await partner.go("/relying-party/keys")
    await partner.press("Make an API key")
    await confirm(partner)
    token = await partner.page.locator("#api-key").inner_text()
    assert token.startswith("idv_")
    await partner.reads(PURPOSES[Purpose.RENT])
    await partner.follow("Back to the API keys")
    assert token not in await partner.page.content()
    await partner.use(partner.page.locator("main .govuk-button--warning"))
    await confirm(partner)
    await partner.reads("The API key is revoked. It opens nothing here any more.")


async def test_two_admins_let_an_officer_in_and_back(newcomer: Newcomer, deployment: Deployment) -> None:
    """Each hands over one part of a code, for the first key and again when every key is lost; two browser profiles."""
    alma, arno, otto = await newcomer(), await newcomer(), await newcomer()
    for admin, name in ((alma, "Alma Admin"), (arno, "Arno Admin")):
        await enrol_as_named(admin, await deployment.invite(Invited(Role.ADMIN, name)))
        await admin.reads(name)
    await alma.go("/admin/enrolment")
    await alma.choose("What they do here", ROLES[Role.OFFICER])
    await alma.fill("Name", "Otto  Two Parts")
    await alma.press("Continue")
    await enrol_with_slip(otto, await _two_parts(alma, arno))
    await otto.reads("Officer's desk")

    await alma.go("/admin")
    row = alma.page.locator("tr", has_text="Otto Two Parts")
    await alma.use(row.get_by_role("button", name="All keys lost: propose a code"))
    back = await newcomer()
    await enrol_with_slip(back, await _two_parts(alma, arno))
    await back.reads("Officer's desk")
    await otto.go("/officer")
    await otto.reads("Sign in with your security key")


async def _two_parts(first: Visitor, second: Visitor) -> str:
    """The code that one admin, at the page that asks for confirmation, proposes and the other one approves."""
    await confirm(first)
    part = await first.page.locator("#part").inner_text()
    await first.go("/admin/proposals")
    path = await first.page.locator("main dd a").last.get_attribute("href")
    await second.go(str(path))
    await second.press("Approve")
    await confirm(second)
    return f"{part} {await second.page.locator('#part').inner_text()}"


async def test_nobody_opens_the_pages_of_another_role(newcomer: Newcomer, olive: Person) -> None:
    """Each page of another desk says so to an officer, and does not show itself."""
    officer = await newcomer()
    await sign_in(officer, olive.key)
    others = [page.path for page in PAGES if page.method == "GET" and page.who and Role.OFFICER not in page.who]
    assert others
    for path in others:
        await officer.go(PARAMETER.sub(lambda found: "0" * int(found[1] or 32), path))
        await officer.reads("You may not do this")
