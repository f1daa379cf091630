"""Moving the write-ahead log: beside the commits, and never after a doubtful one."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from idverify.stores.sqlite import SqliteStore, connect
from idverify.stores.wal import WalMover, write_anew
from tests.unit.stores.rows import with_entry


class Failing:
    """A connection whose first statement fails; it remembers what it was asked."""

    def __init__(self, inner: sqlite3.Connection) -> None:
        self._inner = inner
        self.asked: list[str] = []

    def execute(self, sql: str) -> sqlite3.Cursor:
        self.asked.append(sql)
        if len(self.asked) == 1:
            raise sqlite3.OperationalError("disk I/O error")
        return self._inner.execute(sql)

    def close(self) -> None:
        self._inner.close()


def in_the_file_alone(path: Path) -> int:
    """Rows of ``status_entry`` that are found without the write-ahead log."""
    alone = path.with_name("alone.sqlite")
    shutil.copyfile(path, alone)
    with closing(sqlite3.connect(alone)) as connection:
        return int(connection.execute("SELECT count(*) FROM status_entry").fetchone()[0])


async def test_what_was_committed_is_moved(sqlite_store: SqliteStore) -> None:
    """It is in the database file then, while the driver is open and a reader holds an older snapshot."""
    with closing(connect(sqlite_store.path)) as own, closing(connect(sqlite_store.path, read_only=True)) as reader:
        mover = WalMover(own, sqlite_store._written_by.commits)
        await sqlite_store.commit(with_entry(0))
        before = in_the_file_alone(sqlite_store.path)
        mover.move()
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM status_entry").fetchone()
        await sqlite_store.commit(with_entry(1))
        mover.move()

        assert (before, in_the_file_alone(sqlite_store.path)) == (0, 1)
        reader.execute("COMMIT")
        await sqlite_store.commit(with_entry(2))
        mover.move()
        assert in_the_file_alone(sqlite_store.path) == 3


async def test_after_a_doubtful_commit_nothing_is_moved(sqlite_store: SqliteStore) -> None:
    """What nobody knows the outcome of stays as it lies, for the restart to read."""
    await sqlite_store.commit(with_entry(0))
    sqlite_store._written_by.stopped_by = "COMMIT failed"
    with closing(connect(sqlite_store.path)) as own:
        WalMover(own, sqlite_store._written_by.commits).move()

    assert in_the_file_alone(sqlite_store.path) == 0


async def test_it_moves_only_what_is_new_and_tries_again_what_failed(sqlite_store: SqliteStore) -> None:
    """Nothing new, no work; a failure is no loss, and the next time does it."""
    with closing(Failing(connect(sqlite_store.path))) as own:
        mover = WalMover(own, sqlite_store._written_by.commits)  # type: ignore[arg-type]
        mover.move()
        assert own.asked == []
        await sqlite_store.commit(with_entry(0))
        for _ in range(3):
            mover.move()

        assert len(own.asked) == 2
        assert in_the_file_alone(sqlite_store.path) == 1


async def test_the_thread_moves_by_itself(sqlite_store: SqliteStore) -> None:
    """Started, it needs no call; stopped, it has closed its connection."""
    await sqlite_store.commit(with_entry(0))
    own, heard = connect(sqlite_store.path), threading.Event()
    own.set_trace_callback(lambda _: heard.set())
    mover = WalMover(own, sqlite_store._written_by.commits, seconds=0.001)
    mover.start()
    assert await asyncio.to_thread(heard.wait, 10)
    mover.stop()

    assert in_the_file_alone(sqlite_store.path) == 1
    assert not mover.is_alive()


def test_what_may_not_have_been_flushed_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed flush the kernel shows what it will never write: a new process writes and flushes all of it."""
    database, synced, written = tmp_path / "d.sqlite", list[Path](), list[tuple[int, int]]()
    with closing(connect(database)) as died:
        died.execute("CREATE TABLE a (b)")
        died.executemany("INSERT INTO a VALUES (?)", [(bytes(3000),) for _ in range(1000)])
        wal = database.with_name("d.sqlite-wal")
        before = wal.read_bytes()
        pwrite, fsync = os.pwrite, os.fsync

        def watched_write(descriptor: int, data: bytes, at: int) -> int:
            written.append((at, len(data)))
            return pwrite(descriptor, data, at)

        def watched_sync(descriptor: int) -> None:
            synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
            fsync(descriptor)

        monkeypatch.setattr(os, "pwrite", watched_write)
        monkeypatch.setattr(os, "fsync", watched_sync)
        write_anew(database)

        assert wal.read_bytes() == before
        assert synced == [wal]
        assert [at for at, _ in written] == list(range(0, len(before), 1024 * 1024))
        assert sum(size for _, size in written) == len(before)
        assert died.execute("SELECT count(*) FROM a").fetchone()[0] == 1000


def test_a_database_without_a_log_is_left_alone(tmp_path: Path) -> None:
    """Nothing died over it."""
    with closing(sqlite3.connect(tmp_path / "d.sqlite")) as connection:
        connection.execute("CREATE TABLE a (b)")
    write_anew(tmp_path / "d.sqlite")

    assert [path.name for path in tmp_path.iterdir()] == ["d.sqlite"]
