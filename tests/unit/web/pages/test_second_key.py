"""An account that needs two keys and has one: its pages lead to the second key, and with that they open."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from idverify.auth.key_policy import KEY_POLICIES
from idverify.auth.software_key import SoftwareKey
from idverify.core.policy import Role
from idverify.stores import queries, tables
from idverify.stores.writes import Change, WriteSet
from idverify.web.pages.page import ANOTHER_KEY, SIGNED_IN, Page
from idverify.web.pages.routes import PAGES
from tests.simulators.plain_browser import PlainBrowser, Shown
from tests.simulators.software_office import premises
from tests.unit.web.pages.conftest import People

READERS = {Role.OFFICER: "officer", Role.ADMIN: "admin", Role.RELYING_PARTY: "partner"}
SAMPLES = {"signing_key": "0" * 16, "kind": "vary", "document": "pid", "key": "a" * 16}


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[People]:
    """People at an office that asks of staff and organisations for two keys, of whatever make."""
    two_keys = {role: replace(policy, attested=False) for role, policy in KEY_POLICIES.items()}
    async with premises(tmp_path) as made, replace(made, key_policies=two_keys).open() as served:
        yield People(served)


def _path(page: Page) -> str:
    pattern = r"\{(\w+)(?::(?:[^{}]|\{[^{}]*\})*)?\}"
    return re.sub(pattern, lambda found: SAMPLES.get(found[1], "0" * 32), page.path)


async def test_every_page_leads_to_the_second_key(strict: People) -> None:
    """Pages that are read lead there, forms do nothing; one's own keys and sessions stay open."""
    browsers = {role: await strict.staff(who) for role, who in READERS.items()}
    for page in PAGES:
        role = next((role for role in READERS if page.who is not None and role in page.who), None)
        if role is None or page.who is SIGNED_IN:
            continue
        if page.method == "GET":
            assert (await browsers[role].open(_path(page))).path == ANOTHER_KEY, page.path
        else:
            csrf = (await browsers[role].open("/account/keys")).form("/sign-out").fields
            refused = await browsers[role].send(_path(page), csrf)
            assert (refused.status, refused.heading) == (403, "Register your second security key first"), page.path


async def test_with_the_second_key_the_desk_opens(strict: People) -> None:
    """From then on, and for good: the account is active since that day."""
    olive = await strict.staff("officer")
    asked = await olive.open("/officer")
    assert "Your account needs two security keys" in asked.text

    desk = await _with_second_key(olive)

    assert desk.heading == "Officer's desk"
    (account,) = await strict.served.office.store.fetch(select(tables.account), {})
    assert account["active_since"] == strict.served.clock.now()


async def test_an_account_of_an_earlier_version(strict: People) -> None:
    """Whoever had two keys before accounts were asked for them is active at their next visit."""
    olive = await strict.staff("officer")
    await _with_second_key(olive)
    store = strict.served.office.store
    account = (await store.fetch(queries.STAFF, {}))[0]["id"]
    await store.commit(WriteSet((Change(tables.account, {"id": account}, {"active_since": None}),)))

    assert (await olive.open("/officer")).heading == "Officer's desk"


async def _with_second_key(owner: PlainBrowser) -> Shown:
    """Another key is registered, confirmed with the first one; the desk after it."""
    asked = await owner.fill(await owner.open(ANOTHER_KEY), ANOTHER_KEY, key_name="Spare key")
    added = await owner.confirm(await owner.confirm(asked), SoftwareKey())
    assert "The key is registered." in added.text
    return await owner.open("/officer")
