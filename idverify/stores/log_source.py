"""The log in a database as a stream for the auditor, whichever driver is behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol, Self

from idverify.ledger.sequencer import decode_bundle
from idverify.stores.connection import NOTHING, Row
from idverify.stores.evidence import Opened, evidence_findings, opened_entries
from idverify.stores.key_order_proof import order_findings
from idverify.stores.published_rows import Believed, published_findings
from idverify.stores.rights import rights_findings
from idverify.stores.row_rules import ROW_RULES
from idverify.stores.shard_rules import shard_findings
from idverify.stores.status_rules import status_findings
from idverify.stores.store import FIRST_SHARD

HANDLE: Final = slice(51, 67)  # of an entry's bytes: docs/ledger-format.md section 2
_NO_INDEX: Final = 2**63 - 1  # no database holds a greater number


class Snapshot(Protocol):
    """A database as it was when this was opened: a service that goes on writing changes nothing of it."""

    def rows(self, sql: str, values: Mapping[str, Any] = NOTHING) -> Iterator[Row]:
        """Rows of a query one after the other, never all of them in memory."""

    def close(self) -> None:
        """Let go of it."""


class StoredLog:
    """The log in a database, streamed for ``ledger.audit.fsck``. ``shard`` is which; ``shards`` lists them."""

    def __init__(self, snapshot: Snapshot, shard: int = FIRST_SHARD) -> None:
        self._snapshot, self.shard = snapshot, shard

    def shards(self) -> list[Row]:
        """``shard``, ``origin``, ``previous`` and ``halted`` of every log in the database, oldest first."""
        return list(self._snapshot.rows("SELECT shard, origin, previous, halted FROM ledger_state ORDER BY shard"))

    def of(self, shard: int) -> Self:
        """The same moment of the same database, for another shard."""
        return type(self)(self._snapshot, shard)

    def bundles(self) -> Iterator[tuple[int, bytes, list[bytes]]]:
        """Every bundle in order."""
        sql = "SELECT first_index, entries, leaf_hashes FROM ledger_bundle WHERE shard = :shard ORDER BY first_index"
        for row in self._of_shard(sql):
            yield row["first_index"], row["leaf_hashes"], decode_bundle(row["entries"])

    def checkpoints(self) -> Iterator[bytes]:
        """Every signed checkpoint in order of size."""
        sql = "SELECT note FROM ledger_checkpoint WHERE shard = :shard AND note IS NOT NULL ORDER BY size"
        for row in self._of_shard(sql):
            yield row["note"]

    def full_tiles(self) -> Iterator[tuple[int, int, bytes]]:
        """Every full tile."""
        for row in self._of_shard("SELECT level, tile_index, hashes FROM ledger_tile WHERE shard = :shard"):
            yield row["level"], row["tile_index"], row["hashes"]

    def record_findings(self) -> Iterator[tuple[int, str]]:
        """(ledger index, broken rule) for every entry of the shard without its row, and every row without its entry."""
        after = 0
        for first, _, entries in self.bundles():
            handles = {index: entry[HANDLE] for index, entry in enumerate(entries, first)}
            yield from _differences(handles, self._recorded(after, first + len(entries)))
            after = first + len(entries)
        yield from _differences({}, self._recorded(after, _NO_INDEX))

    def published_findings(self, size: int, root: bytes, believed: Believed) -> Iterator[str]:
        """Broken rules of what is said to be published of the shard, whose ``size`` entries lead to ``root``."""
        return published_findings(self._snapshot.rows, self.shard, size, root, believed)

    def row_findings(self) -> Iterator[tuple[int | None, str]]:
        """(ledger index if one is to blame, broken rule) for every row, of any shard, that does not belong."""
        for rule, query in ROW_RULES.items():
            for row in self._snapshot.rows(query):
                yield row[0], rule
        yield from evidence_findings(self._snapshot.rows)
        yield from rights_findings(self._snapshot.rows)
        yield from shard_findings(self._snapshot.rows)
        yield from status_findings(self._snapshot.rows)

    def order_findings(self, order_id: bytes) -> Iterator[str]:
        """What speaks against the order of a signing key, by its row id."""
        yield from order_findings(self._snapshot.rows, order_id)

    def deployment(self) -> Row:
        """Whose log it is."""
        (row,) = self._snapshot.rows("SELECT * FROM deployment")
        return row

    def signing_keys(self) -> list[Row]:
        """The rows of ``signing_key``: which keys the database names."""
        return list(self._snapshot.rows("SELECT * FROM signing_key"))

    def entries_of(self, kind: str) -> Iterator[Opened]:
        """Every entry of a type about ourselves, of any shard, that its opening opens."""
        yield from opened_entries(self._snapshot.rows, kind)

    def close(self) -> None:
        """Let go of the database."""
        self._snapshot.close()

    def _recorded(self, start: int, stop: int) -> dict[int, bytes]:
        """Handles of the rows of the entries ``start`` to ``stop - 1``, by index."""
        sql = """SELECT ledger_index, handle FROM ledger_record
            WHERE shard = :shard AND ledger_index >= :start AND ledger_index < :stop"""
        return {row[0]: row[1] for row in self._of_shard(sql, start=start, stop=stop)}

    def _of_shard(self, sql: str, **values: int) -> Iterator[Row]:
        return self._snapshot.rows(sql, {"shard": self.shard, **values})


def _differences(entries: Mapping[int, bytes], rows: Mapping[int, bytes]) -> Iterator[tuple[int, str]]:
    if entries == rows:
        return
    for index in sorted(entries.keys() | rows.keys()):
        if index not in entries or index not in rows:
            yield index, "an entry has its row, and a row its entry"
        elif entries[index] != rows[index]:
            yield index, "the row of an entry bears its handle"
