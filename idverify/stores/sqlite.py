"""The SQLite driver: a writer thread with group commit, a reader thread, and one that tidies, on the standard library.

*Writer*: takes whatever write sets wait, runs them in one ``BEGIN IMMEDIATE`` transaction,
and answers after COMMIT (WAL, synchronous=FULL: durable). A refused write set fails alone. If COMMIT itself
fails nobody knows what is on disk: every caller of the batch gets ``OutcomeUnknown`` and the driver stops for
good, as PostgreSQL does after a failed fsync; a restart reads the truth from disk.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Awaitable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Protocol, Self, TypeVar

from sqlalchemy.dialects.sqlite import dialect, insert

from idverify.errors import OutcomeUnknown, Unavailable
from idverify.ports import Clock
from idverify.stores.connection import NOTHING, Query, Refused, Row
from idverify.stores.many_rows import insert_rows
from idverify.stores.scrub import scrub
from idverify.stores.statements import Statements
from idverify.stores.store import MAX_BATCH, Read, Store
from idverify.stores.transaction import Transaction, Work, carried_out
from idverify.stores.wal import PAGES_AT_MOST, WalMover

LOW_WATER_BYTES: Final = 64 * 1024 * 1024
SPACE_CHECK_SECONDS: Final = 1.0
PRIMARY_CODE: Final = 0xFF
DISK_ERRORS: Final = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

T = TypeVar("T")
_Item = tuple[Any, "asyncio.Future[Any]"]
_Batch = list[_Item]
_Answer = tuple["asyncio.Future[Any]", Any, BaseException | None]


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection as this driver uses it; transactions are begun and ended in words."""
    mode = "ro" if read_only else "rwc"
    connection = sqlite3.connect(
        f"file:{path}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False, timeout=10
    )
    connection.row_factory = sqlite3.Row
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    else:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {PAGES_AT_MOST}")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


