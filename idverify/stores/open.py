"""Where a deployment's rows are, and opening them: a SQLite file, or a database of a PostgreSQL server by its URL."""

from __future__ import annotations

from pathlib import Path

from idverify.ports import Clock
from idverify.stores.ledger_restore import Alone
from idverify.stores.log_source import Snapshot, StoredLog
from idverify.stores.sqlite import SqliteAlone, SqliteSnapshot, SqliteStore
from idverify.stores.store import FIRST_SHARD, Store

Location = Path | str
"""A file, or a URL: ``postgresql://user@host/database``."""


def open_store(location: Location, clock: Clock) -> Store:
    """The store there; use it as an async context manager."""
    if isinstance(location, Path):
        return SqliteStore(location, clock)
    from idverify.stores.postgres import PostgresStore  # noqa: PLC0415  0.2 s to import, for those who use it

    return PostgresStore(location, clock)


def open_log(location: Location, shard: int = FIRST_SHARD) -> StoredLog:
    """The log there, as it is at this moment, for the auditor. Raises ``Unavailable`` if it cannot be read."""
    return StoredLog(open_snapshot(location), shard)


def open_alone(location: Location) -> Alone:
    """One transaction there that writes, while nobody else does. Raises ``Unavailable`` if it cannot begin."""
    if isinstance(location, Path):
        return SqliteAlone(location)
    from idverify.stores.postgres_snapshot import PostgresAlone  # noqa: PLC0415  likewise

    return PostgresAlone(location)


def open_snapshot(location: Location) -> Snapshot:
    """All the rows there, as they are at this moment. Raises ``Unavailable`` if they cannot be read."""
    if isinstance(location, Path):
        return SqliteSnapshot(location)
    from idverify.stores.postgres_snapshot import PostgresSnapshot  # noqa: PLC0415  likewise

    return PostgresSnapshot(location)
