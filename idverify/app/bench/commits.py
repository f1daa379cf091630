"""What the service's commits cost at the least: the rows that it wrote, written again in plain ``sqlite3``.

The copy is taken before the load starts; what the load wrote is read from the service's own file and replayed
into the copy, in as many transactions as the service needed, with the same durability.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from sqlalchemy import Table

from idverify.stores import tables
from idverify.stores.sqlite import connect


@dataclass(frozen=True, slots=True)
class Statement:
    """``sql`` is run once for each row that ``rows`` finds; ``rows`` skips those that were there before."""

    rows: str
    sql: str


def _insert(table: Table, *, later: str | None = None) -> Statement:
    """Insert whole rows, but for the column that is filled in ``later``."""
    names = [column.name for column in table.columns if column.name != later]
    listed, places = ", ".join(names), ", ".join("?" * len(names))
    order = "rowid" if table.dialect_options["sqlite"]["with_rowid"] else ", ".join(table.primary_key.columns.keys())
    return Statement(
        f"SELECT {listed} FROM {table.name} ORDER BY {order} LIMIT -1 OFFSET ?",  # noqa: S608  names of our own tables
        f"INSERT INTO {table.name} ({listed}) VALUES ({places})",  # noqa: S608  likewise
    )


_USED_REQUEST: Final = Statement(
    "SELECT consumed_at, id FROM verification_request WHERE consumed_at > 0 ORDER BY rowid LIMIT -1 OFFSET ?",
    "UPDATE verification_request SET consumed_at = ? WHERE id = ?",
)
_USED_OFFER: Final = Statement(
    "SELECT created_at, offer_id FROM issuance ORDER BY rowid LIMIT -1 OFFSET ?",
    "UPDATE offer SET consumed_at = ? WHERE id = ?",
)
_ENTITLED: Final = Statement(
    "SELECT person_id FROM credential ORDER BY rowid LIMIT -1 OFFSET ?",
    "UPDATE person SET status = status WHERE id = ?",
)
_ANSWER: Final = Statement(
    "SELECT sealed_answer, id FROM issuance ORDER BY rowid LIMIT -1 OFFSET ?",
    "UPDATE issuance SET state = 'issued', sealed_answer = ? WHERE id = ?",
)

Commits = Sequence[Sequence[Statement]]
"""The commits that one request needs, each as its statements."""

CHECK: Final[Commits] = ((_insert(tables.look),),)
CHECK_ANSWER: Final[Commits] = ((_USED_REQUEST, _insert(tables.look)),)
ISSUE: Final[Commits] = (
    (_USED_OFFER, _insert(tables.issuance, later="sealed_answer")),
    (_insert(tables.ledger_record), _insert(tables.ledger_bundle), _ENTITLED, _insert(tables.credential), _ANSWER),
)


class Replay:
    """A copy of the service's database that follows it. Use it as a context manager."""

    def __init__(self, database: Path, copy: Path, commits: Commits) -> None:
        self._index = database.with_name(f"{database.name}-shm")
        self._commits = commits
        self._service = connect(database, read_only=True)
        self._copy = connect(copy)
        self._service.backup(self._copy)
        self._seen = {part: len(self._new(self._copy, part, 0)) for part in sum(map(tuple, commits), ())}
        self._committed = self._transactions()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._service.close()
        self._copy.close()

    def cpu_seconds(self) -> float:
        """CPU seconds of writing what the service wrote since the last call."""
        committed = self._transactions()
        made = max(1, round((committed - self._committed) / len(self._commits)))
        self._committed = committed
        work = [[(part.sql, self._unseen(part)) for part in commit] for commit in self._commits]
        begin = time.process_time()
        for commit in work:
            for at in range(made):
                self._copy.execute("BEGIN IMMEDIATE")
                for sql, rows in commit:
                    self._copy.executemany(sql, rows[len(rows) * at // made : len(rows) * (at + 1) // made])
                self._copy.execute("COMMIT")
        return time.process_time() - begin

    def _unseen(self, part: Statement) -> list[tuple[object, ...]]:
        rows = self._new(self._service, part, self._seen[part])
        self._seen[part] += len(rows)
        return rows

    @staticmethod
    def _new(connection: sqlite3.Connection, part: Statement, seen: int) -> list[tuple[object, ...]]:
        return [tuple(row) for row in connection.execute(part.rows, (seen,))]

    def _transactions(self) -> int:
        """``iChange`` of the WAL index, which grows with each transaction (SQLite, "WAL-mode File Format", 2.1)."""
        return int.from_bytes(self._index.read_bytes()[8:12], sys.byteorder)