class SqliteConnection:
    """``connection.Connection`` over the standard library's: nothing is ever waited for (``driven``)."""

    statements = Statements(dialect(paramstyle="qmark"), insert)

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw

    async def fetch(self, query: Query, values: Mapping[str, Any] = NOTHING) -> list[Row]:
        """All rows."""
        sql = self.statements.query(query)
        return self.raw.execute(sql.text, sql.arrange(values)).fetchall()

    async def run(self, statement: Query, values: Mapping[str, Any] = NOTHING) -> int:
        """One statement."""
        sql = self.statements.query(statement)
        try:
            return self.raw.execute(sql.text, sql.arrange(values)).rowcount
        except sqlite3.IntegrityError as error:
            raise Refused(str(error)) from error

    async def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Many rows by few statements."""
        try:
            insert_rows(self.raw, f"INSERT INTO {table} ({', '.join(columns)}) VALUES ", rows)  # noqa: S608  ours
        except sqlite3.IntegrityError as error:
            raise Refused(str(error)) from error

    async def claim(self, keys: Sequence[tuple[bytes, int, int]]) -> int:
        """Many rows by few statements."""
        return insert_rows(self.raw, "INSERT OR IGNORE INTO ledger_once (key, shard, ledger_index) VALUES ", keys)

    async def give_back(self, keys: Sequence[tuple[bytes, int, int]]) -> None:
        """One statement for each."""
        self.raw.executemany("DELETE FROM ledger_once WHERE key = ? AND shard = ? AND ledger_index = ?", keys)

    async def known(self, keys: Sequence[bytes]) -> list[Row]:
        """One query for each: the last pages of the index are in memory."""
        sql = "SELECT key, shard, ledger_index FROM ledger_once WHERE key = ?"
        return [row for key in keys for row in self.raw.execute(sql, (key,))]

    async def add_bundle(self, bundle: tuple[int, int, int, bytes, bytes], tree: bytes) -> None:
        """One statement each."""
        sql = "INSERT INTO ledger_bundle (shard, first_index, count, entries, leaf_hashes) VALUES (?, ?, ?, ?, ?)"
        self.raw.execute(sql, bundle)
        self.raw.execute("UPDATE ledger_state SET tree = ? WHERE shard = ?", (tree, bundle[0]))

    async def mark(self) -> None:
        """A savepoint."""
        self.raw.execute("SAVEPOINT work")

    async def keep(self) -> None:
        """The end of the savepoint."""
        self.raw.execute("RELEASE work")

    async def undo(self) -> None:
        """Back to the savepoint; a full disk made SQLite roll back everything, the savepoint too."""
        if self.raw.in_transaction:
            self.raw.execute("ROLLBACK TO work")
            self.raw.execute("RELEASE work")

    def failed(self, error: Exception) -> bool:
        """A full disk, for one, or a file that holds what SQLite never wrote."""
        return isinstance(error, sqlite3.OperationalError) or _disk_failed(error)


class _Handler(Protocol):
    def do(self, batch: _Batch) -> list[_Answer]: ...

    def finish(self) -> None: ...


class _Lane(threading.Thread):
    """A thread that takes all work that waits, does it as one batch, and answers with one call into the loop.

    What one turn of the loop asks for is handed over together at its end: it shares a commit, and its answers, which
    come back together, let the next turn do the same.
    """

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop, handler: _Handler) -> None:
        super().__init__(name=name, daemon=True)
        self._loop, self._handler = loop, handler
        self._waiting: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
        self._asked: _Batch = []
        self._beyond: _Batch = []  # taken, and too many for one batch
        self._going = True

    def submit(self, work: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        if not self._asked:
            self._loop.call_soon(self._hand_over)
        self._asked.append((work, future))
        return future

    def stop(self) -> None:
        self._hand_over()
        self._waiting.put(None)
        self.join()

    def _hand_over(self) -> None:
        asked, self._asked = self._asked, []
        if asked:
            self._waiting.put(asked)

    def run(self) -> None:
        while self._going or self._beyond:
            batch = self._take()
            if batch:
                self._loop.call_soon_threadsafe(_deliver, self._handler.do(batch))
        self._handler.finish()

    def _take(self) -> _Batch:
        batch, self._beyond = self._beyond, []
        while self._going and (not batch or (len(batch) < MAX_BATCH and not self._waiting.empty())):
            more = self._waiting.get()
            self._going = more is not None
            batch += more or []
        self._beyond = batch[MAX_BATCH:]
        return batch[:MAX_BATCH]


class _Writer:
    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._connection = connect(path)
        self._space_checked = 0.0
        self._commits = 0
        self.stopped_by: str | None = None

    def commits(self) -> int | None:
        """How often it committed; None once it stopped for good."""
        return self._commits if self.stopped_by is None else None

    def do(self, batch: _Batch) -> list[_Answer]:
        try:
            self._require_working()
            self._connection.execute("BEGIN IMMEDIATE")
            answers = self._run(batch)
        except Exception as error:  # noqa: BLE001  whatever it was, nothing was committed and the callers wait
            return _all(batch, self._undone(error))
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self.stopped_by = f"COMMIT failed: {error}"
            return _all(batch, OutcomeUnknown("The storage failed while committing. Repeat with the same key."))
        self._commits += 1
        return answers

    def finish(self) -> None:
        if self.stopped_by is None:
            with suppress(sqlite3.Error):  # only tidying: what is in the WAL is durable there
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()

    def _run(self, batch: _Batch) -> list[_Answer]:
        transaction = Transaction(SqliteConnection(self._connection), self._clock.now())
        outcomes = driven(carried_out(transaction, [work for work, _ in batch]))
        driven(transaction.flush())
        return [(future, *outcome) for (_, future), outcome in zip(batch, outcomes, strict=True)]

    def _undone(self, error: Exception) -> Unavailable:
        """Roll back, and say that nothing was done.

        Where the file cannot be read or written, or even a rollback fails, the driver stops for good.
        """
        if _disk_failed(error):
            self.stopped_by = str(error)
        try:
            self._connection.rollback()
        except sqlite3.Error as worse:
            self.stopped_by = f"ROLLBACK failed: {worse}"
        return (
            error if isinstance(error, Unavailable) else Unavailable(f"The storage refused: {error}. Nothing was done.")
        )

    def _require_working(self) -> None:
        if self.stopped_by is not None:
            raise Unavailable(f"The storage stopped ({self.stopped_by}). Restart the service.")
        if time.monotonic() - self._space_checked < SPACE_CHECK_SECONDS:
            return
        space = os.statvfs(self._path.parent)
        if space.f_bavail * space.f_frsize < LOW_WATER_BYTES:
            raise Unavailable("The disk is nearly full; nothing is written until there is room.")
        self._space_checked = time.monotonic()


class _Reader:
    def __init__(self, path: Path) -> None:
        self._connection = connect(path, read_only=True)
        self._port = SqliteConnection(self._connection)

    def do(self, batch: _Batch) -> list[_Answer]:
        answers: list[_Answer] = []
        for work, future in batch:
            try:
                answers.append((future, driven(work(self._port)), None))
            except Exception as error:  # noqa: BLE001  a failed read is its caller's answer
                answers.append((future, None, error))
        return answers

    def finish(self) -> None:
        self._connection.close()


class SqliteStore(Store):
    """The database of one node, in a file."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self._clock = clock

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._written_by = _Writer(self.path, self._clock)
        self._writer = _Lane("idverify-writer", loop, self._written_by)
        self._reader = _Lane("idverify-reader", loop, _Reader(self.path))
        self._mover = WalMover(connect(self.path), self._written_by.commits)
        self._writer.start()
        self._reader.start()
        self._mover.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._mover.stop()
        self._reader.stop()
        self._writer.stop()

    async def write(self, work: Work) -> Any:
        """Run ``work`` on the writer, in the next group commit."""
        return await self._writer.submit(work)

    async def read(self, work: Read) -> Any:
        """Run ``work`` on the reader."""
        return await self._reader.submit(work)

    async def scrub(self, secrets: Sequence[bytes]) -> bool:
        """Search the files, and write them anew if need be."""
        return await scrub(self.path, secrets)

    def stopped_by(self) -> str | None:
        """Why the writer stopped for good, if it did."""
        return self._written_by.stopped_by


