"""Audits of a ledger against bare hashing, and against what they may cost at most.

In each round the audit and the hashing are measured one right after the other.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
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
from idverify.ledger.policy import Policy
from idverify.ledger.published import CHECKPOINT, SignedTree, paths, render
from idverify.ledger.storage import LedgerStorage
from idverify.ledger.tree_audit import audit_tree
from idverify.stores.directory_files import DirectoryFiles
from idverify.stores.open import open_log

_FILES_TARGET: Final = 0.5
_DATABASE_TARGET: Final = 0.3
_UNIT: Final = "entries per CPU-second"
_HASHING: Final = "2 SHA-256 per entry: its leaf and one node"
_MOST_CPU: Final = 10e-6  # seconds per entry: 10 seconds for a million
_MOST_MB: Final = 300  # for however many entries
_MB: Final = 1e6


async def measure(database: Path, published: Path, verifier: NoteVerifier, effort: Effort) -> list[Row]:
    """What auditing the log costs, as it is in this database and published in this directory."""
    files = [Pair(_cpu_of_files(published, verifier), hashing(effort)) for _ in range(effort.rounds)]
    rows = [Pair(_cpu_of_database(database, verifier), hashing(effort)) for _ in range(effort.rounds)]
    return [
        row("ledger audit, from files", _UNIT, _HASHING, _FILES_TARGET, files),
        row("ledger audit, from the database", _UNIT, _HASHING, _DATABASE_TARGET, rows),
        *await _whole(database, verifier, effort),
    ]


async def publish(storage: LedgerStorage, shown: SignedTree, directory: Path) -> None:
    """Write the files of a checkpoint, as ``idverify ledger export`` has them, without a flush for each."""
    for path in paths(shown.tree.size):
        content = await render(storage, shown.tree, path)
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content or b"")
    (directory / CHECKPOINT).write_bytes(shown.note)


def hashing(effort: Effort) -> float:
    """CPU seconds of what no audit can do without, per entry."""
    entry, left, right = bytes(ENTRY_SIZE), bytes(32), bytes(32)
    both: Callable[[], object] = lambda: (  # noqa: E731  a name would be one more call
        sha256(b"\x00" + entry).digest(),
        sha256(b"\x01" + left + right).digest(),
    )
    return cpu_of(both, effort.probe_seconds)


def _cpu_of_database(database: Path, verifier: NoteVerifier) -> float:
    with closing(open_log(database)) as source:
        return _cpu_of(fsck(source, verifier, verifier.name))


def _cpu_of_files(published: Path, verifier: NoteVerifier) -> float:
    return _cpu_of(audit_tree(DirectoryFiles(published), Policy.of_log([verifier])))


def _cpu_of(audit: Iterator[object]) -> float:
    """CPU seconds per entry. Raises ``IdverifyError`` where something is found: such an audit has stopped early."""
    begin = time.process_time()
    *_, report = audit
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
