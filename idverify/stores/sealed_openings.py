"""What a database still holds of one entry's opening, and whether there is a key that unseals it: for whoever checks
that a person was erased, with nothing but the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from idverify.stores.sqlite import connect

_SEALED: Final = """
    SELECT ledger_index, (SELECT count(*) FROM person_key WHERE person_key.person_id = ledger_record.person_id) AS keys
    FROM ledger_record WHERE handle = ? AND length(opening) > 0"""


def sealed_openings(database: Path, handle: bytes) -> Iterator[tuple[int, int]]:
    """(ledger index, number of wrapped keys of its person) of every sealed opening kept for a handle.

    Raises ``sqlite3.Error`` for a file that is no database of ours.
    """
    with closing(connect(database, read_only=True)) as connection:
        for row in connection.execute(_SEALED, (handle,)):
            yield row["ledger_index"], row["keys"]


def is_database(path: Path) -> bool:
    """Whether a file is an SQLite database that keeps ledger records."""
    try:
        with closing(connect(path, read_only=True)) as connection:
            query = "SELECT 1 FROM sqlite_master WHERE name = 'ledger_record'"
            return connection.execute(query).fetchone() is not None
    except sqlite3.Error:
        return False
