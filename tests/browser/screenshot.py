"""Makes the pictures in docs/images: `.ci/screenshot`.

A fresh deployment, an officer and an invented person at browsers of their own. The person is recorded, granted a
status, collects a document and shows it: the page that the officer then sees is verdict.png. Two letters are printed
for them, letter.png and letter-cy-large.png, and the officer checks the first: letter-verdict.png.
"""

from __future__ import annotations

import asyncio
import io
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.async_api import ViewportSize

from idverify.core.policy import Role
from idverify.services.invite import Invited
from idverify.web.pages.routes import PAGES
from tests.browser import desks
from tests.browser.chromium import chromium
from tests.browser.examination import Examiner
from tests.browser.people import Person, confirm, enrol, enrol_with_slip
from tests.browser.portrait import portrait
from tests.browser.visitor import Town, Visitor, visit
from tests.simulators.service import ROOT, deploy, serving

FOLDER = ROOT / "docs/images"
SIZE: ViewportSize = {"width": 900, "height": 1200}
SUBJECT = desks.Subject("SPECIMEN", "ANNA", "L898902C")
SHOWN = ("Family name", "Given names", "Photo", "Kind of permission", "Work")
LETTER_DPI, COLOURS = "70", 128
DOWNLOAD = "main a[href*='/letters/'][download]"


async def main() -> None:
    """Play it, and write the pictures."""
    with TemporaryDirectory() as folder:
        deployment = await deploy(Path(folder) / "data")
        with serving(deployment):
            async with chromium() as browser:
                town = Town(browser, deployment.url, Examiner(tuple(page.path for page in PAGES)))
                drawn = await pictures(town, await deployment.invite(Invited(Role.OFFICER)))
    for name, picture in drawn.items():
        (FOLDER / name).write_bytes(picture)


async def pictures(town: Town, link: str) -> dict[str, bytes]:
    """The pictures as PNG, by their names."""
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
        presented = small(await officer.page.screenshot())

        letter = await printed(officer, "English", large=False)
        welsh = await printed(officer, "Cymraeg", large=True)
        await officer.go("/officer/verify")
        await officer.choose_file("Or choose files", "letter.pdf", letter)
        await officer.press("Check")
        await officer.reads("Accepted")
        return {
            "verdict.png": presented,
            "letter.png": first_page(letter),
            "letter-cy-large.png": first_page(welsh),
            "letter-verdict.png": small(await officer.page.screenshot()),
        }


async def printed(officer: Visitor, language: str, *, large: bool) -> bytes:
    """A letter for the person, from the counter."""
    await desks.find(officer, SUBJECT)
    await officer.follow("Letters on paper")
    await officer.choose("Which document?", "Immigration status")
    await officer.choose("What is the letter for?", "Right to work")
    await officer.choose("In which language?", language)
    if large:
        await officer.tick("Large print")
    await officer.press("Issue the letter")
    await confirm(officer)
    async with officer.page.expect_download() as downloading:
        await officer.page.locator(DOWNLOAD).first.click()
    return (await (await downloading.value).path()).read_bytes()


def first_page(pdf: bytes) -> bytes:
    """Of a letter, by poppler."""
    command = ["pdftoppm", "-r", LETTER_DPI, "-singlefile", "-png", "-"]
    return small(subprocess.run(command, input=pdf, stdout=subprocess.PIPE, check=True).stdout)


def small(png: bytes) -> bytes:
    """In fewer colours."""
    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS).save(out, "PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    asyncio.run(main())
