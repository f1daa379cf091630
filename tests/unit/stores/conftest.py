"""Databases to run the same cases over: every driver by name, each case on an empty log of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from idverify.ledger.sequencer import genesis
from idverify.stores.open import Location, open_store
from idverify.stores.sqlite import SqliteStore
from idverify.stores.store import FIRST_SHARD, Store
from tests.simulators.databases import fresh, migrated_file
from tests.simulators.ledger_memory import NOW, ORIGIN


class FixedClock:
    """A clock that stands still."""

    def now(self) -> int:
        """The moment at which these tests play."""
        return NOW


@dataclass(frozen=True)
class Database:
    """A migrated database with an empty log; ``open`` gives one instance of the driver, as often as asked."""

    location: Location

    def open(self) -> Store:
        """A driver over the database."""
        return open_store(self.location, FixedClock())


async def sqlite(folder: Path) -> Database:
    """A fresh SQLite database in a folder, with an empty log."""
    path = folder / "idverify.sqlite"
    path.write_bytes(migrated_file())
    return await with_log(path)


async def with_log(location: Location) -> Database:
    """A migrated database, with an empty log in it now."""
    database = Database(location)
    async with database.open() as store:
        await store.write(lambda transaction: transaction.start_log(FIRST_SHARD, ORIGIN, genesis(ORIGIN)))
    return database


@pytest.fixture
async def database(location: Location) -> Database:
    """An empty log in a database of each driver."""
    return await with_log(location)


@pytest.fixture
async def store(database: Database) -> AsyncIterator[Store]:
    """An open driver over it."""
    async with database.open() as opened:
        yield opened


@pytest.fixture
async def sqlite_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """The same in a file, for what only SQLite does."""
    async with fresh("sqlite", tmp_path, request) as location:
        yield await with_log(location)


@pytest.fixture
async def sqlite_store(sqlite_database: Database) -> AsyncIterator[SqliteStore]:
    """An open driver over it."""
    async with sqlite_database.open() as opened:
        assert isinstance(opened, SqliteStore)
        yield opened
