"""A whole audit in a process of its own, so that its CPU time and memory are its own.

A program. It reads the database and the log's verifier key from JSON on standard input, and writes what the audit cost.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from idverify.errors import IdverifyError
from idverify.ledger.audit import Report, fsck
from idverify.ledger.note import NoteVerifier, parse_vkey
from idverify.stores.open import open_log


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds of auditing the log alone and with all rows; the most memory (bytes) that the process ever had."""

    entries: int
    log_seconds: float
    all_seconds: float
    peak: int


def audit(database: Path, verifier: NoteVerifier) -> Cost:
    """Audit a log that holds. Raises ``IdverifyError``: one that does not has stopped early, and says nothing."""
    with closing(open_log(database)) as source:
        begin = time.process_time()
        *_, report = fsck(source, verifier, verifier.name)
        after_log = time.process_time()
        rows = [*source.record_findings(), *source.row_findings()]
        after_all = time.process_time()
    if not isinstance(report, Report) or not report.holds or rows:
        raise IdverifyError(f"Expected a log that holds, got {report} and {rows[:3]}")
    return Cost(report.size, after_log - begin, after_all - begin, _peak())


def _peak() -> int:
    """``VmHWM`` of /proc/self/status (proc(5)); ``ru_maxrss`` would count the process that started this one, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    json.dump(asdict(audit(Path(asked["database"]), parse_vkey(asked["vkey"]))), sys.stdout)
