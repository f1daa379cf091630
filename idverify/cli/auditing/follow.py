"""``idverify ledger follow``: each new checkpoint held against the last one, for as long as somebody watches."""

from __future__ import annotations

import datetime as dt
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from idverify.cli.auditing import state_file
from idverify.cli.auditing.findings import keep, tell, tell_equivocation, told_first_bad
from idverify.cli.auditing.fsck import report_json, run
from idverify.cli.auditing.sources import opened, require_log
from idverify.cli.auditing.trust import Trust
from idverify.cli.output import printable, say
from idverify.errors import Unavailable
from idverify.ledger.files import LogFiles
from idverify.ledger.policy import Policy
from idverify.ledger.tree_audit import TreeReport

ALARMS: Final = frozenset({"fork", "rollback"})


@dataclass(frozen=True, slots=True)
class Watch:
    """What to watch and how. ``once``: one look; else every ``interval`` seconds until a fork or rollback."""

    source: str
    state: Path
    output: Path | None
    interval: float
    once: bool
    json: bool


def follow(watch: Watch, trust: Trust) -> int:
    """Watch a published log: 1 on a fork or rollback, or on any finding of a single look; 2 if it is not there."""
    with opened(watch.source) as files:
        policy = trust.resolve(files)
        while True:
            try:
                report = _look(files, policy, watch)
            except Unavailable as away:
                if watch.once:
                    raise
                sys.stderr.write(printable(f"{_now()} not there: {away}") + "\n")
            else:
                alarmed = any(finding.rule in ALARMS for finding in report.findings)
                if watch.once or alarmed:
                    return 0 if report.holds else 1
            time.sleep(watch.interval)


def _look(files: LogFiles, policy: Policy, watch: Watch) -> TreeReport:
    known = state_file.load(watch.state)
    if known is None:  # else a log that is gone is a finding about one that was there
        require_log(watch.source, files)
    report = run(files, policy, known, None, quiet=watch.json)
    # With a finding the last state that held is kept: so each further look says it again.
    if report.holds and report.state is not None and report.state != known:
        state_file.save(watch.state, report.state)
    keep(report.equivocation, watch.output)
    if watch.json:
        _print_line({"time": _now(), "known_size": known.size if known else 0, **report_json(report)})
    else:
        _tell(report, known.size if known else 0)
    return report


def _tell(report: TreeReport, known_size: int) -> None:
    if report.holds:
        grown = report.size - known_size
        say(f"{_now()} holds: {report.size} entries, {grown} new")
        return
    say(f"{_now()} ALERT: the log does not hold.{told_first_bad(report.findings)}")
    tell(report.findings)
    if report.equivocation:
        tell_equivocation(report.equivocation)


def _print_line(value: dict[str, Any]) -> None:
    """One line for each look, so that a program can read along."""
    sys.stdout.write(orjson.dumps(value).decode() + "\n")
    sys.stdout.flush()


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
