"""One SQLite transaction of the group commit: write sets in savepoints, ledger entries in one bundle row."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Select
from sqlalchemy.dialects.sqlite import dialect

from idverify.ledger.entry import Draft
from idverify.ledger.sequencer import TreeState, encode_bundle, sequence
from idverify.stores import tables
from idverify.stores.statements import Statements, where
from idverify.stores.writes import Change, Consume, IndexOf, Insert, Put, Recorded, Remove, Write, WriteSet

statements = Statements(dialect(paramstyle="qmark"))

_LOAD_TREE = "SELECT tree FROM ledger_state WHERE shard = ?"
_SAVE_TREE = "UPDATE ledger_state SET tree = ? WHERE shard = ?"
_SAVE_BUNDLE = "INSERT INTO ledger_bundle (shard, first_index, count, entries, leaf_hashes) VALUES (?, ?, ?, ?, ?)"
_SAVE_RECORD = (
    "INSERT INTO ledger_record (shard, ledger_index, type, handle, person_id, opening) VALUES (?, ?, ?, ?, ?, ?)"
)


class Transaction:
    """Carries out write sets on one connection.

    The tree is read inside the transaction, so that every process
    that writes to the same file continues the same log.
    """

    def __init__(self, connection: sqlite3.Connection, shard: int, now: int) -> None:
        self.connection = connection
        self._shard = shard
        self._now = now
        self._tree: TreeState | None = None
        self._first_index = 0
        self._pending: list[tuple[bytes, bytes]] = []

    def tree(self) -> TreeState:
        """The state that the next entry continues."""
        if self._tree is None:
            row = self.connection.execute(_LOAD_TREE, (self._shard,)).fetchone()
            self._tree = TreeState.decode(row[0])
            self._first_index = self._tree.size
        return self._tree

    def within_savepoint(self, work: Callable[[Transaction], Any]) -> Any:
        """Run ``work``; if it raises, rows and entries are as they were before it."""
        tree, kept = self._tree, len(self._pending)
        self.connection.execute("SAVEPOINT work")
        try:
            result = work(self)
        except BaseException:
            self._tree = tree
            del self._pending[kept:]
            if self.connection.in_transaction:  # a full disk made SQLite roll back everything, this savepoint too
                self.connection.execute("ROLLBACK TO work")
                self.connection.execute("RELEASE work")
            raise
        self.connection.execute("RELEASE work")
        return result

    def fetch(self, query: Select[Any], values: Mapping[str, Any]) -> list[sqlite3.Row]:
        """All rows of a query as of this place in the transaction: nothing can come between them and a write."""
        sql = statements.select(query)
        return self.connection.execute(sql.text, sql.arrange(values)).fetchall()

    def apply(self, work: WriteSet) -> tuple[int, ...]:
        """Carry out a write set; the ledger indices of its entries, in order."""
        indices = tuple(self._append(entry) for entry in work.entries)
        for write in work.writes:
            self._write(write, indices)
        return indices

    def flush(self) -> None:
        """Write the batch's entries as one bundle row, and the new tree. Call once, before COMMIT."""
        if not self._pending or self._tree is None:
            return
        entries = encode_bundle([entry for entry, _ in self._pending])
        leaf_hashes = b"".join(leaf for _, leaf in self._pending)
        bundle = (self._shard, self._first_index, len(self._pending), entries, leaf_hashes)
        self.connection.execute(_SAVE_BUNDLE, bundle)
        self.connection.execute(_SAVE_TREE, (self._tree.encode(), self._shard))

    def _append(self, recorded: Recorded) -> int:
        draft: Draft = recorded.draft
        tree = self.tree()
        self._tree, entry, leaf = sequence(tree, draft, self._now)
        self._pending.append((entry, leaf))
        row = (self._shard, tree.size, recorded.type, draft.handle, recorded.person_id, recorded.opening)
        self.connection.execute(_SAVE_RECORD, row)
        return tree.size

    def _write(self, write: Write, indices: tuple[int, ...]) -> None:
        match write:
            case Insert(table, row, conflict):
                values = _resolved(row, indices)
                sql = statements.insert(table, tuple(values))
                try:
                    self.connection.execute(sql.text, sql.arrange(values))
                except sqlite3.IntegrityError as taken:
                    if conflict is None:
                        raise
                    raise conflict from taken
            case Put(table, row):
                values = _resolved(row, indices)
                sql = statements.put(table, tuple(values))
                self.connection.execute(sql.text, sql.arrange(values))
            case Change(table, condition, values, otherwise):
                sql = statements.update(table, tuple(condition), tuple(values))
                given = sql.arrange(_resolved(values, indices) | where(condition))
                touched = self.connection.execute(sql.text, given).rowcount
                if otherwise is not None and touched != 1:
                    raise otherwise
            case Remove(table, condition):
                sql = statements.delete(table, tuple(condition))
                self.connection.execute(sql.text, sql.arrange(where(condition)))
            case Consume():
                self._consume(write)

    def _consume(self, single_use: Consume) -> None:
        sql = statements.consume(single_use.table)
        given = {"consumed_at": single_use.at} | where({"id": single_use.id, "at": single_use.at})
        if self.connection.execute(sql.text, sql.arrange(given)).rowcount == 1:
            return
        asked = statements.single_use(single_use.table)
        row = self.connection.execute(asked.text, (single_use.id,)).fetchone()
        if row is None:
            raise single_use.unknown
        raise single_use.expired if row[0] is None else single_use.used


def start_log(connection: sqlite3.Connection, shard: int, origin: str, tree: TreeState) -> None:
    """Write the state row of an empty log. The caller's transaction must also append its first entry."""
    sql = statements.insert(tables.ledger_state, ("shard", "origin", "tree", "signed_size"))
    row = {"shard": shard, "origin": origin, "tree": tree.encode(), "signed_size": None}
    connection.execute(sql.text, sql.arrange(row))


def _resolved(row: Any, indices: tuple[int, ...]) -> dict[str, Any]:
    return {name: indices[value.position] if isinstance(value, IndexOf) else value for name, value in row.items()}
