"""A disk that is full or fails: nothing is promised that is not kept, and after a doubtful COMMIT nothing goes on."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from idverify.errors import OutcomeUnknown, Unavailable
from idverify.stores import sqlite as driver
from idverify.stores import tables
from idverify.stores.ledger import StoredLedger
from idverify.stores.sqlite import SqliteStore
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Insert, WriteSet
from tests.unit.stores.conftest import Database, sqlite
from tests.unit.stores.rows import bundles, recorded, status_row, statuses, with_entry
from tests.unit.stores.test_group_commit import busy


class FailingConnection:
    """A connection on which one statement reports an error, after it took effect or without."""

    def __init__(self, inner: sqlite3.Connection, statement: str, *, takes_effect: bool) -> None:
        self._inner, self._statement, self._takes_effect = inner, statement, takes_effect

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql != self._statement:
            return self._inner.execute(sql, *values)
        if self._takes_effect:
            self._inner.execute(sql, *values)
        raise sqlite3.OperationalError("disk I/O error")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class DeadConnection(FailingConnection):
    """A connection that cannot even roll back."""

    def rollback(self) -> None:
        raise sqlite3.OperationalError("disk I/O error")


def fail(store: SqliteStore, kind: type[FailingConnection], statement: str, *, takes_effect: bool = False) -> None:
    """From now on this statement fails on the writer's connection."""
    writer = store._written_by
    writer._connection = kind(writer._connection, statement, takes_effect=takes_effect)  # type: ignore[assignment]


@pytest.mark.parametrize("takes_effect", [True, False], ids=["on disk all the same", "not on disk"])
async def test_a_failed_commit_is_unknown_and_stops_the_driver(
    sqlite_database: Database, *, takes_effect: bool
) -> None:
    """Every caller of the batch is told that nobody knows; later ones, that it stopped; a restart reads the truth."""
    database = sqlite_database
    async with database.open() as store:

        async def breaking(_: Transaction) -> None:
            fail(store, FailingConnection, "COMMIT", takes_effect=takes_effect)

        await store.commit(with_entry(0))
        async with busy(store):
            breaks = store.write(breaking)
            batch = (store.commit(with_entry(1)), breaks, store.commit(with_entry(2)))
            answers = asyncio.gather(*batch, return_exceptions=True)
            await asyncio.sleep(0)
        assert [type(answer) for answer in await answers] == [OutcomeUnknown] * 3
        assert "disk I/O error" in str(store.stopped_by())
        with pytest.raises(Unavailable, match="Restart the service"):
            await store.commit(with_entry(3))

    async with database.open() as store:
        size = 3 if takes_effect else 1
        assert list(await statuses(store)) == await recorded(store) == list(range(size))
        assert (await StoredLedger(store).tree_state()).size == size
        assert await store.commit(with_entry(4)) == (size,)


async def test_reads_go_on_after_a_failed_commit(sqlite_store: SqliteStore) -> None:
    """What was committed before can still be read."""
    await sqlite_store.commit(with_entry(0))
    fail(sqlite_store, FailingConnection, "COMMIT")
    with pytest.raises(OutcomeUnknown):
        await sqlite_store.commit(with_entry(1))

    assert await statuses(sqlite_store) == {0: 1}


@pytest.mark.parametrize("kind", [FailingConnection, DeadConnection], ids=["rolls back", "cannot roll back"])
async def test_a_transaction_that_cannot_begin_is_answered(
    sqlite_store: SqliteStore, kind: type[FailingConnection]
) -> None:
    """Nothing was done, and every caller is told so; nobody waits for ever."""
    fail(sqlite_store, kind, "BEGIN IMMEDIATE")
    async with asyncio.timeout(10):
        answers = await asyncio.gather(
            *(sqlite_store.commit(with_entry(number)) for number in range(3)), return_exceptions=True
        )

    assert [type(answer) for answer in answers] == [Unavailable] * 3


async def test_an_error_while_the_bundle_is_written_is_answered(
    sqlite_store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even an error that nobody thought of undoes the transaction and answers its callers; the next one works."""

    def broken(_: Transaction) -> None:
        raise RuntimeError("nobody thought of this")

    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "flush", broken)
        async with asyncio.timeout(10):
            with pytest.raises(Unavailable, match="nobody thought of this"):
                await sqlite_store.commit(with_entry(0))

    assert await statuses(sqlite_store) == {}
    assert await sqlite_store.commit(with_entry(0)) == (0,)


async def test_a_damaged_file_stops_the_driver(tmp_path: Path) -> None:
    """SQLite meets bytes that it never wrote: nothing was done, nothing more is sequenced, and the reason is said."""
    database, path = await sqlite(tmp_path), tmp_path / "idverify.sqlite"
    async with database.open() as store:
        await store.commit(with_entry(0))
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'status_entry'").fetchone()
    with path.open("r+b") as file:
        os.pwrite(file.fileno(), bytes([0xA5]) * 4096, 4096 * (page - 1))
    async with database.open() as store:
        with pytest.raises(Unavailable, match="malformed"):
            await store.commit(with_entry(1))
        assert "malformed" in str(store.stopped_by())
        with pytest.raises(Unavailable, match="Restart the service"):
            await store.commit(with_entry(2))


async def test_a_full_database_undoes_the_whole_batch(sqlite_store: SqliteStore) -> None:
    """Space that runs out in the third of five sets is nobody's fault: all are undone; with room again, all succeed."""
    row = status_row(9) | {"status_list": "x" * 1_000_000}
    big = WriteSet((Insert(tables.status_entry, row),))

    def limit(pages: int) -> Any:
        async def work(transaction: Transaction) -> None:
            await transaction.fetch(f"PRAGMA max_page_count = {pages}")

        return work

    await sqlite_store.write(limit(100))
    async with busy(sqlite_store):
        sets = [with_entry(0), with_entry(1), big, with_entry(2), with_entry(3)]
        commits = [asyncio.ensure_future(sqlite_store.commit(work)) for work in sets]
        await asyncio.sleep(0)
    results = await asyncio.gather(*commits, return_exceptions=True)

    assert [type(result) for result in results] == [Unavailable] * 5
    assert {str(result) for result in results} == {"The storage refused: database or disk is full. Nothing was done."}
    assert await statuses(sqlite_store) == {}
    assert await bundles(sqlite_store) == []
    assert sqlite_store.stopped_by() is None
    await sqlite_store.write(limit(100_000))
    await sqlite_store.commit(big)
    assert [await sqlite_store.commit(with_entry(number)) for number in range(4)] == [(0,), (1,), (2,), (3,)]


async def test_nothing_is_written_below_the_low_water_mark(
    sqlite_store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the disk is full writes are refused; what is there can be read; with room again they work."""
    with monkeypatch.context() as patch:
        patch.setattr(driver, "LOW_WATER_BYTES", 2**62)
        patch.setattr(sqlite_store._written_by, "_space_checked", 0.0)
        with pytest.raises(Unavailable, match="disk is nearly full"):
            await sqlite_store.commit(with_entry(0))
        assert await statuses(sqlite_store) == {}

    assert await sqlite_store.commit(with_entry(0)) == (0,)
