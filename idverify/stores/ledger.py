"""The ledger's storage port over a store, whichever driver is behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

from idverify.ledger.errors import FencedError, ForkError, StorageError
from idverify.ledger.sequencer import TreeState, decode_bundle
from idverify.stores.connection import Connection, Row
from idverify.stores.store import FIRST_SHARD, Store
from idverify.stores.transaction import Transaction

HASH_SIZE: Final = 32

_TREE = "SELECT tree FROM ledger_state WHERE shard = :shard"
_BUNDLES_FROM = """
    SELECT first_index, count, {column} FROM ledger_bundle
    WHERE shard = :shard AND first_index < :stop AND first_index >= (
        SELECT coalesce(max(first_index), 0) FROM ledger_bundle WHERE shard = :shard AND first_index <= :start)
    ORDER BY first_index"""
_ENTRIES: Final = _BUNDLES_FROM.format(column="entries")
_LEAF_HASHES: Final = _BUNDLES_FROM.format(column="leaf_hashes")
_TILE = "SELECT hashes FROM ledger_tile WHERE shard = :shard AND level = :level AND tile_index = :tile_index"
_ADD_TILE = """
    INSERT INTO ledger_tile (shard, level, tile_index, hashes) VALUES (:shard, :level, :tile_index, :hashes)"""
_INTENDED = "SELECT root FROM ledger_checkpoint WHERE shard = :shard AND size = :size"
_INTEND = "INSERT INTO ledger_checkpoint (shard, size, root) VALUES (:shard, :size, :root)"
_LATEST = """
    SELECT note FROM ledger_checkpoint JOIN ledger_state USING (shard)
    WHERE shard = :shard AND size = signed_size"""
_QUORUM = """
    SELECT quorum_note FROM ledger_checkpoint JOIN ledger_state USING (shard)
    WHERE shard = :shard AND size = quorum_size"""
_TAKE_LEASE = """
    UPDATE ledger_state SET lease_holder = :holder, lease_until = :until,
    epoch = epoch + CASE WHEN lease_holder IS DISTINCT FROM :holder THEN 1 ELSE 0 END
    WHERE shard = :shard AND (lease_holder IS NOT DISTINCT FROM :holder OR lease_until <= :now) RETURNING epoch"""
_STATE = "SELECT epoch, tree FROM ledger_state WHERE shard = :shard"
_ADVANCE = """
    UPDATE ledger_state SET signed_size = :size
    WHERE shard = :shard AND signed_size IS NOT DISTINCT FROM :previous AND epoch = :epoch"""
_SIGN = "UPDATE ledger_checkpoint SET note = :note WHERE shard = :shard AND size = :size"
_KEEP_QUORUM = """
    UPDATE ledger_checkpoint SET quorum_note = :note WHERE shard = :shard AND size = :size AND note IS NOT NULL"""
_ADVANCE_QUORUM = """
    UPDATE ledger_state SET quorum_size = :size
    WHERE shard = :shard AND :size <= signed_size AND coalesce(quorum_size, -1) < :size"""


class StoredLedger:
    """``LedgerStorage`` of one shard: its writes ride the same group commit as all else."""

    def __init__(self, store: Store, shard: int = FIRST_SHARD) -> None:
        self._store, self._shard = store, shard

    async def tree_state(self) -> TreeState:
        """The state after the last committed entry."""
        (row,) = await self._read(_TREE)
        return TreeState.decode(row["tree"])

    async def leaf_hashes(self, start: int, stop: int) -> list[bytes]:
        """Leaf hashes of the entries ``start`` to ``stop - 1``."""
        found = []
        for row in await self._read(_LEAF_HASHES, start=start, stop=stop):
            first, hashes = row["first_index"], row["leaf_hashes"]
            within = range(max(start, first), min(stop, first + row["count"]))
            found += [hashes[HASH_SIZE * (at - first) : HASH_SIZE * (at - first + 1)] for at in within]
        return found

    async def entries(self, start: int, stop: int) -> list[bytes]:
        """Bytes of the entries ``start`` to ``stop - 1``."""
        found: list[bytes] = []
        for row in await self._read(_ENTRIES, start=start, stop=stop):
            first = row["first_index"]
            found += decode_bundle(row["entries"])[max(start - first, 0) : stop - first]
        return found

    async def full_tile(self, level: int, index: int) -> bytes | None:
        """The 8192 bytes of a full tile."""
        return _first(await self._read(_TILE, level=level, tile_index=index))

    async def take_lease(self, holder: bytes, now: int, seconds: int) -> int | None:
        """Become the publisher, or stay it."""
        values = {"holder": holder, "now": now, "until": now + seconds, "shard": self._shard}

        async def write(transaction: Transaction) -> int | None:
            rows = await transaction.fetch(_TAKE_LEASE, values)
            return int(rows[0]["epoch"]) if rows else None

        return cast("int | None", await self._store.write(write))

    async def intend_checkpoint(
        self, epoch: int, size: int, root: bytes, tiles: Mapping[tuple[int, int], bytes]
    ) -> None:
        """Record what is going to be signed, and the tiles that became full."""

        async def write(transaction: Transaction) -> None:
            connection = transaction.connection
            (row,) = await connection.fetch(_STATE, {"shard": self._shard})
            if row["epoch"] != epoch:
                raise FencedError(f"expected to publish under epoch {epoch}, another publisher has {row['epoch']}")
            _require_committed(TreeState.decode(row["tree"]), size, root)
            for (level, index), hashes in tiles.items():
                await self._write_tile_once(connection, level, index, hashes)
            intended = _first(await connection.fetch(_INTENDED, {"shard": self._shard, "size": size}))
            if intended is None:
                await connection.run(_INTEND, {"shard": self._shard, "size": size, "root": root})
            elif intended != root:
                raise ForkError(f"size {size} was intended with root {intended.hex()}, now {root.hex()}")

        await self._store.write(write)

    async def latest_checkpoint(self) -> bytes | None:
        """The signed note of the largest size."""
        return _first(await self._read(_LATEST))

    async def quorum_checkpoint(self) -> bytes | None:
        """The note of the largest size that a quorum signed."""
        return _first(await self._read(_QUORUM))

    async def advance_checkpoint(
        self, epoch: int, previous_size: int | None, size: int, root: bytes, note: bytes
    ) -> bool:
        """Compare and swap the latest checkpoint."""
        place = {"shard": self._shard, "size": size}

        async def write(transaction: Transaction) -> bool:
            connection = transaction.connection
            if _first(await connection.fetch(_INTENDED, place)) != root:
                raise ForkError(f"size {size} with root {root.hex()} was never intended")
            moved = await connection.run(_ADVANCE, {**place, "previous": previous_size, "epoch": epoch}) == 1
            if moved:
                await connection.run(_SIGN, {**place, "note": note})
            return moved

        return bool(await self._store.write(write))

    async def keep_quorum_checkpoint(self, size: int, note: bytes) -> None:
        """Keep what a quorum signed."""
        place = {"shard": self._shard, "size": size}

        async def write(transaction: Transaction) -> None:
            if await transaction.connection.run(_KEEP_QUORUM, {**place, "note": note}) == 1:
                await transaction.connection.run(_ADVANCE_QUORUM, place)

        await self._store.write(write)

    async def _read(self, sql: str, **values: int) -> Sequence[Row]:
        given = {"shard": self._shard, **values}
        return cast("Sequence[Row]", await self._store.read(lambda connection: connection.fetch(sql, given)))

    async def _write_tile_once(self, connection: Connection, level: int, index: int, hashes: bytes) -> None:
        place = {"shard": self._shard, "level": level, "tile_index": index}
        written = _first(await connection.fetch(_TILE, place))
        if written is None:
            await connection.run(_ADD_TILE, {**place, "hashes": hashes})
        elif written != hashes:
            raise ForkError(f"tile {level}/{index} was written with other hashes")


def _require_committed(state: TreeState, size: int, root: bytes) -> None:
    """An intent is for entries that are there: a standby that took over may lack some that were read before."""
    if state.size < size or (state.size == size and state.root() != root):
        raise StorageError(f"{size} entries are to be signed for, storage has {state.size}, or others")


def _first(rows: Sequence[Row]) -> bytes | None:
    return rows[0][0] if rows else None
