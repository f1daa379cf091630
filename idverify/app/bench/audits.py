"""Audits of a ledger against bare hashing, and against what they may cost at most."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Final

from hsm.cost import cpu_of
from hsm.rows import Pair, Row, row
from idverify.app.bench import audited
from idverify.app.bench.audited import Cost
from idverify.app.bench.effort import Effort
from idverify.app.bench.programs import answer_of
from idverify.errors import IdverifyError
from idverify.ledger.audit import Report, fsck
from idverify.ledger.entry import ENTRY_SIZE
from idverify.ledger.note import NoteVerifier, vkey
from idverify.stores.sqlite_ledger import SqliteLogSource

_DATABASE_TARGET: Final = 0.3
_UNIT: Final = "entries per CPU-second"
_HASHING: Final = "2 SHA-256 per entry: its leaf and one node"
_MOST_CPU: Final = 10e-6  # seconds per entry: 10 seconds for a million
_MOST_MB: Final = 300  # for however many entries
_MB: Final = 1e6


async def measure(database: Path, verifier: NoteVerifier, effort: Effort) -> list[Row]:
    """What auditing the log in this database costs."""
    return [_from_database(database, verifier, effort), *await _whole(database, verifier, effort)]


def hashing(effort: Effort) -> float:
    """CPU seconds of what no audit can do without, per entry."""
    entry, left, right = bytes(ENTRY_SIZE), bytes(32), bytes(32)
    both: Callable[[], object] = lambda: (  # noqa: E731  a name would be one more call
        sha256(b"\x00" + entry).digest(),
        sha256(b"\x01" + left + right).digest(),
    )
    return cpu_of(both, effort.probe_seconds)


def _from_database(database: Path, verifier: NoteVerifier, effort: Effort) -> Row:
    pairs = [Pair(_audit_cpu(database, verifier), hashing(effort)) for _ in range(effort.rounds)]
    return row("ledger audit, from the database", _UNIT, _HASHING, _DATABASE_TARGET, pairs)


def _audit_cpu(database: Path, verifier: NoteVerifier) -> float:
    with closing(SqliteLogSource(database)) as source:
        begin = time.process_time()
        *_, report = fsck(source, verifier, verifier.name)
        spent = time.process_time() - begin
    if not isinstance(report, Report) or not report.holds:
        raise IdverifyError(f"Expected a log that holds, got {report}")
    return spent / report.size


async def _whole(database: Path, verifier: NoteVerifier, effort: Effort) -> list[Row]:
    """The audit with all rows, in a process of its own, against what it may take."""
    question = json.dumps({"database": str(database), "vkey": vkey(verifier)}).encode()
    costs = [Cost(**json.loads(await answer_of(audited.__name__, question))) for _ in range(effort.rounds)]
    cpu = [Pair(cost.all_seconds / cost.entries, _MOST_CPU) for cost in costs]
    memory = [Pair(cost.peak / _MB / cost.entries, _MOST_MB / cost.entries) for cost in costs]
    return [
        row("ledger audit, with all rows", _UNIT, "10 s of CPU for 1,000,000 entries", 1.0, cpu),
        row("ledger audit, memory", "entries per MB of memory", f"300 MB for all {costs[0].entries:,}", 1.0, memory),
    ]
