"""Whoever may write to the database makes nobody trusted unseen: the audit holds every change against the ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from idverify.services import administration, change_trusted_issuers
from idverify.services.trusted_issuers import Change
from idverify.stores.open import Location, open_log
from tests.simulators.databases import DRIVERS, changed, copied, fresh
from tests.simulators.foreign_issuer import NORTH, SOUTH
from tests.simulators.shards import enrol_admins
from tests.simulators.software_office import SoftwareOffice, software_office

THERE: Final = "a change of trusted issuers that was put in force is there"
ENTRY: Final = "a change of trusted issuers has an entry that put it in force"
SAID: Final = "a change of trusted issuers is what was confirmed"
GAP: Final = "changes of trusted issuers are numbered without a gap"
TWO: Final = "two admins confirm whom is relied on"
COPY: Final = """
    INSERT INTO issuer_change (version, document, decided_by, approved_by, authorisation_id, approval_id, decided_at)
    SELECT 3, document, decided_by, approved_by, authorisation_id, approval_id, decided_at
    FROM issuer_change WHERE version = 1"""


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=DRIVERS)
async def at_rest(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Location]:
    """What an office left in which two issuers were decided on, one after the other."""
    folder = tmp_path_factory.mktemp("office")
    async with fresh(request.param, folder, request) as location:
        async with software_office(folder, location) as served:
            await enrol_admins(served)
            for issuer in (NORTH, SOUTH):
                await _agreed(served, Change((issuer.trusted(),)))
        yield location


async def _agreed(served: SoftwareOffice, change: Change) -> None:
    office, action = served.office, await change_trusted_issuers.action(served.office, change)
    waits = await served.confirmed("admin", lambda who, given: administration.propose(office, who, action, given))
    await served.confirmed("other", lambda who, given: administration.approve(office, who, waits.handle, given))


def _found(location: Location) -> set[str]:
    with closing(open_log(location)) as source:
        return {rule for _, rule in (*source.record_findings(), *source.row_findings())}


def test_what_was_decided(at_rest: Location) -> None:
    """Nothing is found."""
    assert _found(at_rest) == set()


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("DELETE FROM issuer_change WHERE version = 2", {THERE}),
        ("DELETE FROM issuer_change WHERE version = 1", {THERE, GAP}),
        (COPY, {ENTRY, SAID}),
        ("UPDATE issuer_change SET decided_at = decided_at - 9 WHERE version = 2", {ENTRY, THERE}),
        ("UPDATE issuer_change SET approval_id = authorisation_id WHERE version = 1", {TWO}),
        ("UPDATE issuer_change SET authorisation_id = approval_id", {TWO}),
    ],
)
def test_whom_nobody_decided_on(change: str, found: set[str], at_rest: Location, tmp_path: Path) -> None:
    """A withdrawal that is taken out, an issuer that is written in, another day, one admin instead of two."""
    with copied(at_rest, tmp_path) as copy:
        assert changed(copy, change) > 0
        assert _found(copy) == found
