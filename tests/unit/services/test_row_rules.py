"""Rows that somebody changed behind the service's back no longer fit their entries or each other: the audit says so."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from idverify.stores.sqlite_ledger import SqliteLogSource
from tests.simulators.holder import decided_by_two, holding
from tests.simulators.software_office import SoftwareOffice


def _broken(served: SoftwareOffice) -> set[str]:
    with closing(SqliteLogSource(served.office.store.path)) as source:
        return {rule for _, rule in source.row_findings()}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("UPDATE status_entry SET value = 0", "the status list says what the row of the copy says"),
        ("UPDATE credential SET status = 'valid'", "a copy is as the decision that last changed it left it"),
        ("DELETE FROM credential", "an entry of an issuance has its credential"),
        ("UPDATE decision SET kind = 'suspend' WHERE kind = 'revoke'", "a decision has an entry of its own handle"),
        (
            "UPDATE ledger_record SET handle = randomblob(16) WHERE ledger_index = 1",
            "the row of an entry bears its handle",
        ),
        ("DELETE FROM ledger_record WHERE ledger_index = 1", "an entry has its row, and a row its entry"),
        ("UPDATE authorisation SET handle = randomblob(16)", "an authorisation has an entry of its own handle"),
        ("DELETE FROM authorisation", "an entry of an authorisation has its evidence"),
        ("UPDATE decision SET authorisation_id = NULL", "since people sign in, whoever decides confirms it"),
        (
            "UPDATE decision SET authorisation_id = (SELECT id FROM authorisation WHERE act = 'offer-credential')",
            "since people sign in, whoever decides confirms it",
        ),
        ("UPDATE decision SET approval_id = NULL", "two people confirm the same act"),
        ("UPDATE authorisation SET action_digest = randomblob(32)", "two people confirm the same act"),
        ("UPDATE authorisation SET account_id = (SELECT min(id) FROM account)", "two people confirm the same act"),
    ],
)
async def test_rows_that_were_changed(change: str, rule: str, served: SoftwareOffice) -> None:
    """Un-revoking with one statement, deleting a copy, deciding without confirmation: each is found, and named."""
    held = await holding(served.api)
    await decided_by_two(served.api, held.person, "revoke", "fraud-found")
    assert _broken(served) == set()

    with closing(sqlite3.connect(served.office.store.path)) as database:
        database.execute(change)
        database.commit()

    assert rule in _broken(served)
