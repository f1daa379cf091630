"""Many rows by few statements: each statement costs as much as a row or two of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any, Final

_AT_ONCE: Final = 64  # more gains nothing, and SQLite's oldest limit is 999 values

# They change no value: but for a type without an adapter, each binding looks for a ``__conform__`` first, which costs
# more than the binding.
sqlite3.register_adapter(bytes, bytes)
sqlite3.register_adapter(type(None), lambda nothing: nothing)


def insert_rows(connection: sqlite3.Connection, insert: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """Run ``insert``, a statement up to and including ``VALUES``, with all rows; how many were inserted."""
    inserted = 0
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        statement = insert + _places(len(some), len(some[0]))
        inserted += connection.execute(statement, list(chain.from_iterable(some))).rowcount
    return inserted


@cache
def _places(rows: int, columns: int) -> str:
    return ", ".join([f"({', '.join('?' * columns)})"] * rows)