class _Session:
    """A connection to a file, within a transaction. Raises ``Unavailable`` where the file cannot be used."""

    def __init__(self, path: Path, begin: str, *, read_only: bool) -> None:
        with _unavailable():
            self._connection = connect(path, read_only=read_only)
            self._connection.execute(begin)

    def rows(self, sql: str, values: Mapping[str, Any] = NOTHING) -> Iterator[sqlite3.Row]:
        """Rows of a query one after the other."""
        with _unavailable():
            yield from self._connection.execute(sql, dict(values))

    def close(self) -> None:
        """Close the file; what was not committed was never done."""
        self._connection.close()


class SqliteSnapshot(_Session):
    """``log_source.Snapshot`` of a file, which is opened read-only."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "BEGIN", read_only=True)


class SqliteAlone(_Session):
    """``ledger_restore.Alone`` with a file: nobody else writes until it is closed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "BEGIN IMMEDIATE", read_only=False)

    def run(self, sql: str, values: Mapping[str, Any] = NOTHING) -> None:
        """One statement."""
        with _unavailable():
            self._connection.execute(sql, dict(values))

    def commit(self) -> None:
        """Make it all true."""
        with _unavailable():
            self._connection.execute("COMMIT")


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise Unavailable(f"The database cannot be used: {error}.") from error


def driven(work: Awaitable[T]) -> T:
    """The result of a coroutine that waits for nothing but its connection, run on this thread."""
    assert isinstance(work, Coroutine)
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise RuntimeError("Expected a write that waits for its transaction alone, it waited for something else.")


def _disk_failed(error: Exception) -> bool:
    """Whether the file could not be read or written, or holds what SQLite never wrote."""
    return getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE in DISK_ERRORS


def _all(batch: _Batch, error: BaseException) -> list[_Answer]:
    return [(future, None, error) for _, future in batch]


def _deliver(answers: list[_Answer]) -> None:
    for future, result, error in answers:
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
