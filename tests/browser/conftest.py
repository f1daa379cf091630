"""One Chromium and one real deployment for all browser tests; every person has a browser of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from idverify.core.policy import Role
from idverify.services.invite import Invited
from idverify.web.pages.routes import PAGES
from idverify.web.pages.words import Language
from tests.browser.chromium import chromium
from tests.browser.examination import Examiner
from tests.browser.people import Person, enrol
from tests.browser.visitor import Town, Visitor, visit
from tests.simulators.service import Deployment, deploy, serving


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser lives as long as its event loop, so all tests of this folder share one."""
    for item in items:
        if item.path.parent.name == "browser":
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment, served until the last visit is over."""
    made = asyncio.run(deploy(tmp_path_factory.mktemp("browser") / "data"))
    with serving(made):
        yield made


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def town(browser: Browser, deployment: Deployment) -> Town:
    """Chromium, the service, and an examiner for its pages."""
    return Town(browser, deployment.url, Examiner(tuple(page.path for page in PAGES)))


Newcomer = Callable[..., Awaitable[Visitor]]


@pytest_asyncio.fixture(loop_scope="session")
async def newcomer(town: Town) -> AsyncIterator[Newcomer]:
    """How somebody sits down at a fresh browser, in a language. Their pages must be without faults."""
    async with AsyncExitStack() as visits:

        async def sit_down(language: Language = Language.EN, **context: Any) -> Visitor:
            return await visits.enter_async_context(visit(town, language, **context))

        yield sit_down


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def olive(town: Town, deployment: Deployment) -> Person:
    """An officer with a registered key."""
    return await _enrolled(town, deployment, Person("Olive Officer"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def oscar(town: Town, deployment: Deployment) -> Person:
    """A second officer."""
    return await _enrolled(town, deployment, Person("Oscar Officer"))


async def _enrolled(town: Town, deployment: Deployment, person: Person) -> Person:
    async with visit(town) as visitor:
        await enrol(visitor, await deployment.invite(Invited(Role.OFFICER)), person)
    return person
