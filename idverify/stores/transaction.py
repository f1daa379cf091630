"""One transaction of the group commit: write sets that stand or fall alone, ledger entries in one bundle row.

What a write set does is a coroutine function over ``connection.Connection``, so that one text serves every driver.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from idverify.errors import Conflict, LogHalted
from idverify.ledger.entry import Draft
from idverify.ledger.sequencer import TreeState, encode_bundle, sequence_all
from idverify.stores import tables
from idverify.stores.connection import NOTHING, Connection, Query, Refused, Row
from idverify.stores.statements import where
from idverify.stores.writes import (
    Change,
    Consume,
    IndexOf,
    Insert,
    InsertMany,
    Put,
    Recorded,
    Remove,
    Require,
    ShardOf,
    Write,
    WriteSet,
)

T = TypeVar("T")

_CURRENT_LOG = "SELECT shard, tree, halted FROM ledger_state ORDER BY shard DESC LIMIT 1"
_RECORD = ("shard", "ledger_index", "type", "handle", "person_id", "opening")

Place = tuple[int, int]
"""Shard and index of an entry."""


Work = Callable[["Transaction"], Awaitable[Any]]
"""A write: it awaits its transaction and nothing else, and may be run again before anybody hears of it."""

Outcome = tuple[Any, Exception | None]
"""The result of a piece of work, or why it was refused."""


class KeyUsedError(Exception):
    """One of several idempotency keys that were taken for new is not."""


class Transaction:
    """Carries out write sets on one connection.

    The tree is read inside the transaction, so that every process
    that writes to the same database continues the same log.
    """

    def __init__(self, connection: Connection, now: int) -> None:
        self.connection = connection
        self._now = now
        self._shard = 0
        self._tree: TreeState | None = None
        self._first_index = 0
        self._pending: list[tuple[bytes, bytes]] = []
        self._records: list[tuple[Any, ...]] = []
        self._claims: list[tuple[bytes, int, int]] | None = None
        self._rows: dict[tuple[str, tuple[str, ...]], list[tuple[Any, ...]]] = {}
        self._held: set[object] = set()  # what ``Require`` asked, and nothing was written since

    async def log(self) -> tuple[int, TreeState]:
        """The shard that is written to, and the state that its next entry continues.

        Raises ``LogHalted`` where nothing can be written to it any more.
        """
        if self._tree is None:
            (row,) = await self.connection.fetch(_CURRENT_LOG)
            if row["halted"] is not None:
                raise LogHalted(row["halted"])
            self._shard, self._tree = row[0], TreeState.decode(row[1])
            self._first_index = self._tree.size
        return self._shard, self._tree

    async def within_savepoint(self, work: Callable[[Transaction], Awaitable[T]], *, hopeful: bool = False) -> T:
        """Run ``work``; if it raises, rows and entries are as they were before it.

        Whoever is ``hopeful`` takes every idempotency key for new until the end, and raises ``KeyUsedError`` then.
        """
        log, pending, kept = (self._shard, self._tree, self._first_index), self._pending, len(self._pending)
        self._claims = [] if hopeful else None
        await self.connection.mark()
        try:
            result = await work(self)
            await self._settle()
        except BaseException:
            self._shard, self._tree, self._first_index = log
            self._pending = pending
            del pending[kept:]
            self._records, self._rows, self._held = [], {}, set()
            await self.connection.undo()
            raise
        await self.connection.keep()
        return result

    async def fetch(self, query: Query, values: Mapping[str, Any] = NOTHING) -> list[Row]:
        """All rows of a query as of this place in the transaction: nothing can come between them and a write."""
        return await self.connection.fetch(query, values)

    async def apply(self, work: WriteSet) -> tuple[int, ...]:
        """Carry out a write set; the ledger indices of its entries, in order."""
        known: Mapping[int, Place] = {}
        places = await self._append(work.entries)
        if places is None:
            known = await self._known(work)
            places = await self._append_new(work, known)
        if not _is_repeat(work, known):
            for write in work.writes:
                await self._write(write, places)
        return tuple([index for _, index in places])

    async def extend(self, drafts: Sequence[Draft], keys: Sequence[bytes | None] = ()) -> list[Place] | None:
        """Append entries to the log, without rows of theirs; where they stand.

        None, and nothing is done, where one of their idempotency ``keys`` was used before.
        """
        shard, tree = await self.log()
        claims = [(key, shard, index) for index, key in enumerate(keys, tree.size) if key is not None]
        if self._claims is not None:
            self._claims += claims
        elif claims and await self.connection.claim(claims) < len(claims):
            await self.connection.give_back(claims)
            return None
        self._tree, entries, leaf_hashes = sequence_all(tree, drafts, self._now)
        self._pending.extend(zip(entries, leaf_hashes, strict=True))
        return [(shard, index) for index in range(tree.size, self._tree.size)]

    async def start_log(self, shard: int, origin: str, tree: TreeState, previous: bytes | None = None) -> None:
        """Begin an empty log, which the transaction's further entries go to; the first must follow in it."""
        await self.flush()
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
        await self._write(Insert(tables.ledger_state, row), ())
        self._shard, self._tree, self._first_index = shard, tree, tree.size

    async def flush(self) -> None:
        """Write the batch's entries as one bundle row, and the new tree. Call once, before COMMIT."""
        await self._settle()
        if not self._pending or self._tree is None:
            return
        entries = encode_bundle([entry for entry, _ in self._pending])
        leaf_hashes = b"".join(leaf for _, leaf in self._pending)
        bundle = (self._shard, self._first_index, len(self._pending), entries, leaf_hashes)
        await self.connection.add_bundle(bundle, self._tree.encode())
        self._pending, self._first_index = [], self._tree.size

    async def _settle(self) -> None:
        """Write the rows of the entries so far, and their keys."""
        if self._claims:
            if await self.connection.claim(self._claims) < len(self._claims):
                raise KeyUsedError
            self._claims = []
        if self._records:
            await self.connection.insert_many("ledger_record", _RECORD, self._records)
            self._records = []
        for (table, columns), rows in self._rows.items():
            await self.connection.insert_many(table, columns, rows)
        self._rows = {}

    async def _append(self, entries: Sequence[Recorded]) -> list[Place] | None:
        """``extend`` the log, and keep the private rows for ``_settle``."""
        if not entries:
            return []
        places = await self.extend([entry.draft for entry in entries], [entry.once for entry in entries])
        if places is not None:
            self._records.extend(
                (*place, entry.type, entry.draft.handle, entry.person_id, entry.opening)
                for place, entry in zip(places, entries, strict=True)
            )
        return places

    async def _known(self, work: WriteSet) -> dict[int, Place]:
        """Position in the write set -> where the entry stands already."""
        keys = [entry.once for entry in work.entries if entry.once is not None]
        places = {row["key"]: (row["shard"], row["ledger_index"]) for row in await self.connection.known(keys)}
        return {
            position: places[entry.once]
            for position, entry in enumerate(work.entries)
            if entry.once is not None and entry.once in places
        }

    async def _append_new(self, work: WriteSet, known: Mapping[int, Place]) -> list[Place]:
        """Append what is not ``known``; the places of all, in order."""
        new = await self._append([entry for position, entry in enumerate(work.entries) if position not in known])
        if new is None:
            raise Conflict("Two entries of one write set have the same idempotency key. Nothing was done.")
        following = iter(new)
        return [known.get(position) or next(following) for position in range(len(work.entries))]

    async def _write(self, write: Write, places: Sequence[Place]) -> None:
        if isinstance(write, InsertMany):  # by far the most are these two
            self._rows.setdefault((write.table.name, write.columns), []).extend(write.rows)  # for ``_settle``
        elif isinstance(write, Require):
            await self._require(write)
        else:
            await self._change(write, places)
            self._held.clear()

    async def _change(self, write: Write, places: Sequence[Place]) -> None:
        connection, statements = self.connection, self.connection.statements
        match write:
            case Insert():
                await self._insert(write, places)
            case Put(table, row):
                values = _resolved(row, places)
                await connection.run(statements.put(table, tuple(values)), values)
            case Change(table, condition, values, otherwise):
                sql = statements.update(table, tuple(condition), tuple(values))
                touched = await connection.run(sql, _resolved(values, places) | where(condition))
                if otherwise is not None and touched != 1:
                    raise otherwise
            case Remove(table, condition):
                await connection.run(statements.delete(table, tuple(condition)), where(condition))
            case Consume():
                await self._consume(write)

    async def _require(self, needed: Require) -> None:
        asked = (needed.table.name, *needed.where.items())
        if asked in self._held:
            return
        sql = self.connection.statements.found(needed.table, tuple(needed.where))
        if len(await self.connection.fetch(sql, where(needed.where))) != 1:
            raise needed.otherwise
        self._held.add(asked)

    async def _insert(self, new: Insert, places: Sequence[Place]) -> None:
        values = _resolved(new.row, places)
        try:
            await self.connection.run(self.connection.statements.insert(new.table, tuple(values)), values)
        except Refused as taken:
            if new.conflict is None:
                raise
            raise new.conflict from taken

    async def _consume(self, single_use: Consume) -> None:
        connection, statements = self.connection, self.connection.statements
        given = {"consumed_at": single_use.at} | where({"id": single_use.id, "at": single_use.at})
        if await connection.run(statements.consume(single_use.table), given) == 1:
            return
        rows = await connection.fetch(statements.single_use(single_use.table), {"id": single_use.id})
        if not rows:
            raise single_use.unknown
        raise single_use.expired if rows[0]["consumed_at"] is None else single_use.used


async def carried_out(transaction: Transaction, works: Sequence[Work]) -> list[Outcome]:
    """What became of each piece of work: all in one go, or, where one is refused or repeated, each again by itself.

    Raises what the database itself failed with: then nothing was done.
    """

    async def all_of_them(transaction: Transaction) -> list[Outcome]:
        return [(await work(transaction), None) for work in works]

    if len(works) > 1:
        try:
            return await transaction.within_savepoint(all_of_them, hopeful=True)
        except Exception as refused:
            if transaction.connection.failed(refused):
                raise
    return [await _alone(transaction, work) for work in works]


async def _alone(transaction: Transaction, work: Work) -> Outcome:
    try:
        return await transaction.within_savepoint(work), None
    except Exception as refused:
        if transaction.connection.failed(refused):
            raise
        return None, refused


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
