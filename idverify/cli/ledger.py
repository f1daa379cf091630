"""``idverify ledger``: auditing, with progress for people."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from idverify.cli.auditing.findings import as_json, first_bad, tell
from idverify.cli.auditing.progress import progress
from idverify.cli.output import WrongUsage, print_json, say
from idverify.config import load
from idverify.errors import SetupError
from idverify.ledger.audit import Finding, Report
from idverify.ledger.audit import fsck as audit
from idverify.ledger.errors import LedgerError, MalformedError
from idverify.ledger.identity import LogIdentity
from idverify.ledger.note import NoteVerifier, parse_vkey
from idverify.services.log_keys import log_keys
from idverify.stores.sqlite_ledger import SqliteLogSource


def fsck(data: Path, vkey: str | None, *, json: bool) -> int:
    """Audit the whole log: 0 clean, 1 findings, 2 could not tell."""
    try:
        with closing(SqliteLogSource(load(data).database)) as source:
            report = _audited(source, vkey, quiet=json)
            rows = [*source.record_findings(), *source.row_findings()]
    except (sqlite3.Error, LedgerError) as error:
        raise SetupError(f"The ledger cannot be read ({error}).", "Restore the database from a backup.") from error
    findings = [
        *report.findings,
        *(Finding(index, "record", f"broken: {rule}") for index, rule in rows),
    ]
    if json:
        print_json(_as_json(report, findings))
    else:
        _tell(report, findings)
    return 1 if findings else 0


def _audited(source: SqliteLogSource, vkey: str | None, *, quiet: bool) -> Report:
    ours = source.deployment()
    identity = LogIdentity(ours["log_origin"], ours["iss"], ours["rp_id"], ours["status_base"])
    verifier = _verifier(source, vkey, ours["log_origin"])
    with progress("entries", quiet=quiet) as told:
        for step in audit(source, verifier, ours["log_origin"], identity=identity):
            if isinstance(step, Report):
                return step
            told(step.entries, None)
    raise SetupError("The audit ended without a report.", "Report this as a bug.")


def _verifier(source: SqliteLogSource, vkey: str | None, origin: str) -> NoteVerifier:
    if vkey is None:
        return log_keys(source.signing_keys())[0].verifier(origin)
    try:
        return parse_vkey(vkey)
    except MalformedError as error:
        raise WrongUsage(f"--vkey: {error}") from error


def _as_json(report: Report, findings: list[Finding]) -> dict[str, object]:
    return {
        "holds": not findings,
        "size": report.size,
        "signed_size": report.signed_size,
        "root": report.root.hex(),
        "first_bad_index": first_bad(findings),
        "findings": as_json(findings),
    }


def _tell(report: Report, findings: list[Finding]) -> None:
    if not findings:
        say(f"The ledger holds: {report.size} entries, {report.signed_size} under a signed checkpoint.")
        say(f"Root {report.root.hex()}")
        return
    say(f"The ledger does not hold. First bad entry: {first_bad(findings)}")
    tell(findings)
