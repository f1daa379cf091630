"""Many callers, few transactions: the writer takes what waits, and the log stays one log."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from idverify.errors import Conflict
from idverify.ledger.audit import Report, fsck
from idverify.stores import tables
from idverify.stores.ledger import StoredLedger
from idverify.stores.open import open_log
from idverify.stores.sqlite import SqliteStore
from idverify.stores.store import MAX_BATCH, Store
from idverify.stores.writes import Insert, WriteSet
from tests.simulators.ledger_memory import ORIGIN, SoftwareSigner, publishing
from tests.unit.stores.conftest import Database
from tests.unit.stores.rows import bundles, count, entry, recorded, status_row, with_entry


@asynccontextmanager
async def busy(store: Store) -> AsyncIterator[None]:
    """The writer is at work: whatever is handed over meanwhile waits, and becomes one batch."""
    working, go_on = threading.Event(), threading.Event()

    async def work(_: object) -> None:
        working.set()
        go_on.wait()

    task = asyncio.ensure_future(store.write(work))
    await asyncio.to_thread(working.wait)
    try:
        yield
    finally:
        go_on.set()
        await task


async def test_what_waits_is_committed_together(sqlite_store: SqliteStore) -> None:
    """Three hundred commits that wait are two transactions, each with one bundle row; each caller has its index."""
    async with busy(sqlite_store):
        commits = [asyncio.ensure_future(sqlite_store.commit(with_entry(number))) for number in range(300)]
        await asyncio.sleep(0)

    assert await asyncio.gather(*commits) == [(number,) for number in range(300)]
    assert await bundles(sqlite_store) == [MAX_BATCH, 300 - MAX_BATCH]


async def test_a_refused_set_leaves_its_transaction_whole(sqlite_store: SqliteStore) -> None:
    """In one transaction of five sets, the refused one is gone with its entry; the others stand, without a gap."""
    await sqlite_store.commit(WriteSet((Insert(tables.status_entry, status_row(2)),)))
    refused = Insert(tables.status_entry, status_row(2), Conflict("taken"))
    async with busy(sqlite_store):
        sets = [with_entry(0), with_entry(1), WriteSet((refused,), (entry(2),)), with_entry(3), with_entry(4)]
        commits = [asyncio.ensure_future(sqlite_store.commit(work)) for work in sets]
        await asyncio.sleep(0)
    results = await asyncio.gather(*commits, return_exceptions=True)

    assert [str(result) for result in results] == ["(0,)", "(1,)", "taken", "(2,)", "(3,)"]
    assert await bundles(sqlite_store) == [4]
    assert await recorded(sqlite_store) == [0, 1, 2, 3]


async def test_a_transaction_without_entries_has_no_bundle(sqlite_store: SqliteStore) -> None:
    """Neither has one whose only entry was refused."""
    await sqlite_store.commit(WriteSet((Insert(tables.status_entry, status_row(1)),)))
    with pytest.raises(Conflict):
        await sqlite_store.commit(
            WriteSet((Insert(tables.status_entry, status_row(1), Conflict("taken")),), (entry(0),))
        )

    assert await bundles(sqlite_store) == []
    assert await recorded(sqlite_store) == []


async def test_the_log_goes_on_after_a_restart(database: Database) -> None:
    """Opened three times, the log is one: the next entry follows the last of the time before."""
    for number in range(3):
        async with database.open() as store:
            assert await store.commit(with_entry(number)) == (number,)

    async with database.open() as store:
        state, hashes = await StoredLedger(store).tree_state(), await StoredLedger(store).leaf_hashes(0, 3)
        assert state.size == 3
        assert state.head == hashes[-1]


async def test_two_instances_write_one_log(database: Database) -> None:
    """Two drivers over one database, side by side: every index is given once, and the audit finds one chain."""
    signer = SoftwareSigner()
    async with database.open() as one, database.open() as other:
        await one.commit(with_entry(0))
        commits = [(one, other)[number % 2].commit(with_entry(number)) for number in range(1, 100)]
        indices = [index for (index,) in await asyncio.gather(*commits)]
        await publishing(StoredLedger(one), signer).publish_once()

        assert sorted(indices) == list(range(1, 100))
        assert await recorded(other) == list(range(100))
        assert sum(await bundles(other)) == 100
        assert await count(one, tables.status_entry) == 100
        source = open_log(database.location)
        *_, report = fsck(source, signer.verifier, ORIGIN)
        assert isinstance(report, Report)
        assert (report.size, report.signed_size, report.findings) == (100, 100, ())
        assert [*source.record_findings(), *source.row_findings()] == []
        source.close()


async def test_an_audit_sees_one_moment(sqlite_store: SqliteStore) -> None:
    """While a service appends, an audit that has begun sees neither the new entries, nor their rows or tiles."""
    await sqlite_store.commit(with_entry(0))
    source = open_log(sqlite_store.path)
    bundles_seen = source.bundles()
    assert len(next(bundles_seen)[2]) == 1
    await asyncio.gather(*(sqlite_store.commit(with_entry(number)) for number in range(1, 300)))
    await publishing(StoredLedger(sqlite_store), SoftwareSigner()).publish_once()

    assert list(bundles_seen) == []
    assert list(source.checkpoints()) == []
    assert list(source.full_tiles()) == []
    assert [*source.record_findings(), *source.row_findings()] == []
    source.close()
    after = open_log(sqlite_store.path)
    assert len(list(after.full_tiles())) == 1
    after.close()
