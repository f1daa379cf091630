"""Seeing to it that what was deleted is gone from the database's files, not only from its tables.

SQLite keeps deleted bytes in free space unless ``secure_delete`` is on, and every change stands in the write-ahead log
until it is truncated. So the log is emptied, the files are searched, and where a secret is still found the database is
written anew.
"""

from __future__ import annotations

import asyncio
import mmap
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import structlog

PATIENCE_SECONDS: Final = 10
log = structlog.get_logger()


async def scrub(database: Path, secrets: Sequence[bytes]) -> bool:
    """Whether none of ``secrets`` lies in the files any more; takes as long as writing the database anew, if it must.

    False where another process holds an old state open (a running audit), or the disk has no room for a new file:
    nothing is lost, and trying again later does no harm.
    """
    return await asyncio.to_thread(_scrub, database, secrets)


def lies_in_files(database: Path, secrets: Sequence[bytes]) -> bool:
    """Whether any of ``secrets`` is in the database file, its write-ahead log or its journal."""
    files = (database.with_name(database.name + end) for end in ("", "-wal", "-journal"))
    return any(_holds(path, secrets) for path in files if path.exists() and path.stat().st_size)


def _scrub(database: Path, secrets: Sequence[bytes]) -> bool:
    try:
        with closing(sqlite3.connect(database, isolation_level=None, timeout=PATIENCE_SECONDS)) as connection:
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            if lies_in_files(database, secrets):
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        log.warning("scrub_failed", error=type(error).__name__)
    return not lies_in_files(database, secrets)


def _holds(path: Path, secrets: Sequence[bytes]) -> bool:
    with path.open("rb") as file, closing(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) as content:
        return any(content.find(secret) >= 0 for secret in secrets)
