"""The ledger: durable appends against a plain file, and its audit against bare hashing.

Appends are timed by the clock on the wall, because waiting for the disk is their cost; the audit by CPU. A commit of
ours and one to the plain file take turns, so that both meet the disk in the same mood.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hsm.cost import cpu_of
from hsm.rows import Pair, Row, row
from idverify.app.bench.effort import Effort
from idverify.errors import IdverifyError
from idverify.ledger.audit import Report, fsck
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.entry import ENTRY_SIZE, Draft, EntryType
from idverify.ledger.note import Ed25519Verifier
from idverify.ledger.publisher import Publisher
from idverify.ledger.sequencer import genesis
from idverify.ports import SystemClock
from idverify.stores.schema import upgrade
from idverify.stores.sqlite import FIRST_SHARD, SqliteStore
from idverify.stores.sqlite_ledger import SqliteLedger, SqliteLogSource
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Recorded, WriteSet

_ORIGIN: Final = "bench.example/log/1"
_OPENING: Final = 160  # bytes of salt and record behind a credential's entry, sealed
_PAGE: Final = 4096
_FULL_BATCH: Final = 256

# Entries per commit -> target. A single entry is held against one page, the least that a disk writes; larger
# batches against their own bytes. Every append carries its exact-once key (the entry's handle) and its opening.
BATCHES: Final = {1: 0.5, 16: 0.4, _FULL_BATCH: 0.4}
_AUDIT_TARGET: Final = 0.3


async def measure(effort: Effort) -> list[Row]:
    """Append to a log of its own, then audit it."""
    with tempfile.TemporaryDirectory(prefix="idverify-bench-") as name:
        database, plain = Path(name, "ledger.sqlite"), Path(name, "plain")
        upgrade(database)
        signer = SoftSigner()
        async with SqliteStore(database, SystemClock()) as store:
            await store.write(_start)
            rows = [await _appends(store, plain, batch, effort) for batch in BATCHES]
            ledger = SqliteLedger(store)
            while (await ledger.tree_state()).size < effort.entries:
                await store.commit(_write_set(_FULL_BATCH))
            await Publisher(ledger, _ORIGIN, [signer], now=SystemClock().now, holder=b"bench").publish_once()
        return [*rows, _audits(database, signer, effort)]


class SoftSigner:
    """A checkpoint key in memory: one signature is made, and its cost is not measured here."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.verifier = Ed25519Verifier(_ORIGIN, self._key.public_key().public_bytes_raw())

    async def sign(self, checkpoint: Checkpoint) -> bytes:
        """64 bytes (RFC 8032)."""
        return self._key.sign(checkpoint.text())


async def _appends(store: SqliteStore, plain: Path, batch: int, effort: Effort) -> Row:
    pairs = []
    with plain.open("ab", buffering=0) as file:
        for _ in range(effort.rounds):
            ours, least = [], []
            for _ in range(effort.commits):
                work = _write_set(batch)
                ours.append(await _commit(store, work))
                least.append(_append_plainly(file.fileno(), work.entries))
            pairs.append(Pair(statistics.median(ours) / batch, statistics.median(least) / batch))
    limit_is = "appending the same bytes (at least a page) to a file, fdatasync, and 2 SHA-256 per entry"
    return row(f"ledger append, batch {batch}", "entries per second", limit_is, BATCHES[batch], pairs)


async def _commit(store: SqliteStore, work: WriteSet) -> float:
    begin = time.perf_counter()
    await store.commit(work)
    return time.perf_counter() - begin


def _append_plainly(file: int, entries: Sequence[Recorded]) -> float:
    parts = [(bytes(ENTRY_SIZE), recorded.opening) for recorded in entries]
    begin = time.perf_counter()
    head = bytes(32)
    for entry, _ in parts:
        leaf = sha256(b"\x00" + entry).digest()
        head = sha256(b"\x01" + head + leaf).digest()
    os.write(file, b"".join([entry + opening for entry, opening in parts]).ljust(_PAGE, b"\x00"))
    os.fdatasync(file)
    return time.perf_counter() - begin


def _audits(database: Path, signer: SoftSigner, effort: Effort) -> Row:
    pairs = [Pair(_audit_cpu(database, signer), cpu_of(_hashing(), effort.probe_seconds)) for _ in range(effort.rounds)]
    limit_is = "2 SHA-256 per entry: its leaf and one node"
    return row("ledger audit, from the database", "entries per CPU-second", limit_is, _AUDIT_TARGET, pairs)


def _audit_cpu(database: Path, signer: SoftSigner) -> float:
    """CPU seconds per entry of an audit that finds nothing: one that does has stopped early."""
    with closing(SqliteLogSource(database)) as source:
        begin = time.process_time()
        *_, report = fsck(source, signer.verifier, _ORIGIN)
        spent = time.process_time() - begin
    if not isinstance(report, Report) or not report.holds:
        raise IdverifyError(f"Expected a log that holds, got {report}")
    return spent / report.size


def _hashing() -> Callable[[], object]:
    entry, left, right = bytes(ENTRY_SIZE), bytes(32), bytes(32)
    return lambda: (sha256(b"\x00" + entry).digest(), sha256(b"\x01" + left + right).digest())


async def _start(transaction: Transaction) -> None:
    await transaction.start_log(FIRST_SHARD, _ORIGIN, genesis(_ORIGIN))
    await transaction.apply(WriteSet((), (_recorded(EntryType.LOG_START),)))


def _write_set(batch: int) -> WriteSet:
    return WriteSet((), tuple(_recorded(EntryType.CREDENTIAL) for _ in range(batch)))


def _recorded(kind: EntryType) -> Recorded:
    return Recorded(Draft(kind, os.urandom(16), os.urandom(32)), "credential.issued", os.urandom(_OPENING))
