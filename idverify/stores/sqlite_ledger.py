"""The ledger's storage port on SQLite, and the same log as a stream for the auditor."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from copy import copy
from pathlib import Path
from typing import Final, Self, cast

from idverify.ledger.errors import FencedError, ForkError
from idverify.ledger.sequencer import TreeState, decode_bundle
from idverify.stores.evidence import evidence_findings
from idverify.stores.row_rules import ROW_RULES
from idverify.stores.shard_rules import shard_findings
from idverify.stores.sqlite import FIRST_SHARD, SqliteStore, connect
from idverify.stores.transaction import Transaction

HASH_SIZE: Final = 32
HANDLE: Final = slice(51, 67)  # of an entry's bytes: docs/ledger-format.md section 2
_NO_INDEX: Final = 2**63 - 1  # SQLite holds no greater number

_TREE = "SELECT tree FROM ledger_state WHERE shard = ?"
_BUNDLES_FROM = """
    SELECT first_index, count, entries, leaf_hashes FROM ledger_bundle
    WHERE shard = :shard AND first_index < :stop AND first_index >= (
        SELECT coalesce(max(first_index), 0) FROM ledger_bundle WHERE shard = :shard AND first_index <= :start)
    ORDER BY first_index"""
_TILE = "SELECT hashes FROM ledger_tile WHERE shard = ? AND level = ? AND tile_index = ?"
_ADD_TILE = "INSERT INTO ledger_tile (shard, level, tile_index, hashes) VALUES (?, ?, ?, ?)"
_INTENDED = "SELECT root FROM ledger_checkpoint WHERE shard = ? AND size = ?"
_INTEND = "INSERT INTO ledger_checkpoint (shard, size, root, note) VALUES (?, ?, ?, NULL)"
_LATEST = """
    SELECT note FROM ledger_checkpoint JOIN ledger_state USING (shard)
    WHERE shard = ? AND size = signed_size"""
_QUORUM = """
    SELECT quorum_note FROM ledger_checkpoint JOIN ledger_state USING (shard)
    WHERE shard = ? AND size = quorum_size"""
_TAKE_LEASE = """
    UPDATE ledger_state SET epoch = epoch + (lease_holder IS NOT :holder), lease_holder = :holder, lease_until = :until
    WHERE shard = :shard AND (lease_holder IS :holder OR lease_until <= :now) RETURNING epoch"""
_EPOCH = "SELECT epoch FROM ledger_state WHERE shard = ?"
_ADVANCE = "UPDATE ledger_state SET signed_size = ? WHERE shard = ? AND signed_size IS ? AND epoch = ?"
_SIGN = "UPDATE ledger_checkpoint SET note = ? WHERE shard = ? AND size = ?"
_KEEP_QUORUM = "UPDATE ledger_checkpoint SET quorum_note = ? WHERE shard = ? AND size = ? AND note IS NOT NULL"
_ADVANCE_QUORUM = """
    UPDATE ledger_state SET quorum_size = :size
    WHERE shard = :shard AND :size <= signed_size AND coalesce(quorum_size, -1) < :size"""


class SqliteLedger:
    """``LedgerStorage`` of one shard over a ``SqliteStore``: its writes ride the same group commit as all else."""

    def __init__(self, store: SqliteStore, shard: int = FIRST_SHARD) -> None:
        self._store, self._shard = store, shard

    async def tree_state(self) -> TreeState:
        """The state after the last committed entry."""
        return cast("TreeState", await self._store.read(lambda connection: read_tree(connection, self._shard)))

    async def leaf_hashes(self, start: int, stop: int) -> list[bytes]:
        """Leaf hashes of the entries ``start`` to ``stop - 1``."""

        def read(connection: sqlite3.Connection) -> list[bytes]:
            return [
                row["leaf_hashes"][HASH_SIZE * at : HASH_SIZE * (at + 1)]
                for row, at in _positions(connection, self._shard, start, stop)
            ]

        return cast("list[bytes]", await self._store.read(read))

    async def entries(self, start: int, stop: int) -> list[bytes]:
        """Bytes of the entries ``start`` to ``stop - 1``."""

        def read(connection: sqlite3.Connection) -> list[bytes]:
            bundles: dict[int, list[bytes]] = {}
            found = []
            for row, at in _positions(connection, self._shard, start, stop):
                first = row["first_index"]
                if first not in bundles:
                    bundles[first] = decode_bundle(row["entries"])
                found.append(bundles[first][at])
            return found

        return cast("list[bytes]", await self._store.read(read))

    async def full_tile(self, level: int, index: int) -> bytes | None:
        """The 8192 bytes of a full tile."""

        def read(connection: sqlite3.Connection) -> bytes | None:
            row = connection.execute(_TILE, (self._shard, level, index)).fetchone()
            return None if row is None else row["hashes"]

        return cast("bytes | None", await self._store.read(read))

    async def take_lease(self, holder: bytes, now: int, seconds: int) -> int | None:
        """Become the publisher, or stay it."""
        values = {"holder": holder, "now": now, "until": now + seconds, "shard": self._shard}

        async def write(transaction: Transaction) -> int | None:
            row = transaction.connection.execute(_TAKE_LEASE, values).fetchone()
            return None if row is None else int(row["epoch"])

        return cast("int | None", await self._store.write(write))

    async def intend_checkpoint(
        self, epoch: int, size: int, root: bytes, tiles: Mapping[tuple[int, int], bytes]
    ) -> None:
        """Record what is going to be signed, and the tiles that became full."""

        async def write(transaction: Transaction) -> None:
            connection = transaction.connection
            newest = connection.execute(_EPOCH, (self._shard,)).fetchone()["epoch"]
            if newest != epoch:
                raise FencedError(f"expected to publish under epoch {epoch}, another publisher has {newest}")
            for (level, index), hashes in tiles.items():
                self._write_tile_once(connection, level, index, hashes)
            intended = connection.execute(_INTENDED, (self._shard, size)).fetchone()
            if intended is None:
                connection.execute(_INTEND, (self._shard, size, root))
            elif intended["root"] != root:
                raise ForkError(f"size {size} was intended with root {intended['root'].hex()}, now {root.hex()}")

        await self._store.write(write)

    async def latest_checkpoint(self) -> bytes | None:
        """The signed note of the largest size."""
        return await self._note(_LATEST)

    async def quorum_checkpoint(self) -> bytes | None:
        """The note of the largest size that a quorum signed."""
        return await self._note(_QUORUM)

    async def advance_checkpoint(
        self, epoch: int, previous_size: int | None, size: int, root: bytes, note: bytes
    ) -> bool:
        """Compare and swap the latest checkpoint."""

        async def write(transaction: Transaction) -> bool:
            connection = transaction.connection
            intended = connection.execute(_INTENDED, (self._shard, size)).fetchone()
            if intended is None or intended["root"] != root:
                raise ForkError(f"size {size} with root {root.hex()} was never intended")
            moved = connection.execute(_ADVANCE, (size, self._shard, previous_size, epoch)).rowcount == 1
            if moved:
                connection.execute(_SIGN, (note, self._shard, size))
            return moved

        return bool(await self._store.write(write))

    async def keep_quorum_checkpoint(self, size: int, note: bytes) -> None:
        """Keep what a quorum signed."""

        async def write(transaction: Transaction) -> None:
            transaction.connection.execute(_KEEP_QUORUM, (note, self._shard, size))
            transaction.connection.execute(_ADVANCE_QUORUM, {"size": size, "shard": self._shard})

        await self._store.write(write)

    async def _note(self, sql: str) -> bytes | None:
        def read(connection: sqlite3.Connection) -> bytes | None:
            row = connection.execute(sql, (self._shard,)).fetchone()
            return None if row is None else row[0]

        return cast("bytes | None", await self._store.read(read))

    def _write_tile_once(self, connection: sqlite3.Connection, level: int, index: int, hashes: bytes) -> None:
        written = connection.execute(_TILE, (self._shard, level, index)).fetchone()
        if written is None:
            connection.execute(_ADD_TILE, (self._shard, level, index, hashes))
        elif written["hashes"] != hashes:
            raise ForkError(f"tile {level}/{index} was written with other hashes")


class SqliteLogSource:
    """The log in a database file, streamed for ``ledger.audit.fsck``; opens the file read-only.

    All of it is one snapshot: a service that goes on writing changes nothing of what is audited. ``shard`` is which
    log; ``shards`` lists them.
    """

    def __init__(self, path: Path, shard: int = FIRST_SHARD) -> None:
        self._connection = connect(path, read_only=True)
        self._connection.execute("BEGIN")
        self.shard = shard

    def shards(self) -> list[sqlite3.Row]:
        """``shard``, ``origin``, ``previous`` and ``halted`` of every log in the database, oldest first."""
        sql = "SELECT shard, origin, previous, halted FROM ledger_state ORDER BY shard"
        return self._connection.execute(sql).fetchall()

    def of(self, shard: int) -> Self:
        """The same database, for another shard."""
        other = copy(self)
        other.shard = shard
        return other

    def bundles(self) -> Iterator[tuple[int, bytes, list[bytes]]]:
        """Every bundle in order."""
        sql = "SELECT first_index, entries, leaf_hashes FROM ledger_bundle WHERE shard = ? ORDER BY first_index"
        for row in self._connection.execute(sql, (self.shard,)):
            yield row["first_index"], row["leaf_hashes"], decode_bundle(row["entries"])

    def checkpoints(self) -> Iterator[bytes]:
        """Every signed checkpoint in order of size."""
        sql = "SELECT note FROM ledger_checkpoint WHERE shard = ? AND note IS NOT NULL ORDER BY size"
        for row in self._connection.execute(sql, (self.shard,)):
            yield row["note"]

    def full_tiles(self) -> Iterator[tuple[int, int, bytes]]:
        """Every full tile."""
        sql = "SELECT level, tile_index, hashes FROM ledger_tile WHERE shard = ?"
        for row in self._connection.execute(sql, (self.shard,)):
            yield row["level"], row["tile_index"], row["hashes"]

    def record_findings(self) -> Iterator[tuple[int, str]]:
        """(ledger index, broken rule) for every entry of the shard without its row, and every row without its entry."""
        after = 0
        for first, _, entries in self.bundles():
            handles = {index: entry[HANDLE] for index, entry in enumerate(entries, first)}
            yield from _differences(handles, self._recorded(after, first + len(entries)))
            after = first + len(entries)
        yield from _differences({}, self._recorded(after, _NO_INDEX))

    def _recorded(self, start: int, stop: int) -> dict[int, bytes]:
        """Handles of the rows of the entries ``start`` to ``stop - 1``, by index."""
        sql = (
            "SELECT ledger_index, handle FROM ledger_record WHERE shard = ? AND ledger_index >= ? AND ledger_index < ?"
        )
        return {row[0]: row[1] for row in self._connection.execute(sql, (self.shard, start, stop))}

    def row_findings(self) -> Iterator[tuple[int | None, str]]:
        """(ledger index if one is to blame, broken rule) for every row, of any shard, that does not belong."""
        for rule, query in ROW_RULES.items():
            for row in self._connection.execute(query):
                yield row[0], rule
        yield from evidence_findings(self._connection)
        yield from shard_findings(self._connection)

    def deployment(self) -> sqlite3.Row:
        """Whose log it is."""
        return cast("sqlite3.Row", self._connection.execute("SELECT * FROM deployment").fetchone())

    def signing_keys(self) -> list[sqlite3.Row]:
        """The rows of ``signing_key``: which keys the database names."""
        return self._connection.execute("SELECT * FROM signing_key").fetchall()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def read_tree(connection: sqlite3.Connection, shard: int) -> TreeState:
    """The state after the last committed entry of a shard."""
    return TreeState.decode(connection.execute(_TREE, (shard,)).fetchone()["tree"])


def _differences(entries: Mapping[int, bytes], rows: Mapping[int, bytes]) -> Iterator[tuple[int, str]]:
    if entries == rows:
        return
    for index in sorted(entries.keys() | rows.keys()):
        if index not in entries or index not in rows:
            yield index, "an entry has its row, and a row its entry"
        elif entries[index] != rows[index]:
            yield index, "the row of an entry bears its handle"


def _positions(connection: sqlite3.Connection, shard: int, start: int, stop: int) -> Iterator[tuple[sqlite3.Row, int]]:
    """(bundle row, position in it) of the entries ``start`` to ``stop - 1``, in order."""
    for row in connection.execute(_BUNDLES_FROM, {"shard": shard, "start": start, "stop": stop}):
        first, after = row["first_index"], row["first_index"] + row["count"]
        for index in range(max(start, first), min(stop, after)):
            yield row, index - first
