"""Durable appends, against a plain file that gets the same bytes.

Timed by the clock on the wall, because waiting for the disk is their cost. A commit of ours and one to the plain file
take turns, so that both meet the disk in the same mood.
"""

from __future__ import annotations

import asyncio
import os
import queue
import statistics
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from hsm.rows import Pair, Row, row
from idverify.app.bench.effort import Effort
from idverify.ledger.entry import ENTRY_SIZE, Draft, EntryType
from idverify.ledger.sequencer import genesis
from idverify.stores import tables
from idverify.stores.sqlite import SqliteStore
from idverify.stores.store import FIRST_SHARD, Store
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Insert, Recorded, WriteSet

BATCHES: Final = (16, 256)
PAGE: Final = 4096
_TYPE: Final = "bench"  # of a record; what real types speak of needs rows of its own
_PERSON: Final = bytes(16)
_OPENING: Final = 160  # bytes of salt and record behind a credential's entry, sealed
_LENGTH: Final = bytes(2)  # before each entry of a bundle
_LEAF: Final = bytes(32)
_UNIT: Final = "entries per second"
_PLAIN: Final = "2 SHA-256 per entry, the same bytes appended to a file, fdatasync"


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to append, how near to the limit it must come, and whether entries have keys and private rows."""

    name: str
    target: float
    keyed: bool
    opened: bool

    def plain(self, entry: Recorded) -> bytes:
        """All that a commit stores of an entry, but for its index."""
        parts = [_LENGTH, bytes(ENTRY_SIZE), _LEAF]
        if self.opened:
            parts += [entry.type.encode(), entry.draft.handle, _PERSON, entry.opening]
        return b"".join([*parts, entry.once or b""])


LONE: Final = Kind("ledger append, alone", 0.5, keyed=True, opened=True)
FULL: Final = Kind("ledger append, keys and private rows", 0.4, keyed=True, opened=True)
KINDS: Final = (
    Kind("ledger append", 0.5, keyed=False, opened=False),
    Kind("ledger append, idempotency keys", 0.4, keyed=True, opened=False),
    FULL,
)


async def measure(store: SqliteStore, plain: Path, effort: Effort) -> list[Row]:
    """One row for the lone append, and one per way and batch size."""
    with plain.open("ab", buffering=0) as file:
        rows = [await _lone(store, file.fileno(), effort)]
        for kind in KINDS:
            rows += [await _batches(store, file.fileno(), kind, batch, effort) for batch in BATCHES]
    return rows


async def start(store: Store, origin: str) -> None:
    """Begin a log in an empty database, and a person for its entries to be about."""
    person = {
        "id": _PERSON,
        "issuer_id": "",
        "handle": _PERSON,
        "status": "",
        "permission_decision_id": None,
        "version": 0,
        "sealed": b"",
        "created_by": "",
        "created_at": 0,
    }
    first = Recorded(Draft(EntryType.LOG_START, bytes(16), bytes(32)), _TYPE, b"")

    async def begin(transaction: Transaction) -> None:
        await transaction.start_log(FIRST_SHARD, origin, genesis(origin))
        await transaction.apply(WriteSet((Insert(tables.person, person),), (first,)))

    await store.write(begin)


def entries(batch: int, kind: Kind = FULL) -> list[Recorded]:
    """Entries about one person, as random as real ones."""
    keys = (_key() if kind.keyed else None for _ in range(batch))
    return [
        Recorded(
            Draft(EntryType.CREDENTIAL, os.urandom(16), os.urandom(32)), _TYPE, os.urandom(_OPENING), _PERSON, once=key
        )
        for key in keys
    ]


async def append(store: Store, kind: Kind, work: Sequence[Recorded]) -> float:
    """Commit the entries; wall seconds from asking to the answer."""
    if kind.opened:
        return await _waited(store.commit(WriteSet((), tuple(work))))
    drafts, keys = [entry.draft for entry in work], [entry.once for entry in work]

    async def extend(transaction: Transaction) -> None:
        await transaction.extend(drafts, keys)

    return await _waited(store.write(extend))


async def _batches(store: SqliteStore, file: int, kind: Kind, batch: int, effort: Effort) -> Row:
    pairs = []
    for _ in range(effort.rounds):
        ours, least = [], []
        for _ in range(effort.commits):
            work = entries(batch, kind)
            ours.append(await append(store, kind, work))
            least.append(_append_plainly(file, [kind.plain(entry) for entry in work]))
        pairs.append(Pair(statistics.median(ours) / batch, statistics.median(least) / batch))
    return row(f"{kind.name}, batch {batch}", _UNIT, _PLAIN, kind.target, pairs)


async def _lone(store: SqliteStore, file: int, effort: Effort) -> Row:
    """One caller, one entry at a time: the median is its latency."""
    pairs = []
    async with _another_thread(lambda: _append_plainly(file, [bytes(PAGE)])) as flush:
        for _ in range(effort.rounds):
            ours, least = [], []
            for _ in range(effort.commits):
                ours.append(await append(store, LONE, entries(1)))
                least.append(await _waited(flush()))
            pairs.append(Pair(statistics.median(ours), statistics.median(least)))
    limit_is = "handed to another thread, a page of 4 KiB appended to a file, fdatasync, handed back"
    return row(LONE.name, _UNIT, limit_is, LONE.target, pairs)


def _append_plainly(file: int, parts: Sequence[bytes]) -> float:
    begin = time.perf_counter()
    head = _LEAF
    for part in parts:
        leaf = sha256(b"\x00" + part[:ENTRY_SIZE]).digest()
        head = sha256(b"\x01" + head + leaf).digest()
    os.write(file, b"".join(parts).ljust(PAGE, b"\x00"))
    os.fdatasync(file)
    return time.perf_counter() - begin


async def _waited(work: Awaitable[object]) -> float:
    begin = time.perf_counter()
    await work
    return time.perf_counter() - begin


@asynccontextmanager
async def _another_thread(call: Callable[[], object]) -> AsyncIterator[Callable[[], Awaitable[object]]]:
    """A thread that makes the call whenever it is asked to: the least that handing work over and back takes."""
    loop = asyncio.get_running_loop()
    asked: queue.SimpleQueue[asyncio.Future[object] | None] = queue.SimpleQueue()

    def work() -> None:
        while (future := asked.get()) is not None:
            loop.call_soon_threadsafe(future.set_result, call())

    def ask() -> Awaitable[object]:
        future = loop.create_future()
        asked.put(future)
        return future

    thread = threading.Thread(target=work, name="idverify-bench")
    thread.start()
    try:
        yield ask
    finally:
        asked.put(None)
        thread.join()


def _key() -> bytes:
    """16 bytes that begin with the time in milliseconds, like a UUIDv7 (RFC 9562)."""
    return (time.time_ns() // 1_000_000).to_bytes(6, "big") + os.urandom(10)
