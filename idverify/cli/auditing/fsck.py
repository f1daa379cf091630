"""``idverify ledger fsck URL|DIRECTORY``: all of a published log, hashed again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from idverify.cli.auditing import state_file
from idverify.cli.auditing.findings import as_json, first_bad, tell, tell_equivocation, told_first_bad
from idverify.cli.auditing.progress import progress
from idverify.cli.auditing.sources import opened, require_log
from idverify.cli.auditing.trust import Trust
from idverify.cli.output import WrongUsage, print_json, say
from idverify.errors import SetupError
from idverify.ledger.audit_state import AuditState
from idverify.ledger.errors import LedgerError
from idverify.ledger.files import LogFiles
from idverify.ledger.policy import Policy
from idverify.ledger.tree_audit import TreeReport, audit_tree

SAVE_SECONDS: Final = 5.0
"""Between two writes of the state file; an audit that is killed loses no more than this."""


def fsck(source: str, trust: Trust, state: Path | None, *, json: bool) -> int:
    """Audit a published log: 0 it holds, 1 it does not. The state file is there while the audit is unfinished."""
    known = None if state is None else state_file.load(state)
    with opened(source) as files:
        require_log(source, files)
        report = run(files, trust.resolve(files), known, state, quiet=json)
    if state is not None:
        state_file.remove(state)
    if json:
        print_json(report_json(report))
    else:
        tell_report(report)
    return 0 if report.holds else 1


def run(files: LogFiles, policy: Policy, known: AuditState | None, state: Path | None, *, quiet: bool) -> TreeReport:
    """Audit with progress, keeping the state in its file, also when something breaks off."""
    last = known
    try:
        with progress("entries", quiet=quiet) as told:
            saved = time.monotonic()
            for step in _steps(files, policy, known):
                if isinstance(step, TreeReport):
                    return step
                last = step
                told(step.entries, step.size)
                if state is not None and time.monotonic() - saved > SAVE_SECONDS:
                    state_file.save(state, step)
                    saved = time.monotonic()
    except BaseException:
        if state is not None and last is not None:
            state_file.save(state, last)
        raise
    raise SetupError("The audit ended without a report.", "Report this as a bug.")


def _steps(files: LogFiles, policy: Policy, known: AuditState | None) -> Iterator[AuditState | TreeReport]:
    if known is not None:
        try:
            policy.open(known.note)
        except LedgerError as error:
            raise WrongUsage(f"The state file is that of another log or key ({error}).") from error
    return audit_tree(files, policy, known)


def report_json(report: TreeReport) -> dict[str, object]:
    """The report for programs."""
    return {
        "holds": report.holds,
        "size": report.size,
        "signed_size": report.signed_size,
        "root": report.root.hex(),
        "first_bad_index": first_bad(report.findings),
        "findings": as_json(report.findings),
    }


def tell_report(report: TreeReport) -> None:
    """The report for people."""
    if report.holds:
        say(f"The log holds: {report.size} entries, all under the signed checkpoint.")
        say(f"Root {report.root.hex()}")
        return
    say(f"The log does not hold.{told_first_bad(report.findings)}")
    tell(report.findings)
    if report.equivocation:
        tell_equivocation(report.equivocation)
