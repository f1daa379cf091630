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
from tests.browser.people import Person, confirm, enrol, enrol_as_named, sign_in
from tests.simulators.service import Deployment

PARAMETER: Final = re.compile(r"\{\w+:[^{}]+(?:\{(\d+)\})?\}")  # of a path: a handle, and how long it is
NAMES = {
    Language.EN: ("Agnes Admin", "Example Homes and Co"),
    Language.CY: ("Alwen Gweinyddwr", "Cartrefi Enghraifft"),
}


@pytest.mark.parametrize("language", Language)
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


async def test_nobody_opens_the_pages_of_another_role(newcomer: Newcomer, olive: Person) -> None:
    """Each page of another desk says so to an officer, and does not show itself."""
    officer = await newcomer()
    await sign_in(officer, olive.key)
    others = [page.path for page in PAGES if page.method == "GET" and page.who and Role.OFFICER not in page.who]
    assert others
    for path in others:
        await officer.go(PARAMETER.sub(lambda found: "0" * int(found[1] or 32), path))
        await officer.reads("You may not do this")
