"""Putting the published log back in the place of ledger tables that were damaged.

The rows that entries speak of are untouched: it is their ledger that is made again, bundle by bundle, from files that
lead to the signed root. Entries behind the published checkpoint are in the database alone; they stay, if they continue
it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from idverify.errors import SetupError
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.edge import split_hashes
from idverify.ledger.errors import MalformedError
from idverify.ledger.merkle import grow
from idverify.ledger.rebuild import Rebuilt
from idverify.ledger.sequencer import TreeState, encode_bundle
from idverify.stores.sqlite import connect

_SHARD: Final = "SELECT shard, tree, signed_size FROM ledger_state WHERE origin = ?"
_STRADDLING: Final = """
    SELECT count(*) FROM ledger_bundle WHERE shard = :shard AND first_index < :size AND first_index + count > :size"""
_FORGET: Final = (
    "DELETE FROM ledger_bundle WHERE shard = ? AND first_index < ?",
    "DELETE FROM ledger_tile WHERE shard = ?",
)
_BUNDLE: Final = "INSERT INTO ledger_bundle (shard, first_index, count, entries, leaf_hashes) VALUES (?, ?, ?, ?, ?)"
_TILE: Final = "INSERT INTO ledger_tile (shard, level, tile_index, hashes) VALUES (?, ?, ?, ?)"
_TAIL: Final = "SELECT leaf_hashes FROM ledger_bundle WHERE shard = ? AND first_index >= ? ORDER BY first_index"
_CHECKPOINT: Final = """
    INSERT INTO ledger_checkpoint (shard, size, root, note) VALUES (?, ?, ?, ?)
    ON CONFLICT (shard, size) DO UPDATE SET root = excluded.root, note = excluded.note"""
_STATE: Final = "UPDATE ledger_state SET tree = ?, signed_size = ? WHERE shard = ?"


class SqliteLedgerSink:
    """``LedgerSink`` over one transaction of a database whose service does not run."""

    def __init__(self, connection: sqlite3.Connection, checkpoint: Checkpoint) -> None:
        """Empty the tables up to the checkpoint.

        Raises ``SetupError``: the database keeps no such log, or signed for more than was published.
        """
        row = connection.execute(_SHARD, (checkpoint.origin,)).fetchone()
        if row is None:
            raise SetupError(f"The database keeps no log {checkpoint.origin}.", "Name the log that it keeps.")
        if row["signed_size"] is not None and row["signed_size"] > checkpoint.size:
            raise SetupError(
                f"The database signed for {row['signed_size']} entries, {checkpoint.size} are published.",
                "Take a newer copy of the published log: what was signed for must not be forgotten.",
            )
        self._connection = connection
        self._shard = row["shard"]
        self._tree = row["tree"]
        where = {"shard": self._shard, "size": checkpoint.size}
        if connection.execute(_STRADDLING, where).fetchone()[0]:
            raise SetupError(
                "Entries on both sides of the checkpoint are in one row.", "Publish once more, then rebuild."
            )
        connection.execute(_FORGET[0], (self._shard, checkpoint.size))
        connection.execute(_FORGET[1], (self._shard,))

    def add(self, rebuilt: Rebuilt) -> None:
        """Keep entries, leaf hashes and full tiles."""
        entries, leaves = encode_bundle(rebuilt.entries), b"".join(rebuilt.leaf_hashes)
        self._connection.execute(_BUNDLE, (self._shard, rebuilt.first, len(rebuilt.entries), entries, leaves))
        tiles = [(self._shard, level, index, hashes) for (level, index), hashes in rebuilt.tiles.items()]
        self._connection.executemany(_TILE, tiles)

    def finish(self, state: TreeState, checkpoint: Checkpoint, note: bytes) -> None:
        """Keep the checkpoint; the state is the one that the entries behind it came to, if there are any."""
        self._connection.execute(_CHECKPOINT, (self._shard, checkpoint.size, checkpoint.root, note))
        kept = self._with_tail(state).encode()
        self._connection.execute(_STATE, (kept, checkpoint.size, self._shard))

    def _with_tail(self, state: TreeState) -> TreeState:
        tail = [
            leaf for row in self._connection.execute(_TAIL, (self._shard, state.size)) for leaf in split_hashes(row[0])
        ]
        if not tail:
            return state
        frontier, size = grow(state.frontier, state.size, tail), state.size + len(tail)
        try:
            kept = TreeState.decode(self._tree)
        except MalformedError:
            kept = None
        if kept is None or (kept.size, kept.frontier, kept.head) != (size, frontier, tail[-1]):
            raise SetupError(
                f"The {len(tail)} entries behind the checkpoint do not continue what was published.",
                "They were promised to nobody yet: a person has to decide about them.",
            )
        return kept


@contextmanager
def restoring(database: Path, checkpoint: Checkpoint) -> Iterator[SqliteLedgerSink]:
    """Restore a log within one transaction, which commits at the end, or leaves everything as it was."""
    with closing(connect(database)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield SqliteLedgerSink(connection, checkpoint)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
