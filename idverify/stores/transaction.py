"""One SQLite transaction of the group commit: write sets in savepoints, ledger entries in one bundle row.

What a write set does is a coroutine function, so that one text serves every driver. Here nothing is ever waited for:
``driven`` runs it to its end in one step, on the writer's thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Select
from sqlalchemy.dialects.sqlite import dialect

from idverify.errors import Conflict, LogHalted
from idverify.ledger.entry import Draft
from idverify.ledger.sequencer import TreeState, encode_bundle, sequence_all
from idverify.stores import tables
from idverify.stores.many_rows import insert_rows
from idverify.stores.statements import Statements, where
from idverify.stores.writes import Change, Consume, IndexOf, Insert, Put, Recorded, Remove, ShardOf, Write, WriteSet

T = TypeVar("T")

statements = Statements(dialect(paramstyle="qmark"))

_CURRENT_LOG = "SELECT shard, tree, halted FROM ledger_state ORDER BY shard DESC LIMIT 1"
_SAVE_TREE = "UPDATE ledger_state SET tree = ? WHERE shard = ?"
_SAVE_BUNDLE = "INSERT INTO ledger_bundle (shard, first_index, count, entries, leaf_hashes) VALUES (?, ?, ?, ?, ?)"
_RECORDS = "INSERT INTO ledger_record (shard, ledger_index, type, handle, person_id, opening) VALUES "
_CLAIM_KEYS = "INSERT OR IGNORE INTO ledger_once (key, shard, ledger_index) VALUES "
_GIVE_BACK_KEY = "DELETE FROM ledger_once WHERE key = ? AND shard = ? AND ledger_index = ?"
_KNOWN_KEY = "SELECT shard, ledger_index FROM ledger_once WHERE key = ?"

Place = tuple[int, int]
"""Shard and index of an entry."""


class Transaction:
    """Carries out write sets on one connection.

    The tree is read inside the transaction, so that every process
    that writes to the same file continues the same log.
    """

    def __init__(self, connection: sqlite3.Connection, now: int) -> None:
        self.connection = connection
        self._now = now
        self._shard = 0
        self._tree: TreeState | None = None
        self._first_index = 0
        self._pending: list[tuple[bytes, bytes]] = []

    async def log(self) -> tuple[int, TreeState]:
        """The shard that is written to, and the state that its next entry continues.

        Raises ``LogHalted`` where nothing can be written to it any more.
        """
        if self._tree is None:
            row = self.connection.execute(_CURRENT_LOG).fetchone()
            if row[2] is not None:
                raise LogHalted(row[2])
            self._shard, self._tree = row[0], TreeState.decode(row[1])
            self._first_index = self._tree.size
        return self._shard, self._tree

    def within_savepoint(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run ``work``; if it raises, rows and entries are as they were before it."""
        log, pending, kept = (self._shard, self._tree, self._first_index), self._pending, len(self._pending)
        self.connection.execute("SAVEPOINT work")
        try:
            result = driven(work(self))
        except BaseException:
            self._shard, self._tree, self._first_index = log
            self._pending = pending
            del pending[kept:]
            if self.connection.in_transaction:  # a full disk made SQLite roll back everything, this savepoint too
                self.connection.execute("ROLLBACK TO work")
                self.connection.execute("RELEASE work")
            raise
        self.connection.execute("RELEASE work")
        return result

    async def fetch(self, query: Select[Any], values: Mapping[str, Any]) -> list[sqlite3.Row]:
        """All rows of a query as of this place in the transaction: nothing can come between them and a write."""
        sql = statements.select(query)
        return self.connection.execute(sql.text, sql.arrange(values)).fetchall()

    async def apply(self, work: WriteSet) -> tuple[int, ...]:
        """Carry out a write set; the ledger indices of its entries, in order."""
        known: Mapping[int, Place] = {}
        places = await self._append(work.entries)
        if places is None:
            known = self._known(work)
            places = await self._append_new(work, known)
        if not _is_repeat(work, known):
            for write in work.writes:
                self._write(write, places)
        return tuple(index for _, index in places)

    async def extend(self, drafts: Sequence[Draft], keys: Sequence[bytes | None] = ()) -> list[Place] | None:
        """Append entries to the log, without rows of theirs; where they stand.

        None, and nothing is done, where one of their idempotency ``keys`` was used before.
        """
        shard, tree = await self.log()
        claims = [(key, shard, index) for index, key in enumerate(keys, tree.size) if key is not None]
        if insert_rows(self.connection, _CLAIM_KEYS, claims) < len(claims):
            self.connection.executemany(_GIVE_BACK_KEY, claims)
            return None
        self._tree, entries, leaf_hashes = sequence_all(tree, drafts, self._now)
        self._pending.extend(zip(entries, leaf_hashes, strict=True))
        return [(shard, index) for index in range(tree.size, self._tree.size)]

    async def start_log(self, shard: int, origin: str, tree: TreeState, previous: bytes | None = None) -> None:
        """Begin an empty log, which the transaction's further entries go to; the first must follow in it."""
        self.flush()
        row = {
            "shard": shard,
            "origin": origin,
            "tree": tree.encode(),
            "previous": previous,
            "signed_size": None,
            "quorum_size": None,
            "epoch": 0,
            "lease_holder": None,
            "lease_until": 0,
            "halted": None,
        }
        self._write(Insert(tables.ledger_state, row), ())
        self._shard, self._tree, self._first_index = shard, tree, tree.size

    def flush(self) -> None:
        """Write the batch's entries as one bundle row, and the new tree. Call once, before COMMIT."""
        if not self._pending or self._tree is None:
            return
        entries = encode_bundle([entry for entry, _ in self._pending])
        leaf_hashes = b"".join(leaf for _, leaf in self._pending)
        bundle = (self._shard, self._first_index, len(self._pending), entries, leaf_hashes)
        self.connection.execute(_SAVE_BUNDLE, bundle)
        self.connection.execute(_SAVE_TREE, (self._tree.encode(), self._shard))
        self._pending, self._first_index = [], self._tree.size

    async def _append(self, entries: Sequence[Recorded]) -> list[Place] | None:
        """``extend`` the log, and write the private rows."""
        if not entries:
            return []
        places = await self.extend([entry.draft for entry in entries], [entry.once for entry in entries])
        if places is not None:
            rows = [
                (*place, entry.type, entry.draft.handle, entry.person_id, entry.opening)
                for place, entry in zip(places, entries, strict=True)
            ]
            insert_rows(self.connection, _RECORDS, rows)
        return places

    def _known(self, work: WriteSet) -> dict[int, Place]:
        """Position in the write set -> where the entry stands already."""
        known = {}
        for position, entry in enumerate(work.entries):
            if entry.once is not None and (row := self.connection.execute(_KNOWN_KEY, (entry.once,)).fetchone()):
                known[position] = (row[0], row[1])
        return known

    async def _append_new(self, work: WriteSet, known: Mapping[int, Place]) -> list[Place]:
        """Append what is not ``known``; the places of all, in order."""
        new = await self._append([entry for position, entry in enumerate(work.entries) if position not in known])
        if new is None:
            raise Conflict("Two entries of one write set have the same idempotency key. Nothing was done.")
        following = iter(new)
        return [known.get(position) or next(following) for position in range(len(work.entries))]

    def _write(self, write: Write, places: Sequence[Place]) -> None:
        match write:
            case Insert(table, row, conflict):
                values = _resolved(row, places)
                sql = statements.insert(table, tuple(values))
                try:
                    self.connection.execute(sql.text, sql.arrange(values))
                except sqlite3.IntegrityError as taken:
                    if conflict is None:
                        raise
                    raise conflict from taken
            case Put(table, row):
                values = _resolved(row, places)
                sql = statements.put(table, tuple(values))
                self.connection.execute(sql.text, sql.arrange(values))
            case Change(table, condition, values, otherwise):
                sql = statements.update(table, tuple(condition), tuple(values))
                given = sql.arrange(_resolved(values, places) | where(condition))
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


def driven(work: Awaitable[T]) -> T:
    """The result of a coroutine that waits for nothing but its transaction, run on this thread."""
    assert isinstance(work, Coroutine)
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise RuntimeError("Expected a write that waits for its transaction alone, it waited for something else.")


def _is_repeat(work: WriteSet, known: Mapping[int, Place]) -> bool:
    """Whether the set was carried out before. Raises ``Conflict`` where rows hang on entries of which some are new."""
    keyed = sum(entry.once is not None for entry in work.entries)
    if known and work.writes and len(known) < keyed:
        raise Conflict("Some of these entries were recorded before, together with other rows. Nothing was done.")
    return bool(known) and len(known) == keyed


def _resolved(row: Mapping[str, Any], places: Sequence[Place]) -> dict[str, Any]:
    return {name: _value(value, places) for name, value in row.items()}


def _value(value: Any, places: Sequence[Place]) -> Any:
    if isinstance(value, IndexOf):
        return places[value.position][1]
    return places[0][0] if isinstance(value, ShardOf) else value
