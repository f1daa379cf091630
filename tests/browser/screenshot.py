"""Makes the README's picture, docs/images/verdict.png: `.ci/screenshot`.

A fresh deployment, an officer and an invented person at browsers of their own: the person is recorded, granted a
status, collects a document and shows it, and the page that the officer then sees is the picture.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.async_api import ViewportSize

from idverify.core.policy import Role
from idverify.services.invite import Invited
from idverify.web.pages.routes import PAGES
from tests.browser import desks
from tests.browser.chromium import chromium
from tests.browser.examination import Examiner
from tests.browser.people import Person, confirm, enrol, enrol_with_slip
from tests.browser.portrait import portrait
from tests.browser.visitor import Town, visit
from tests.simulators.service import ROOT, deploy, serving

PICTURE = ROOT / "docs/images/verdict.png"
SIZE: ViewportSize = {"width": 900, "height": 1200}
SUBJECT = desks.Subject("SPECIMEN", "ANNA", "L898902C")
SHOWN = ("Family name", "Given names", "Photo", "Kind of permission", "Work")


async def main() -> None:
    """Play it, and write the picture."""
    with TemporaryDirectory() as folder:
        deployment = await deploy(Path(folder) / "data")
        with serving(deployment):
            async with chromium() as browser:
                town = Town(browser, deployment.url, Examiner(tuple(page.path for page in PAGES)))
                PICTURE.parent.mkdir(exist_ok=True)
                PICTURE.write_bytes(await picture(town, await deployment.invite(Invited(Role.OFFICER))))


async def picture(town: Town, link: str) -> bytes:
    """The page with the verdict, as PNG."""
    async with visit(town, viewport=SIZE) as officer, visit(town) as citizen:
        await enrol(officer, link, Person("Olive Officer"))
        await desks.record(officer, SUBJECT, await portrait(town.browser))
        await desks.grant(officer)
        await confirm(officer)
        await desks.find(officer, SUBJECT)
        await enrol_with_slip(citizen, await desks.enrolment_code(officer))
        await desks.collect(citizen)
        request = await desks.ask_wallet(officer, "/officer")
        await desks.check(officer, await desks.answer(citizen, request, *SHOWN))
        await officer.reads("Accepted")
        return await officer.page.screenshot()


if __name__ == "__main__":
    asyncio.run(main())
