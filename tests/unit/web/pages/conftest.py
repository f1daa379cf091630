"""People at browsers of their own, before an office in memory."""

from __future__ import annotations

import pytest

from idverify.core.policy import Role
from idverify.services.invite import Invited
from tests.simulators.plain_browser import PlainBrowser
from tests.simulators.service import DETAILS
from tests.simulators.signed_in import STAFF
from tests.simulators.software_office import SoftwareOffice


class People:
    """Makes browsers; each belongs to one person."""

    def __init__(self, served: SoftwareOffice) -> None:
        self.served = served

    def browser(self, language: str = "en") -> PlainBrowser:
        """A browser of somebody who is not signed in."""
        return PlainBrowser(self.served.api.session, self.served.api.deployment.url, language)

    async def staff(self, who: str, language: str = "en") -> PlainBrowser:
        """A browser of somebody of ``STAFF``, signed in with the key that they enrolled by a link."""
        browser = self.browser(language)
        await browser.enrol(await self.served.api.deployment.invite(STAFF[who]))
        return browser

    async def invite_officer(self, name: str) -> str:
        """The code of a link for another officer."""
        return await self.served.api.deployment.invite(Invited(Role.OFFICER, name))

    async def person(self) -> str:
        """Somebody an officer has on record: their handle, as hex."""
        made = await self.served.api.ok("POST", "/api/v1/people", "officer", {"details": DETAILS})
        return str(made["person"])

    async def citizen(self, person: str, language: str = "en") -> PlainBrowser:
        """A browser of the person with this handle, signed in with the key that they enrolled by a slip."""
        browser = self.browser(language)
        made = await self.served.api.ok("POST", f"/api/v1/people/{person}/enrolments", "officer")
        await browser.enrol(made["code"])
        return browser


@pytest.fixture
def people(served: SoftwareOffice) -> People:
    """People at browsers of their own."""
    return People(served)
