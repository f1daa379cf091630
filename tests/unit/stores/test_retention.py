"""What is kept for a time only goes when its time is over, and not before."""

from __future__ import annotations

import pytest

from idverify.errors import OutcomeUnknown
from idverify.stores import retention, tables
from idverify.stores.sqlite import SqliteStore
from idverify.stores.writes import Insert, WriteSet
from tests.simulators.ledger_memory import NOW
from tests.unit.stores.rows import count, request_row
from tests.unit.stores.test_storage_faults import FailingConnection, fail


@pytest.mark.parametrize(("after", "left"), [(retention.DAY, 1), (retention.DAY + 1, 0)])
async def test_a_request_goes_a_day_after_its_end(store: SqliteStore, after: int, left: int) -> None:
    """Until then "used" and "expired" can be told apart."""
    await store.commit(WriteSet((Insert(tables.verification_request, request_row(1, expires_at=NOW)),)))
    await retention.sweep(store, NOW + after)

    assert await count(store, tables.verification_request) == left


async def test_every_statement_runs(store: SqliteStore) -> None:
    """On an empty database the whole table of statements applies, and changes nothing."""
    await retention.sweep(store, NOW)

    assert len(retention.RETENTION) > 3
    assert await count(store, tables.offer) == 0


async def test_a_storage_that_is_away_is_swept_next_time(sqlite_store: SqliteStore) -> None:
    """A transaction that cannot begin is no reason to stop the service; a failed COMMIT is."""
    fail(sqlite_store, FailingConnection, "BEGIN IMMEDIATE")
    await retention.sweep(sqlite_store, NOW)
    fail(sqlite_store, FailingConnection, "BEGIN IMMEDIATE", takes_effect=True)
    await retention.sweep(sqlite_store, NOW)

    assert sqlite_store.stopped_by() is None


async def test_a_storage_that_stopped_stops_the_sweep(sqlite_store: SqliteStore) -> None:
    """The error reaches whoever runs the background work, who ends the process."""
    fail(sqlite_store, FailingConnection, "COMMIT")
    with pytest.raises(OutcomeUnknown):
        await retention.sweep(sqlite_store, NOW)
