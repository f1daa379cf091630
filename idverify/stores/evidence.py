"""Checking again, in an audit, what takes more than SQL: signatures of people, commitments, what was erased."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from idverify.auth.step_up import Confirmation, verify_evidence
from idverify.core import key_order, security_act
from idverify.core.action import canonical_json
from idverify.errors import IdverifyError
from idverify.ledger.commitment import SALT_SIZE, Record, opens
from idverify.ledger.errors import LedgerError
from idverify.ledger.sequencer import decode_bundle

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
_OPENINGS: Final = """
    SELECT r.ledger_index, r.type, r.opening, r.ledger_index - b.first_index AS position, b.entries
    FROM ledger_bundle b JOIN ledger_record r ON r.shard = b.shard
    AND r.ledger_index >= b.first_index AND r.ledger_index < b.first_index + b.count
    WHERE r.person_id IS NULL AND length(r.opening) > 0
    ORDER BY b.shard, b.first_index"""
_ERASURES: Final = """
    SELECT shard, ledger_index, opening FROM ledger_record WHERE type = 'erasure' ORDER BY shard, ledger_index"""
# The first confirmation of an erasure by its handle, the last by its place right behind.
_PAIR: Final = """
    SELECT act, account_id, action_digest, evidence FROM authorisation
    WHERE handle = :handle OR (ledger_shard = :shard AND ledger_index = :last) ORDER BY ledger_shard, ledger_index"""
_ERASED: Final = "SELECT count(*), coalesce(max(ledger_index), 0) FROM ledger_record WHERE type = 'erased'"
_STAFF_KEYS: Final = """
    SELECT k.cose_key, k.removed_at, k.suspended_at FROM security_key k JOIN account a ON a.id = k.account_id
    WHERE a.person_id IS NULL"""
_SUSPENSIONS: Final = """
    SELECT type, ledger_index, opening FROM ledger_record
    WHERE type IN ('authenticator.suspended', 'authenticator.reinstated') ORDER BY shard, ledger_index"""
_KEY_ORDERS: Final = """
    SELECT o.handle, o.role, o.reason, o.old_key_id, a.action_digest, coalesce(a.ledger_index, 0) AS ledger_index
    FROM key_order o LEFT JOIN authorisation a ON a.id = o.approval_id"""
_WAITING: Final = "SELECT opening FROM ledger_waiting WHERE type = :type"
_COUNTS: Final = re.compile(r"people ([1-9][0-9]*), entries ([1-9][0-9]*)")
_ACT: Final = "erase-person"
BOUND: Final = "authenticator.bound"
REMOVED: Final = "authenticator.removed"
SUSPENDED: Final = "authenticator.suspended"


def evidence_findings(rows: Rows) -> Findings:
    """(ledger index, broken rule) for everything below."""
    yield from _confirmations(rows)
    yield from _openings(rows)
    yield from _erasures(rows)
    yield from _api_keys(rows)
    yield from _staff(rows)
    yield from _signing_keys(rows)


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
        record = _record(row["opening"]) if row["person_id"] is None and row["opening"] else None
        if record is not None and record.object_digest != committed:
            yield row["ledger_index"], "the entry of a confirmation commits to its evidence"


def _openings(rows: Rows) -> Findings:
    """Every opening that is not sealed and is not what its entry commits to."""
    bundle, entries = b"", list[bytes]()
    for row in rows(_OPENINGS):
        if row["entries"] != bundle:
            bundle, entries = row["entries"], decode_bundle(row["entries"])
        record, digest = _record(row["opening"]), entries[row["position"]][DIGEST]
        if record is None or record.type != row["type"] or not opens(row["opening"][:SALT_SIZE], record, digest):
            yield row["ledger_index"], "an opening that is kept unsealed opens its entry"


def _erasures(rows: Rows) -> Findings:
    """Entries whose opening is gone are as many as erasures say; each was confirmed by two people."""
    said, last = 0, 0
    for row in list(rows(_ERASURES)):
        last, record = row["ledger_index"], _record(row["opening"])
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


def _api_keys(rows: Rows) -> Findings:
    """API keys that nobody made on the ledger, and revoked ones that work again; since there are such entries."""
    made, revoked = (_objects(rows, kind) for kind in (security_act.API_KEY_MADE, security_act.API_KEY_REVOKED))
    keys = list(rows("SELECT * FROM api_key ORDER BY created_at"))
    known = [security_act.object_digest(security_act.API_KEY_MADE, row) in made for row in keys]
    first = next((row["created_at"] for row, is_known in zip(keys, known, strict=True) if is_known), None)
    for row, is_known in zip(keys, known, strict=True):
        if not is_known and first is not None and row["created_at"] >= first:
            yield max(made.values()), "an API key has an entry that made it"
        gone = revoked.get(security_act.object_digest(security_act.API_KEY_REVOKED, row))
        if gone is not None and row["revoked_at"] is None:
            yield gone, "a revoked API key stays revoked"


def _staff(rows: Rows) -> Findings:
    """Members of staff and organisations whose key nobody bound on the ledger, or who ended and are there again.

    What is recorded of citizens' keys rests sealed.
    """
    bound, removed = (_objects(rows, kind) for kind in (BOUND, REMOVED))
    suspended = _suspended(rows)
    for row in list(rows(_WAITING, {"type": BOUND})):  # of admins who enrolled while the log was halted
        if (record := _record(row["opening"])) is not None:
            bound[record.object_digest] = 0
    for row in rows(_STAFF_KEYS):
        key = hashlib.sha256(row["cose_key"]).digest()
        if key not in bound:
            yield max(bound.values(), default=0), "a security key of staff has an entry that bound it"
        if key in removed and row["removed_at"] is None:
            yield removed[key], "a security key that was removed stays removed"
        if key in suspended and row["suspended_at"] is None:
            yield suspended[key], "a security key that was suspended stays suspended until it is reinstated"
    yield from _lists(rows)
    ended = _objects(rows, security_act.ACCOUNT_ENDED)
    for row in rows("SELECT handle, actor, role FROM account WHERE ended_at IS NULL"):
        gone = ended.get(security_act.object_digest(security_act.ACCOUNT_ENDED, row))
        if gone is not None:
            yield gone, "an account that was ended stays ended"


def _lists(rows: Rows) -> Findings:
    """Lists of authenticators that nobody decided on the ledger."""
    decided = _objects(rows, security_act.AUTHENTICATORS_CHANGED)
    for row in rows("SELECT version, document FROM authenticator_list"):
        if security_act.object_digest(security_act.AUTHENTICATORS_CHANGED, row) not in decided:
            yield max(decided.values(), default=0), "a list of authenticators has an entry that put it in force"


def _signing_keys(rows: Rows) -> Findings:
    """Keys that nobody took into use on the ledger, replaced ones that sign again, and orders that nobody gave."""
    taken, replaced = _objects(rows, "key.active"), _objects(rows, "key.retired")
    for row in rows("SELECT key_id, public_key, certificate, state FROM signing_key"):
        key = hashlib.sha256(row["certificate"] or row["public_key"] or row["key_id"]).digest()
        if key not in taken:
            yield max(taken.values(), default=0), "a signing key has an entry that took it into use"
        if (key in replaced) is (row["state"] == "active"):
            yield replaced.get(key, 0), "a signing key is out of use when the ledger says so, and only then"
    given = _objects(rows, security_act.SIGNING_KEY_ORDERED)
    for row in rows(_KEY_ORDERS):
        if security_act.object_digest(security_act.SIGNING_KEY_ORDERED, row) not in given:
            yield row["ledger_index"], "the order of a signing key has an entry that gave it"
        if key_order.action(row["old_key_id"], row["role"], row["reason"]).digest() != row["action_digest"]:
            yield row["ledger_index"], "the order of a signing key is what was confirmed"


def _suspended(rows: Rows) -> dict[bytes, int]:
    """Object digest -> ledger index of the suspension of every key that was not reinstated since."""
    last: dict[bytes, int] = {}
    for row in rows(_SUSPENSIONS):
        if (record := _record(row["opening"])) is None:
            continue
        last.pop(record.object_digest, None)
        if row["type"] == SUSPENDED:
            last[record.object_digest] = row["ledger_index"]
    return last


def _objects(rows: Rows, kind: str) -> dict[bytes, int]:
    """Object digest -> ledger index of every entry of a type about ourselves."""
    entries = rows("SELECT ledger_index, opening FROM ledger_record WHERE type = :type", {"type": kind})
    records = ((row["ledger_index"], _record(row["opening"])) for row in entries)
    return {record.object_digest: index for index, record in records if record is not None}


def _by_two(pair: list[Any]) -> bool:
    acts = {(row["act"], row["action_digest"]) for row in pair}
    return len(pair) == len({row["account_id"] for row in pair}) == 2 and len(acts) == 1 and pair[0]["act"] == _ACT


def _said(people: int, entries: int, pair: list[Any]) -> bytes:
    evidence = [hashlib.sha256(row["evidence"]).hexdigest() for row in pair]
    return hashlib.sha256(canonical_json({"people": people, "entries": entries, "evidence": evidence})).digest()


def _proven(row: Any) -> Confirmation | None:
    try:
        return verify_evidence(row["evidence"])
    except IdverifyError:
        return None


def _record(opening: bytes) -> Record | None:
    try:
        return Record.decode(opening[SALT_SIZE:])
    except LedgerError:
        return None
