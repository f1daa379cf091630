"""Putting the published log back in the place of ledger tables that were damaged.

The rows that entries speak of are untouched: it is their ledger that is made again, bundle by bundle, from files that
lead to the signed root. Entries behind the published checkpoint are in the database alone; they stay, if they continue
it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, Final, Protocol

from idverify.errors import SetupError
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.edge import split_hashes
from idverify.ledger.errors import MalformedError
from idverify.ledger.merkle import grow
from idverify.ledger.rebuild import Rebuilt
from idverify.ledger.sequencer import TreeState, encode_bundle
from idverify.stores.connection import NOTHING, Row

_SHARD: Final = "SELECT shard, tree, signed_size FROM ledger_state WHERE origin = :origin"
_STRADDLING: Final = """
    SELECT first_index FROM ledger_bundle
    WHERE shard = :shard AND first_index < :size AND first_index + count > :size"""
_FORGET_BUNDLES: Final = "DELETE FROM ledger_bundle WHERE shard = :shard AND first_index < :size"
_FORGET_TILES: Final = "DELETE FROM ledger_tile WHERE shard = :shard"
_BUNDLE: Final = """
    INSERT INTO ledger_bundle (shard, first_index, count, entries, leaf_hashes)
    VALUES (:shard, :first_index, :count, :entries, :leaf_hashes)"""
_TILE: Final = "INSERT INTO ledger_tile (shard, level, tile_index, hashes) VALUES (:shard, :level, :index, :hashes)"
_TAIL: Final = """
    SELECT leaf_hashes FROM ledger_bundle WHERE shard = :shard AND first_index >= :size ORDER BY first_index"""
_CHECKPOINT: Final = """
    INSERT INTO ledger_checkpoint (shard, size, root, note) VALUES (:shard, :size, :root, :note)
    ON CONFLICT (shard, size) DO UPDATE SET note = excluded.note"""
_INTENDED: Final = "SELECT root FROM ledger_checkpoint WHERE shard = :shard AND size = :size"
_STATE: Final = """
    UPDATE ledger_state SET tree = :tree, signed_size = :size, quorum_size = (
        SELECT max(size) FROM ledger_checkpoint WHERE shard = :shard AND quorum_note IS NOT NULL)
    WHERE shard = :shard"""


class Alone(Protocol):
    """One transaction that writes, of a command that has the database to itself."""

    def rows(self, sql: str, values: Mapping[str, Any] = NOTHING) -> Iterator[Row]:
        """Rows of a query."""

    def run(self, sql: str, values: Mapping[str, Any] = NOTHING) -> None:
        """Carry out a statement."""

    def commit(self) -> None:
        """Make it all true."""

    def close(self) -> None:
        """Let go; what was not committed was never done."""


class StoredLedgerSink:
    """``LedgerSink`` over one transaction of a database whose service does not run."""

    def __init__(self, database: Alone, checkpoint: Checkpoint) -> None:
        """Empty the tables up to the checkpoint.

        Raises ``SetupError``: the database keeps no such log, signed for more than was published, or has another root
        for this size: the root of a size is never replaced (``LedgerStorage``).
        """
        row = next(database.rows(_SHARD, {"origin": checkpoint.origin}), None)
        if row is None:
            raise SetupError(f"The database keeps no log {checkpoint.origin}.", "Name the log that it keeps.")
        if row["signed_size"] is not None and row["signed_size"] > checkpoint.size:
            raise SetupError(
                f"The database signed for {row['signed_size']} entries, {checkpoint.size} are published.",
                "Take a newer copy of the published log: what was signed for must not be forgotten.",
            )
        self._database = database
        self._shard = row["shard"]
        self._tree = row["tree"]
        where = {"shard": self._shard, "size": checkpoint.size}
        if any(intended["root"] != checkpoint.root for intended in database.rows(_INTENDED, where)):
            raise SetupError(
                f"The database has another root for {checkpoint.size} entries than the one that is published.",
                "Keep both as evidence: one of them must not have been signed, and a person has to decide.",
            )
        if list(database.rows(_STRADDLING, where)):
            raise SetupError(
                "Entries on both sides of the checkpoint are in one row.", "Publish once more, then rebuild."
            )
        database.run(_FORGET_BUNDLES, where)
        database.run(_FORGET_TILES, {"shard": self._shard})

    def add(self, rebuilt: Rebuilt) -> None:
        """Keep entries, leaf hashes and full tiles."""
        bundle = {
            "shard": self._shard,
            "first_index": rebuilt.first,
            "count": len(rebuilt.entries),
            "entries": encode_bundle(rebuilt.entries),
            "leaf_hashes": b"".join(rebuilt.leaf_hashes),
        }
        self._database.run(_BUNDLE, bundle)
        for (level, index), hashes in rebuilt.tiles.items():
            self._database.run(_TILE, {"shard": self._shard, "level": level, "index": index, "hashes": hashes})

    def finish(self, state: TreeState, checkpoint: Checkpoint, note: bytes) -> None:
        """Keep the checkpoint; the state is the one that the entries behind it came to, if there are any."""
        where = {"shard": self._shard, "size": checkpoint.size}
        self._database.run(_CHECKPOINT, {**where, "root": checkpoint.root, "note": note})
        self._database.run(_STATE, {**where, "tree": self._with_tail(state).encode()})

    def _with_tail(self, state: TreeState) -> TreeState:
        rows = self._database.rows(_TAIL, {"shard": self._shard, "size": state.size})
        tail = [leaf for row in rows for leaf in split_hashes(row[0])]
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
def restoring(database: Alone, checkpoint: Checkpoint) -> Iterator[StoredLedgerSink]:
    """Restore a log within one transaction, which commits at the end, or leaves everything as it was."""
    with closing(database):
        yield StoredLedgerSink(database, checkpoint)
        database.commit()
