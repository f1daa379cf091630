"""Every page of the table, in each language: axe-core's rules, a narrow screen, and nothing from outside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from playwright.async_api import Request

from idverify.core.credential_type import Purpose
from idverify.core.policy import Role
from idverify.services.invite import Invited
from idverify.web.pages import citizen_letters, officer_letters, print_room
from idverify.web.pages.page import Page
from idverify.web.pages.routes import PAGES
from idverify.web.pages.words import Language
from tests.browser import desks
from tests.browser.conftest import Newcomer
from tests.browser.desks import Subject
from tests.browser.people import confirm, enrol_as_named, enrol_with_slip
from tests.browser.visitor import Town, Visitor
from tests.simulators.service import Api, Deployment, client

# No pages: ``test_letters.py`` downloads them
FILES = (
    citizen_letters.fetch,
    citizen_letters.fetch_receipt,
    officer_letters.fetch,
    officer_letters.fetch_receipt,
    print_room.fetch,
)
READABLE = [page for page in PAGES if page.method == "GET" and page.handler not in FILES]
STAFF = {
    Role.OFFICER: Invited(Role.OFFICER, "Olga Officer"),
    Role.ADMIN: Invited(Role.ADMIN, "Adam Admin"),
    Role.RELYING_PARTY: Invited(Role.RELYING_PARTY, "Example Airways", Purpose.TRAVEL),
}
MOST_BYTES = 100_000


@dataclass(frozen=True)
class Scene:
    """A person of every role at a page of theirs, and what stands for the parameters of paths."""

    people: Mapping[Role, Visitor]
    parameters: Mapping[str, str]


async def test_every_page_can_be_read_by_everybody(town: Town, newcomer: Newcomer, deployment: Deployment) -> None:
    """Each page is opened by somebody whom it is for, in each language; the visit's own judges look at it."""
    scene, anybody, opened = await _scene(newcomer, deployment), await newcomer(), set()
    for language in Language:
        for visitor in (anybody, *scene.people.values()):
            await visitor.speak(language)
        for page in READABLE:
            visitor = anybody if page.who is None else scene.people[_reader(page.who)]
            path = _filled_in(page, scene.parameters)
            await visitor.go(path)
            await visitor.page.locator("h1").wait_for()
            assert not (await visitor.page.title()).startswith(visitor.words("Error:")), path
            assert "/sign-in?next=" not in visitor.page.url
            if visitor.page.url == visitor.origin + path:  # the others lead on to a page of the same desk
                opened.add((page.path, language))
    assert opened <= {(route, language) for route, _, language in town.examiner.examined}
    assert len(opened) > len(READABLE)


async def test_the_language_is_kept_from_page_to_page(newcomer: Newcomer) -> None:
    """Whoever changes it stays where they are, and reads every later page in it."""
    visitor = await newcomer()
    await visitor.go("/enrol")
    visitor.language = Language.CY
    await visitor.follow("Cymraeg")
    assert visitor.page.url == f"{visitor.origin}/enrol"
    await visitor.reads("Use a code")
    await visitor.go("/sign-in")
    await visitor.reads("Sign in with your security key")


@pytest.mark.parametrize("path", ["/nowhere", "/officer/people/x", "/enrol/0", "/assets/none.css"])
async def test_an_address_that_leads_nowhere_is_a_page(newcomer: Newcomer, path: str) -> None:
    """With a heading, what to do, and a way back."""
    visitor = await newcomer()
    await visitor.go(path)
    await visitor.reads("There is no such page")
    await visitor.follow("Go to the start page")


@pytest.mark.parametrize("path", ["/", "/sign-in", "/enrol"])
async def test_a_first_visit_is_light(newcomer: Newcomer, path: str) -> None:
    """With all that it loads, a page is under 100 kB on the wire."""
    visitor, asked = await newcomer(), list[Request]()
    visitor.page.on("requestfinished", lambda request: asked.append(request))  # noqa: PLW0108  it takes no built-in
    await visitor.go(path)
    sizes = [await request.sizes() for request in tuple(asked)]
    assert len(sizes) > 1
    assert sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes) < MOST_BYTES


