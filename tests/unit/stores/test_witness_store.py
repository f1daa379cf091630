"""The memory of a witness: compare and swap between processes, durable, and stopped by the first doubt."""

from __future__ import annotations

import asyncio
import multiprocessing
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from idverify.errors import OutcomeUnknown, SetupError, Unavailable
from idverify.ledger.witness import Cosigned
from idverify.stores.witness import FILE_NAME, SqliteWitnessStore, make_memory

LOG = "log.example/1"


def cosigned(size: int, root: int = 0) -> Cosigned:
    return Cosigned(size, bytes([root]) * 32, 1_800_000_000 + root, b"note %d" % size)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A memory, made and empty."""
    make_memory(tmp_path / FILE_NAME)
    return tmp_path / FILE_NAME


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteWitnessStore]:
    """The memory, open."""
    async with SqliteWitnessStore(path) as opened:
        yield opened


async def test_compare_and_swap(store: SqliteWitnessStore) -> None:
    """A record changes only for whoever knows it, by size and root; another log's is another record."""
    first, second = cosigned(5), cosigned(2**64 - 1, 1)

    assert await store.latest(LOG) is None
    assert not await store.advance(LOG, first, second)
    assert await store.advance(LOG, None, first)
    assert not await store.advance(LOG, None, second)
    assert not await store.advance(LOG, cosigned(5, 1), second)
    assert not await store.advance(LOG, cosigned(6), second)
    assert await store.latest(LOG) == first
    assert await store.advance(LOG, first, second)
    assert await store.latest(LOG) == second
    assert await store.advance("other.example", None, first)
    assert await store.all() == [(LOG, second), ("other.example", first)]


async def test_another_process_sees_it(path: Path, store: SqliteWitnessStore) -> None:
    """What was advanced is there for whoever opens the file next."""
    await store.advance(LOG, None, cosigned(5))
    async with SqliteWitnessStore(path) as other:
        assert await other.latest(LOG) == cosigned(5)


def climb(path: Path, mark: int) -> list[int]:
    """In a process of its own: once both are there, count the log up to 300, and tell which steps were ours."""

    async def run() -> list[int]:
        mine = []
        async with SqliteWitnessStore(path) as store:
            while (latest := await store.latest(LOG)) is None or latest.size < 300:
                size = 1 + (0 if latest is None else latest.size)
                if await store.advance(LOG, latest, cosigned(size, mark)):
                    mine.append(size)
        return mine

    (path.parent / f"ready{mark}").touch()
    while len(list(path.parent.glob("ready*"))) < 2:
        time.sleep(0.001)
    return asyncio.run(run())


def test_two_processes_cannot_both_advance(path: Path) -> None:
    """Each step of a log that two processes race for belongs to exactly one of them."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        one, other = pool.starmap(climb, [(path, 1), (path, 2)])

    assert sorted(one + other) == list(range(1, 301))


class _Failing:
    """A connection whose next statement of one kind fails."""

    def __init__(self, real: sqlite3.Connection, statement: str) -> None:
        self._real, self._statement = real, statement

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        if sql.startswith(self._statement):
            raise sqlite3.OperationalError("disk I/O error")
        return self._real.execute(sql, *values)


@pytest.mark.parametrize("statement", ["BEGIN", "INSERT"])
async def test_a_write_that_was_refused_changes_nothing(store: SqliteWitnessStore, statement: str) -> None:
    """Nothing was done, and the next one works."""
    real = store._connection
    store._connection = _Failing(real, statement)  # type: ignore[assignment]
    with pytest.raises(Unavailable, match="Nothing was done"):
        await store.advance(LOG, None, cosigned(5))
    store._connection = real

    assert await store.advance(LOG, None, cosigned(5))


async def test_a_commit_in_doubt_stops_the_store(path: Path, store: SqliteWitnessStore) -> None:
    """Nobody knows what is on disk, so nothing is said any more; whoever opens the file reads the truth."""
    real = store._connection
    store._connection = _Failing(real, "COMMIT")  # type: ignore[assignment]
    with pytest.raises(OutcomeUnknown, match="failed while committing"):
        await store.advance(LOG, None, cosigned(5))
    store._connection = real

    assert store.stopped_by == "COMMIT failed: disk I/O error"
    with pytest.raises(Unavailable, match="Restart the witness"):
        await store.latest(LOG)
    real.execute("ROLLBACK")
    async with SqliteWitnessStore(path) as other:
        assert await other.latest(LOG) is None


async def test_a_memory_that_is_lost_is_not_made_anew(tmp_path: Path, path: Path) -> None:
    """No file, an empty one, one of another version, one that is no database: the operator must know."""
    (tmp_path / "empty").touch()
    (tmp_path / "other").write_bytes(b"not a database " * 100)
    later = tmp_path / "later"
    make_memory(later)
    sqlite3.connect(later).execute("PRAGMA user_version = 2").connection.close()
    for lost in (tmp_path / "nowhere", tmp_path / "empty", tmp_path / "other", later):
        with pytest.raises(SetupError, match="make a new one with new keys"):
            await SqliteWitnessStore(lost).__aenter__()
    with pytest.raises(SetupError, match="there already"):
        make_memory(path)
    with pytest.raises(SetupError, match="cannot be made"):
        make_memory(tmp_path / "no" / "folder")


async def test_it_is_durable_by_the_book(store: SqliteWitnessStore) -> None:
    """WAL, and every commit is synced before it is reported."""
    (mode,) = store._connection.execute("PRAGMA journal_mode").fetchone()
    (synchronous,) = store._connection.execute("PRAGMA synchronous").fetchone()

    assert (mode, synchronous) == ("wal", 2)
