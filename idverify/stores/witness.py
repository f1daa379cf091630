"""What a witness remembers, in a small SQLite file of its own: one row for each log.

Compare and write are one ``BEGIN IMMEDIATE`` transaction in WAL with synchronous=FULL, so two processes on one file
cannot both advance, and what ``advance`` said stays said. When COMMIT fails nobody knows what is on disk: the store
then refuses everything, and a new process reads the truth.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Final, Self, TypeVar

from idverify.errors import OutcomeUnknown, SetupError, Unavailable
from idverify.ledger.witness import Cosigned

FILE_NAME: Final = "witness.sqlite"
_VERSION: Final = 1
_BUSY_SECONDS: Final = 5.0

# Sizes are decimal text: SQLite's integers end before those of a tree do.
_SCHEMA: Final = """
    CREATE TABLE cosigned (
        origin TEXT NOT NULL PRIMARY KEY, size TEXT NOT NULL, root BLOB NOT NULL CHECK (length(root) = 32),
        time INTEGER NOT NULL, note BLOB NOT NULL
    ) STRICT, WITHOUT ROWID"""
_LATEST: Final = "SELECT size, root, time, note FROM cosigned WHERE origin = ?"
_ALL: Final = "SELECT origin, size, root, time, note FROM cosigned ORDER BY origin"
_ADVANCE: Final = "INSERT OR REPLACE INTO cosigned (origin, size, root, time, note) VALUES (?, ?, ?, ?, ?)"

_LOST: Final = "If what the witness remembered is lost, make a new one with new keys: idverify witness init"

T = TypeVar("T")


class SqliteWitnessStore:
    """``WitnessStore`` in a file. ``async with`` opens and closes it.

    Methods raise ``Unavailable``: nothing was done; ``OutcomeUnknown``: it may or may not have been, and everything
    after it is ``Unavailable``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stopped_by: str | None = None

    async def __aenter__(self) -> Self:
        """Open the file. Raises ``SetupError``: it is not there, or is none that ``make_memory`` made."""
        self._thread = ThreadPoolExecutor(1, "idverify-witness")  # one connection, one transaction at a time
        try:
            self._connection = await self._run(lambda: _open(self.path))
        except BaseException:
            self._thread.shutdown()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._run(self._connection.close)
        self._thread.shutdown()

    async def latest(self, origin: str) -> Cosigned | None:
        """What was cosigned last."""
        return await self._do(lambda: _latest(self._connection, origin))

    async def advance(self, origin: str, previous: Cosigned | None, new: Cosigned) -> bool:
        """Compare and swap, durably."""
        return await self._do(lambda: self._advance(origin, previous, new))

    async def all(self) -> list[tuple[str, Cosigned]]:
        """Every log's origin and what was cosigned last of it."""

        def read() -> list[tuple[str, Cosigned]]:
            return [(origin, _cosigned(*row)) for origin, *row in self._connection.execute(_ALL)]

        return await self._do(read)

    def _advance(self, origin: str, previous: Cosigned | None, new: Cosigned) -> bool:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            kept = _latest(self._connection, origin)
            if _tree(kept) != _tree(previous):
                self._connection.execute("ROLLBACK")
                return False
            self._connection.execute(_ADVANCE, (origin, str(new.size), new.root, new.time, new.note))
        except sqlite3.Error:
            if self._connection.in_transaction:  # a full disk has rolled back already
                self._connection.execute("ROLLBACK")
            raise
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self.stopped_by = f"COMMIT failed: {error}"
            raise OutcomeUnknown(f"The witness's storage failed while committing ({error}).") from error
        return True

    async def _do(self, work: Callable[[], T]) -> T:
        if self.stopped_by is not None:
            raise Unavailable(f"The witness's storage stopped ({self.stopped_by}). Restart the witness.")
        try:
            return await self._run(work)
        except sqlite3.Error as error:
            raise Unavailable(f"The witness's storage refused: {error}. Nothing was done.") from error

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def make_memory(path: Path) -> None:
    """Make the file, empty. Raises ``SetupError``: there is one, or it cannot be made.

    Nothing else makes it: a witness that lost its memory must not begin again under the same keys, since it would
    cosign a tree that contradicts those it cosigned before.
    """
    if path.exists():
        raise SetupError(f"{path} is there already.", "Choose another directory.")
    try:
        with closing(_connect(path, "rwc")) as connection:
            connection.execute("BEGIN")
            connection.execute(_SCHEMA)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise SetupError(f"{path} cannot be made ({error}).", "Choose another directory.") from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=_BUSY_SECONDS,
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _open(path: Path) -> sqlite3.Connection:
    try:
        connection = _connect(path, "rw")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        raise SetupError(f"{path} cannot be used ({error}).", _LOST) from error
    if version != _VERSION:
        connection.close()
        raise SetupError(f"{path} is no witness's memory of version {_VERSION}, but of {version}.", _LOST)
    return connection


def _latest(connection: sqlite3.Connection, origin: str) -> Cosigned | None:
    row = connection.execute(_LATEST, (origin,)).fetchone()
    return None if row is None else _cosigned(*row)


def _cosigned(size: str, root: bytes, time: int, note: bytes) -> Cosigned:
    return Cosigned(int(size), root, time, note)


def _tree(cosigned: Cosigned | None) -> tuple[int, bytes] | None:
    return None if cosigned is None else (cosigned.size, cosigned.root)