async def _erasure(deployment: Deployment, person: str) -> str:
    """The reference of a proposal to erase somebody, which only the API takes."""
    asked = {"reason": "asked-for", "legal_basis": "Retention schedule, part 2"}
    async with client() as session:
        api = Api(session, deployment)
        await api.enrol("eraser", await deployment.invite(Invited(Role.ADMIN, "Alan Admin")))
        return str((await api.ok("POST", f"/api/v1/people/{person}/erasure", "eraser", asked))["proposal"])


async def _scene(newcomer: Newcomer, deployment: Deployment) -> Scene:
    people: dict[Role, Visitor] = {}
    for role, invited in STAFF.items():
        people[role] = await newcomer()
        await enrol_as_named(people[role], await deployment.invite(invited))
    officer, subject = people[Role.OFFICER], Subject("PAGES", "PERCY", "PAGES1")
    await desks.record(officer, subject)
    person = officer.page.url.rpartition("/")[2]
    await desks.grant(officer)
    await confirm(officer)
    await desks.find(officer, subject)
    citizen = people[Role.CITIZEN] = await newcomer()
    await enrol_with_slip(citizen, await desks.enrolment_code(officer))
    await desks.collect(citizen)
    await citizen.go("/citizen")
    collected = citizen.page.locator("main a[href^='/citizen/copies/']").first
    copy = (await collected.get_attribute("href") or "").rpartition("/")[2]
    await desks.find(officer, subject)
    await desks.propose_to_revoke(officer)
    await confirm(officer)
    proposal = await _last_part(officer, "/officer/proposals")
    key = await _last_part(officer, "/account/keys")
    admin = people[Role.ADMIN]
    await admin.go("/admin")
    await admin.press("Propose a new log")
    await confirm(admin)
    new_log = await _last_part(admin, "/admin")
    await desks.find(officer, subject)
    await desks.enrolment_code(officer)  # waits for its time, so that there is a letter
    await admin.go("/admin/enrolment")
    await admin.choose("What they do here", "Officer")
    await admin.fill("Name", "Otto Officer")
    await admin.press("Continue")
    await confirm(admin)
    admin_proposal = await _last_part(admin, "/admin/proposals")
    await admin.go("/admin")
    replacing = admin.page.locator("main a[href^='/admin/signing-keys/']").first
    signing_key = (await replacing.get_attribute("href") or "").rpartition("/")[2]
    await desks.record(officer, Subject("PAGES", "ERNA", "PAGES2"))
    erasure = await _erasure(deployment, officer.page.url.rpartition("/")[2])
    batch = await desks.order_letters(officer, [person, officer.page.url.rpartition("/")[2]])
    code = await deployment.invite(Invited(Role.OFFICER))
    parameters = {
        "person": person,
        "kind": "vary",
        "document": "pid",
        "copy": copy,
        "batch": batch,
        "proposal": proposal,
        "key": key,
        "code": code,
        "new_log": new_log,
        "admin_proposal": admin_proposal,
        "signing_key": signing_key,
        "erasure": erasure,
    }
    return Scene(people, parameters)


def _reader(who: frozenset[Role]) -> Role:
    """Whom a page is for; the officer's, where it is for everybody who is signed in."""
    return Role.OFFICER if Role.OFFICER in who else min(who)


async def _last_part(visitor: Visitor, path: str) -> str:
    """The last part of where a list's last entry leads."""
    await visitor.go(path)
    link = visitor.page.locator("main .govuk-summary-list__actions a").last
    return (await link.get_attribute("href") or "").rpartition("/")[2]


def _filled_in(page: Page, parameters: Mapping[str, str]) -> str:
    """The page's path with a value for each parameter."""
    return re.sub(r"\{(\w+)(?::(?:[^{}]|\{[^{}]*\})*)?\}", lambda found: parameters[found[1]], page.path)
