"""Checking again, in an audit, what takes more than SQL: signatures of people, commitments, what was erased."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from idverify.auth.step_up import Confirmation, verify_evidence
from idverify.core import erasure
from idverify.core.action import canonical_json
from idverify.errors import IdverifyError
from idverify.ledger.commitment import SALT_SIZE, Record, opens
from idverify.ledger.entry import Entry
from idverify.ledger.sequencer import decode_bundle
from idverify.stores.standing import record_in

DIGEST: Final = slice(70, 102)  # of an entry's bytes: docs/ledger-format.md section 2
Findings = Iterator[tuple[int, str]]
"""(ledger index, broken rule)."""
Rows = Callable[..., Iterable[Any]]
"""Rows of a query, and of the values that it names."""

_CONFIRMATIONS: Final = """
    SELECT a.ledger_index, a.action_digest, a.evidence, a.action, a.person_id AS about,
    k.cose_key, r.person_id, r.opening FROM authorisation a
    LEFT JOIN security_key k ON k.id = a.security_key_id AND k.account_id = a.account_id
    JOIN ledger_record r ON r.shard = a.ledger_shard AND r.ledger_index = a.ledger_index AND r.handle = a.handle
    ORDER BY a.ledger_shard, a.ledger_index"""
_OF_OURSELVES: Final = """
    SELECT r.shard, r.ledger_index, r.type, r.opening, r.ledger_index - b.first_index AS position, b.entries
    FROM ledger_bundle b JOIN ledger_record r ON r.shard = b.shard
    AND r.ledger_index >= b.first_index AND r.ledger_index < b.first_index + b.count
    WHERE r.person_id IS NULL AND {which}
    ORDER BY b.shard, b.first_index"""
_OPENINGS: Final = _OF_OURSELVES.format(which="length(r.opening) > 0")
_OPENED: Final = _OF_OURSELVES.format(which="r.type = :type")
_ERASURES: Final = """
    SELECT shard, ledger_index, opening FROM ledger_record WHERE type = 'erasure' ORDER BY shard, ledger_index"""
# The first confirmation of an erasure by its handle, the last by its place right behind.
_PAIR: Final = """
    SELECT act, account_id, action_digest, evidence FROM authorisation
    WHERE handle = :handle OR (ledger_shard = :shard AND ledger_index = :last) ORDER BY ledger_shard, ledger_index"""
_ERASED: Final = "SELECT count(*), coalesce(max(ledger_index), 0) FROM ledger_record WHERE type = 'erased'"
_COUNTS: Final = re.compile(r"people ([1-9][0-9]*), entries ([1-9][0-9]*)")


def evidence_findings(rows: Rows) -> Findings:
    """(ledger index, broken rule) for everything below."""
    yield from _confirmations(rows)
    yield from opening_findings(rows)
    yield from _erasures(rows)


def _confirmations(rows: Rows) -> Findings:
    """Every confirmation whose evidence is not what its row and its entry say.

    What the entry of a confirmation about a person commits to rests sealed, and so does the act that was confirmed;
    only the holder of the person's key can open them.
    """
    for row in rows(_CONFIRMATIONS):
        plain = row["action"] if row["about"] is None else None
        if plain is not None and hashlib.sha256(plain).digest() != row["action_digest"]:
            yield row["ledger_index"], "an act that is kept is the one that was confirmed"
        proven = _proven(row)
        if proven is None:
            yield row["ledger_index"], "the evidence of a confirmation holds"
            continue
        if (proven.action_digest, proven.cose_key) != (row["action_digest"], row["cose_key"]):
            yield row["ledger_index"], "evidence is of the act and the key that its row names"
        committed = hashlib.sha256(row["evidence"]).digest()
        record = record_in(row["opening"]) if row["person_id"] is None and row["opening"] else None
        if record is not None and record.object_digest != committed:
            yield row["ledger_index"], "the entry of a confirmation commits to its evidence"


def opening_findings(rows: Rows) -> Findings:
    """Every opening that is not sealed and is not what its entry commits to."""
    bundle, entries = b"", list[bytes]()
    for row in rows(_OPENINGS):
        if row["entries"] != bundle:
            bundle, entries = row["entries"], decode_bundle(row["entries"])
        record, digest = record_in(row["opening"]), entries[row["position"]][DIGEST]
        if record is None or record.type != row["type"] or not opens(row["opening"][:SALT_SIZE], record, digest):
            yield row["ledger_index"], "an opening that is kept unsealed opens its entry"


@dataclass(frozen=True, slots=True)
class Opened:
    """An entry, by shard and index, with its time in Unix seconds, and what it records."""

    shard: int
    index: int
    time: int
    record: Record


def opened_entries(rows: Rows, kind: str) -> Iterator[Opened]:
    """Those of a type about ourselves that open as their rows say; any other is ``opening_findings``' to tell of."""
    for row in rows(_OPENED, {"type": kind}):
        record, entry = record_in(row["opening"]), decode_bundle(row["entries"])[row["position"]]
        if record is not None and record.type == kind and opens(row["opening"][:SALT_SIZE], record, entry[DIGEST]):
            yield Opened(row["shard"], row["ledger_index"], Entry.decode(entry).time, record)


def _erasures(rows: Rows) -> Findings:
    """Entries whose opening is gone are as many as erasures say; each was confirmed by two people."""
    said, last = 0, 0
    for row in list(rows(_ERASURES)):
        last, record = row["ledger_index"], record_in(row["opening"])
        counts = None if record is None else _COUNTS.fullmatch(record.reason or "")
        if record is None or counts is None:
            yield last, "an erasure says how many people and entries it erased"
            continue
        people, entries = int(counts[1]), int(counts[2])
        said += entries
        pair = list(rows(_PAIR, {"handle": record.decision, "shard": row["shard"], "last": last + 1}))
        if not _by_two(pair) or _said(people, entries, pair) != record.object_digest:
            yield last, "two people confirm an erasure"
    ((erased, newest),) = rows(_ERASED)
    if erased != said:
        yield max(last, newest), "entries are erased by erasures alone"


def _by_two(pair: list[Any]) -> bool:
    acts, digests = {row["act"] for row in pair}, {row["action_digest"] for row in pair}
    return acts == {erasure.ACT} and len(digests) == 1 and len(pair) == len({row["account_id"] for row in pair}) == 2


def _said(people: int, entries: int, pair: list[Any]) -> bytes:
    evidence = [hashlib.sha256(row["evidence"]).hexdigest() for row in pair]
    return hashlib.sha256(canonical_json({"people": people, "entries": entries, "evidence": evidence})).digest()


def _proven(row: Any) -> Confirmation | None:
    try:
        return verify_evidence(row["evidence"])
    except IdverifyError:
        return None
