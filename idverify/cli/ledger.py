"""``idverify ledger``: auditing, with progress for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

from idverify.cli.auditing.findings import as_json, first_bad, tell, told_first_bad
from idverify.cli.auditing.progress import progress
from idverify.cli.auditing.trust import given_keys
from idverify.cli.output import WrongUsage, print_json, say
from idverify.config import load
from idverify.errors import SetupError, Unavailable
from idverify.ledger.audit import MAX_FINDINGS, Finding
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.errors import LedgerError, MalformedError
from idverify.ledger.identity import LogIdentity
from idverify.ledger.note import NoteVerifier, parse_vkey
from idverify.ledger.policy import parse_policy
from idverify.ledger.shard_audit import Shard, ShardReport, fsck_shards
from idverify.services.log_keys import log_keys
from idverify.services.log_policy import NO_WITNESSES, log_policy, log_url
from idverify.stores.log_source import StoredLog
from idverify.stores.open import open_log
from idverify.stores.published_rows import Believed


def fsck(data: Path, vkey: str | None, *, json: bool) -> int:
    """Audit the whole log: 0 clean, 1 findings, 2 could not tell."""
    try:
        config = load(data)
        with closing(open_log(config.location)) as source:
            audited = _audited(source, vkey, quiet=json)
            rows = [
                *_published_findings(source, audited, vkey, config.ledger.witnesses),
                *_record_findings(source, [one.origin for one in audited]),
            ]
    except Unavailable as error:
        of_a_file = "Restore the database from a backup."
        cure = of_a_file if isinstance(config.location, Path) else "Bring the database back, then ask again."
        raise SetupError(f"The ledger cannot be read ({error})", cure) from error
    except LedgerError as error:
        raise SetupError(f"The ledger cannot be read ({error}).", "Restore the database from a backup.") from error
    findings = [*(found for one in audited for found in _named(one, among=len(audited))), *rows]
    if json:
        print_json(_as_json(audited, findings))
    else:
        _tell(audited, findings)
    return 1 if findings else 0


def _audited(source: StoredLog, vkey: str | None, *, quiet: bool) -> tuple[ShardReport, ...]:
    """The report of every shard, or, with keys from outside, of those that they name."""
    given, keys = _given(vkey), log_keys(source.signing_keys())
    named = {key.name for key in given}
    shards = [shard for shard in _shards(source) if not given or shard.identity.origin in named]
    if unknown := named - {shard.identity.origin for shard in shards}:
        raise WrongUsage(f"--vkey: there is no log {min(unknown)} here.")

    def verifiers(origin: str) -> list[NoteVerifier]:
        return _of(origin, given) or [key.verifier(origin) for key in keys]

    with progress("entries", quiet=quiet) as told:
        for step in fsck_shards(shards, verifiers):
            if isinstance(step, tuple):
                return step
            told(step.entries, None)
    raise SetupError("The audit ended without a report.", "Report this as a bug.")


def _shards(source: StoredLog) -> Iterator[Shard]:
    ours = source.deployment()
    for row in source.shards():
        previous = None if row["previous"] is None else Checkpoint.parse(row["previous"])
        identity = LogIdentity(row["origin"], ours["iss"], ours["rp_id"], ours["status_base"], previous)
        yield Shard(identity, row["halted"] is not None, source.of(row["shard"]))


def _record_findings(source: StoredLog, origins: list[str]) -> list[Finding]:
    """What does not belong together of entries and rows; rules that speak of all shards are asked once."""
    shards = [row["shard"] for row in source.shards() if row["origin"] in origins]
    rows = [*(found for shard in shards for found in source.of(shard).record_findings()), *source.row_findings()]
    return [Finding(index, "record", f"broken: {rule}") for index, rule in rows]


def _published_findings(
    source: StoredLog, audited: Sequence[ShardReport], vkey: str | None, witnesses: Path | None
) -> Iterator[Finding]:
    """What the database says of its checkpoints that their notes, or the entries, do not."""
    given, keys, shards = _given(vkey), log_keys(source.signing_keys()), source.shards()
    reports = {one.origin: one.report for one in audited}
    lines = None if given else _witness_lines(witnesses)
    iss = source.deployment()["iss"]
    for row in (row for row in shards if row["origin"] in reports):
        origin, report = row["origin"], reports[row["origin"]]
        verifiers = _of(origin, given) or [key.verifier(origin) for key in keys]
        today = lines is not None and row["shard"] == shards[-1]["shard"]
        policy = log_policy(log_url(iss, origin), verifiers, lines or "").policy if today else None
        of_shard = source.of(row["shard"]).published_findings(report.size, report.root, Believed(verifiers, policy))
        for rule in islice(of_shard, MAX_FINDINGS):
            yield Finding(None, "published", f"broken: {rule}" if len(audited) == 1 else f"{origin}: broken: {rule}")


def _witness_lines(path: Path | None) -> str | None:
    """What the settings say of witnesses; None where that cannot be read here, as beside a copy of the database."""
    try:
        lines = NO_WITNESSES if path is None else path.read_text()
        parse_policy(lines)
    except (OSError, UnicodeDecodeError, MalformedError):
        return None
    return lines


def _named(one: ShardReport, *, among: int) -> Iterator[Finding]:
    """The findings of a shard; of several, each says of which it is."""
    for found in one.report.findings:
        yield found if among == 1 else replace(found, detail=f"{one.origin}: {found.detail}")


def _of(origin: str, given: Sequence[NoteVerifier]) -> list[NoteVerifier]:
    return [key for key in given if key.name == origin]


def _given(vkey: str | None) -> list[NoteVerifier]:
    """The keys from outside, none without the option."""
    if vkey is None:
        return []
    try:
        return [parse_vkey(key) for key in given_keys(vkey)]
    except MalformedError as error:
        raise WrongUsage(f"--vkey: {error}") from error


def _as_json(audited: tuple[ShardReport, ...], findings: list[Finding]) -> dict[str, object]:
    """The figures of the shard that is written to stand on top."""
    shards = [_figures(one) for one in audited]
    told = {"holds": not findings, "first_bad_index": first_bad(findings), "findings": as_json(findings)}
    return {**shards[-1], **told, "shards": shards}


def _figures(one: ShardReport) -> dict[str, object]:
    report = one.report
    root = report.root.hex()
    return {"origin": one.origin, "size": report.size, "signed_size": report.signed_size, "root": root}


def _tell(audited: tuple[ShardReport, ...], findings: list[Finding]) -> None:
    if findings:
        say(f"The ledger does not hold.{told_first_bad(findings)}")
        tell(findings)
        return
    for origin, report in ((one.origin, one.report) for one in audited):
        named = f" ({origin})" if len(audited) > 1 else ""
        say(f"The ledger holds{named}: {report.size} entries, {report.signed_size} under a signed checkpoint.")
        say(f"Root {report.root.hex()}")
