"""Migrated, empty databases to run the same cases over: one for each driver, by its name."""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from idverify.ports import SystemClock
from idverify.stores.connection import NOTHING
from idverify.stores.open import Location, open_snapshot, open_store
from idverify.stores.schema import upgrade
from idverify.stores.store import Store
from idverify.stores.tables import metadata
from idverify.stores.transaction import Transaction
from tests.simulators.postgres import Cluster, dumped_and_restored, of_url

DRIVERS: Final = ("sqlite", "postgres")


@asynccontextmanager
async def fresh(driver: str, folder: Path, request: pytest.FixtureRequest) -> AsyncIterator[Location]:
    """A database of a driver, gone when it is no longer used."""
    if driver == "sqlite":
        path = folder / "idverify.sqlite"
        path.write_bytes(migrated_file())
        yield path
        return
    server: Cluster = request.getfixturevalue("postgres")
    url = await server.copied()
    try:
        yield url
    finally:
        await server.dropped(url)


@contextmanager
def empty(driver: str, request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The URL of an empty database for a new deployment; None for SQLite, whose file is made with it."""
    if driver == "sqlite":
        yield None
        return
    server: Cluster = request.getfixturevalue("postgres")
    name = f"empty_{secrets.token_hex(6)}"
    server.sql(f"CREATE DATABASE {name}")
    try:
        yield server.url(name)
    finally:
        server.sql(f"DROP DATABASE {name} WITH (FORCE)")


@cache
def migrated_file() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "idverify.sqlite"
        upgrade(path)
        return path.read_bytes()


def rows(location: Location, sql: str, values: Mapping[str, Any] = NOTHING) -> list[tuple[Any, ...]]:
    """What a query answers, past the service."""
    with closing(open_snapshot(location)) as snapshot:
        return [tuple(row) for row in snapshot.rows(sql, values)]


def changed(location: Location, sql: str, values: Mapping[str, Any] = NOTHING) -> int:
    """Run a statement behind the service's back; how many rows it touched. Bytes are written as in SQLite."""
    statement = sql if isinstance(location, Path) else _in_postgres(sql)

    async def run() -> int:
        async def work(transaction: Transaction) -> int:
            return await transaction.connection.run(statement, values)

        async with open_store(location, SystemClock()) as store:
            return int(await store.write(work))

    with ThreadPoolExecutor(1) as thread:  # an event loop may be running here
        return thread.submit(asyncio.run, run()).result()


def _in_postgres(sql: str) -> str:
    sql = re.sub(r"zeroblob\((\d+)\)", lambda found: f"x'{'00' * int(found[1])}'", sql)
    return re.sub(r"x'([0-9a-f]*)'", r"CAST('\\x\1' AS BYTEA)", sql)


@contextmanager
def copied(location: Location, folder: Path) -> Iterator[Location]:
    """A copy of a database, as it is now, gone when it is no longer used; of a file in a data directory, ``folder``."""
    if isinstance(location, Path):
        copy = folder / "idverify.sqlite"
        with closing(sqlite3.connect(location)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        yield copy
    else:
        with dumped_and_restored(location, folder) as url:
            yield url


async def backed_up(location: Location) -> Callable[[], Awaitable[None]]:
    """Back up a database that nobody has open; what is returned restores it, whatever happened since."""
    if isinstance(location, Path):
        file = location.with_suffix(f".{secrets.token_hex(4)}")
        shutil.copy(location, file)

        async def move() -> None:
            shutil.move(file, location)

        return move
    server, name, copy = of_url(location), urlsplit(location).path[1:], f"backup_{secrets.token_hex(6)}"
    await server.asked(f"CREATE DATABASE {copy} TEMPLATE {name}")

    async def rename() -> None:
        await server.asked(f"DROP DATABASE {name} WITH (FORCE)")
        await server.asked(f"ALTER DATABASE {copy} RENAME TO {name}")

    return rename


async def everything(store: Store) -> str:
    """Every value in every table, bytes as hex."""
    found = [row for table in metadata.sorted_tables for row in await store.fetch(select(table), {})]
    return "\n".join(value.hex() if isinstance(value, bytes) else str(value) for row in found for value in row)
