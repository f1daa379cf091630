"""What is kept for a time only goes when its time is over, and not before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest
from sqlalchemy import select

from idverify.errors import OutcomeUnknown
from idverify.stores import retention, tables
from idverify.stores.sqlite import SqliteStore
from idverify.stores.store import Store
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Insert, WriteSet
from tests.simulators.ledger_memory import NOW
from tests.unit.stores.rows import count, request_row
from tests.unit.stores.test_storage_faults import FailingConnection, fail

Sweep = Callable[[Store, int], Awaitable[None]]
SWEEPS: Final[list[Sweep]] = [retention.sweep, retention.sweep_ceremonies]


async def _begun(store: Store, ends: list[int]) -> None:
    """Ceremonies that end at these times."""
    columns = ("id", "handle", "kind", "challenge", "created_at", "expires_at")
    rows = [(b"%16d" % number, b"handle %9d" % number, "sign-in", b"", 0, at) for number, at in enumerate(ends)]

    async def insert(transaction: Transaction) -> None:
        await transaction.connection.insert_many("ceremony", columns, rows)

    await store.write(insert)


async def test_ceremonies_go_soon_after_their_end(store: Store) -> None:
    """Those that ended ten minutes ago stay, so that "used" and "expired" can be told apart; older ones go."""
    grace = retention.CEREMONY_GRACE_SECONDS
    await _begun(store, [NOW + 120, NOW, NOW - grace, NOW - grace - 1, 0])

    await retention.sweep_ceremonies(store, NOW)

    left = await store.fetch(select(tables.ceremony.c.expires_at).order_by(tables.ceremony.c.expires_at), {})
    assert [row["expires_at"] for row in left] == [NOW - grace, NOW, NOW + 120]


async def test_many_ceremonies_go_in_chunks(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many anybody began, no transaction drops more than so many of them, and none is left over."""
    await _begun(store, [0] * 4001 + [NOW])
    write, dropped = store.write, []

    async def counted(work: Any) -> Any:
        dropped.append(await write(work))
        return dropped[-1]

    monkeypatch.setattr(store, "write", counted)
    await retention.sweep_ceremonies(store, NOW)

    assert dropped == [2000, 2000, 1, 0]
    assert await count(store, tables.ceremony) == 1


@pytest.mark.parametrize(("after", "left"), [(retention.DAY, 1), (retention.DAY + 1, 0)])
async def test_a_request_goes_a_day_after_its_end(store: Store, after: int, left: int) -> None:
    """Until then "used" and "expired" can be told apart."""
    await store.commit(WriteSet((Insert(tables.verification_request, request_row(1, expires_at=NOW)),)))
    await retention.sweep(store, NOW + after)

    assert await count(store, tables.verification_request) == left


async def test_every_statement_runs(store: Store) -> None:
    """On an empty database the whole table of statements applies, and changes nothing."""
    await retention.sweep(store, NOW)

    assert len(retention.RETENTION) > 3
    assert await count(store, tables.offer) == 0


@pytest.mark.parametrize("sweep", SWEEPS)
async def test_a_storage_that_is_away_is_swept_next_time(sqlite_store: SqliteStore, sweep: Sweep) -> None:
    """A transaction that cannot begin is no reason to stop the service; a failed COMMIT is."""
    fail(sqlite_store, FailingConnection, "BEGIN IMMEDIATE")
    await sweep(sqlite_store, NOW)
    fail(sqlite_store, FailingConnection, "BEGIN IMMEDIATE", takes_effect=True)
    await sweep(sqlite_store, NOW)

    assert sqlite_store.stopped_by() is None


@pytest.mark.parametrize("sweep", SWEEPS)
async def test_a_storage_that_stopped_stops_the_sweep(sqlite_store: SqliteStore, sweep: Sweep) -> None:
    """The error reaches whoever runs the background work, who ends the process."""
    fail(sqlite_store, FailingConnection, "COMMIT")
    with pytest.raises(OutcomeUnknown):
        await sweep(sqlite_store, NOW)
