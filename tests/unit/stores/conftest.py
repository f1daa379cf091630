"""Databases to run the same cases over: every driver by name, each case on an empty database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol

import pytest

from idverify.ledger.sequencer import genesis
from idverify.stores.schema import upgrade
from idverify.stores.sqlite import FIRST_SHARD, SqliteStore
from tests.simulators.ledger_memory import NOW, ORIGIN


class FixedClock:
    """A clock that stands still."""

    def now(self) -> int:
        """The moment at which these tests play."""
        return NOW


class Database(Protocol):
    """A migrated database with an empty log; ``open`` gives one instance of the driver, as often as asked."""

    def open(self) -> AbstractAsyncContextManager[SqliteStore]:
        """A driver over the database."""


@dataclass(frozen=True)
class SqliteDatabase:
    """A file."""

    path: Path

    def open(self) -> SqliteStore:
        """A driver over the file."""
        return SqliteStore(self.path, FixedClock())


@cache
def _migrated() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "idverify.sqlite"
        upgrade(path)
        return path.read_bytes()


async def sqlite(folder: Path) -> SqliteDatabase:
    """A fresh SQLite database in a folder."""
    database = SqliteDatabase(folder / "idverify.sqlite")
    database.path.write_bytes(_migrated())
    async with database.open() as store:
        await store.write(lambda transaction: transaction.start_log(FIRST_SHARD, ORIGIN, genesis(ORIGIN)))
    return database


DRIVERS: Final = {"sqlite": sqlite}


@pytest.fixture(params=DRIVERS)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """An empty database of each driver."""
    return await DRIVERS[request.param](tmp_path)


@pytest.fixture
async def store(database: Database) -> AsyncIterator[SqliteStore]:
    """An open driver over it."""
    async with database.open() as opened:
        yield opened


@pytest.fixture
async def sqlite_store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An open SQLite driver, for what only SQLite does."""
    async with (await sqlite(tmp_path)).open() as opened:
        yield opened
