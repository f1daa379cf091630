"""Rights, checked again in an audit: nobody has one that the ledger did not give them, or that it took.

API keys, security keys, one-time links, accounts, the list of authenticators and what is known of their models, and our
own signing keys, and whom we rely on. What is recorded of citizens rests sealed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, Final

from idverify.core import issuer_trust, key_order, security_act
from idverify.core.security_act import printed_half
from idverify.ledger.commitment import Record
from idverify.stores.evidence import Findings, Rows
from idverify.stores.own_certificates import certificate_findings
from idverify.stores.right_givers import entries_of, giver_findings, printed_codes, rights_since
from idverify.stores.standing import KEYS, record_in

# Codes of staff and organisations, also those that only lead to an account of theirs.
_LINKS: Final = """
    SELECT e.*, a.role AS role_of_account, m.ledger_shard, m.ledger_index, m.act AS made_with, m.account_id AS made_by
    FROM enrolment e LEFT JOIN account a ON a.id = e.account_id LEFT JOIN authorisation m ON m.id = e.authorisation_id
    WHERE e.role <> 'citizen' OR a.role <> 'citizen' ORDER BY e.id"""
_SUSPENSIONS: Final = """
    SELECT type, ledger_index, opening FROM ledger_record
    WHERE type IN ('authenticator.suspended', 'authenticator.reinstated') ORDER BY shard, ledger_index"""
_KEY_ORDERS: Final = """
    SELECT o.handle, o.role, o.reason, o.old_key_id, a.action_digest, coalesce(a.ledger_index, 0) AS ledger_index
    FROM key_order o LEFT JOIN authorisation a ON a.id = o.approval_id"""
_ISSUER_CHANGES: Final = """
    SELECT c.version, c.document, c.decided_at, a.action_digest, coalesce(a.ledger_index, 0) AS ledger_index
    FROM issuer_change c LEFT JOIN authorisation a ON a.id = c.approval_id ORDER BY c.version"""
_OF_TYPE: Final = "SELECT ledger_index, opening FROM ledger_record WHERE type = :type ORDER BY shard, ledger_index"
_WAITING: Final = "SELECT 0 AS ledger_index, opening FROM ledger_waiting WHERE type = :type ORDER BY position"
_SHA256_SIZE: Final = 32
_NUMBER: Final = re.compile(security_act.METADATA_NUMBER + "([0-9]{1,18})")


def rights_findings(rows: Rows) -> Findings:
    """(ledger index, broken rule) for everything below."""
    yield from _api_keys(rows)
    yield from _staff(rows)
    yield from _signing_keys(rows)
    yield from _trusted_issuers(rows)
    yield from giver_findings(rows)


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
    """Members of staff and organisations who have a right that nobody gave them on the ledger, or one that ended.

    What is recorded of citizens rests sealed.
    """
    yield from _keys(rows)
    yield from _stopped_keys(rows)
    yield from _links(rows)
    yield from _lists(rows)
    yield from _metadata(rows)
    ended = _objects(rows, security_act.ACCOUNT_ENDED)
    for row in rows("SELECT handle, actor, role FROM account WHERE ended_at IS NULL"):
        gone = ended.get(security_act.object_digest(security_act.ACCOUNT_ENDED, row))
        if gone is not None:
            yield gone, "an account that was ended stays ended"


def _keys(rows: Rows) -> Findings:
    """Security keys that no entry binds to the account that has them."""
    bound, last = _bindings(rows)
    for row in _held(rows):
        entries, whose = bound[hashlib.sha256(row["cose_key"]).digest()], security_act.account_digest(row)
        if not entries:
            yield last, "a security key of staff has an entry that bound it"
        elif whose not in entries and None not in entries:
            yield last, "a security key of staff is of the account that it was bound to"
        else:
            entries.remove(whose if whose in entries else None)
    if any(bound.values()):
        yield last, "a security key of staff that an entry bound has its row"
    for row in rows("SELECT cose_key, cose_key_hash FROM security_key WHERE cose_key_hash IS NOT NULL"):
        if hashlib.sha256(row["cose_key"]).digest() != row["cose_key_hash"]:
            yield last, "the row of a security key has its hash"


def _stopped_keys(rows: Rows) -> Findings:
    """Security keys that work though they were removed or suspended. Of before, several rows may have one key."""
    removed, suspended = Counter[bytes](), set[bytes]()
    for row in _held(rows):
        key = hashlib.sha256(row["cose_key"]).digest()
        removed[key] += row["removed_at"] is not None
        suspended |= set() if row["suspended_at"] is None else {key}
    for index, record in _records(rows, security_act.REMOVED):
        if not removed[record.object_digest]:
            yield index, "a security key that was removed stays removed"
        removed[record.object_digest] -= 1
    for key, index in _suspended(rows).items():
        if key not in suspended:
            yield index, "a security key that was suspended stays suspended until it is reinstated"


def _bindings(rows: Rows) -> tuple[defaultdict[bytes, list[bytes | None]], int]:
    """Of each key (its digest) whose its entries say that it is, and the index of the last such entry.

    ``None`` stands for an entry that was made before entries said so: it binds one row, of any account.
    """
    found, last = defaultdict[bytes, list[bytes | None]](list), 0
    for index, record in _records(rows, security_act.BOUND):
        found[record.object_digest].append(record.decision)
        last = max(last, index)
    return found, last


def _links(rows: Rows) -> Findings:
    """One-time codes that nobody made on the ledger, with other terms, or of another role than their account.

    Links of before there were such entries have no kind, and were over when the first one was made. Of recovery codes
    the ledger says which they are since entries say what gave a right; staff have none.
    """
    made = _objects(rows, security_act.ENROLMENT_MADE)
    entries = entries_of(rows)
    printed, since = printed_codes(entries), rights_since(entries)
    links = [(row, security_act.object_digest(security_act.ENROLMENT_MADE, row) in made) for row in rows(_LINKS)]
    first = min((row["created_at"] for row, is_known in links if is_known), default=None)
    for row, is_known in links:
        if row["role_of_account"] not in {None, row["role"]}:
            yield max(made.values(), default=0), "a code is of the role of its account"
        if row["role"] == "relying-party" and row["kind"] == "recovery-code":
            ok = printed_half(row["code_hash"]) in printed or _printed_before(row, since)
        else:
            ok = is_known or (row["kind"] is None and (first is None or row["expires_at"] < first))
        if not ok:
            yield (
                max(made.values(), default=0),
                "a link for staff or an organisation has an entry that made it as it is",
            )


def _printed_before(row: Any, since: tuple[int, int] | None) -> bool:
    """Whether its owner confirmed that a set was printed, before entries named the codes of a set."""
    confirmed = row["made_with"] == "make-recovery-codes" and row["made_by"] == row["account_id"]
    return confirmed and (since is None or (row["ledger_shard"], row["ledger_index"]) < since)


def _held(rows: Rows) -> list[Any]:
    return [row for row in rows(KEYS) if row["cose_key"] is not None]


def _lists(rows: Rows) -> Findings:
    """Lists of authenticators that nobody decided on the ledger, and decided ones that are no longer there."""
    kind = security_act.AUTHENTICATORS_CHANGED
    decided, there = _objects(rows, kind), set[bytes]()
    for place, row in enumerate(rows("SELECT version, document FROM authenticator_list ORDER BY version"), 1):
        there.add(security_act.object_digest(kind, row))
        if row["version"] != place:
            yield max(decided.values(), default=0), "lists of authenticators are numbered without a gap"
    if there - decided.keys():
        yield max(decided.values(), default=0), "a list of authenticators has an entry that put it in force"
    for gone in decided.keys() - there:
        yield decided[gone], "a list of authenticators that was put in force is there"


def _metadata(rows: Rows) -> Findings:
    """The metadata that are there were loaded last, and each are newer than those before."""
    newest, said, last = b"", -1, 0
    for index, record in _records(rows, security_act.METADATA_LOADED):
        found = _NUMBER.fullmatch(record.reason or "")
        if found is None or int(found[1]) <= said:
            yield index, "metadata of authenticators only ever become newer"
        else:
            newest, said, last = record.object_digest, int(found[1]), index
    there = [hashlib.sha256(row["blob"]).digest() for row in rows("SELECT blob FROM metadata_blob ORDER BY number")]
    if there != ([newest] if newest else []):
        yield last, "the newest metadata of authenticators that were loaded are there, and no others"


def _signing_keys(rows: Rows) -> Findings:
    """Keys that nobody took into use on the ledger, replaced ones that sign again, and orders that nobody gave."""
    taken, replaced = _objects(rows, security_act.SIGNING_KEY_TAKEN), _objects(rows, security_act.SIGNING_KEY_RETIRED)
    for row in rows("SELECT key_id, public_key, certificate, state FROM signing_key"):
        key = hashlib.sha256(row["certificate"] or row["public_key"] or row["key_id"]).digest()
        if key not in taken:
            yield max(taken.values(), default=0), "a signing key has an entry that took it into use"
        if (key in replaced) is (row["state"] == key_order.ACTIVE):
            yield replaced.get(key, 0), "a signing key is out of use when the ledger says so, and only then"
    yield from certificate_findings(rows)
    transcripts = [
        (index, record.decision)
        for index, record in _records(rows, security_act.SIGNING_KEY_TAKEN)
        if record.decision is not None
    ]
    several = Counter(transcript for _, transcript in transcripts)
    for index, transcript in transcripts:
        if several[transcript] > 1 or len(transcript) != _SHA256_SIZE:
            yield index, "the entry of a key names the transcript of its own ceremony"
    given = _objects(rows, security_act.SIGNING_KEY_ORDERED)
    for row in rows(_KEY_ORDERS):
        if security_act.object_digest(security_act.SIGNING_KEY_ORDERED, row) not in given:
            yield row["ledger_index"], "the order of a signing key has an entry that gave it"
        if key_order.action(row["old_key_id"], row["role"], row["reason"]).digest() != row["action_digest"]:
            yield row["ledger_index"], "the order of a signing key is what was confirmed"


def _trusted_issuers(rows: Rows) -> Findings:
    """Changes of whom is relied on that nobody decided on the ledger, and decided ones that are no longer there."""
    kind = security_act.ISSUERS_CHANGED
    decided, there = _objects(rows, kind), set[bytes]()
    for place, row in enumerate(rows(_ISSUER_CHANGES), 1):
        there.add(security_act.object_digest(kind, row))
        if row["version"] != place:
            yield row["ledger_index"], "changes of trusted issuers are numbered without a gap"
        confirmed = issuer_trust.action(row["version"], json.loads(row["document"]))
        if confirmed.digest() != row["action_digest"]:
            yield row["ledger_index"], "a change of trusted issuers is what was confirmed"
    if there - decided.keys():
        yield max(decided.values(), default=0), "a change of trusted issuers has an entry that put it in force"
    for gone in decided.keys() - there:
        yield decided[gone], "a change of trusted issuers that was put in force is there"


def _suspended(rows: Rows) -> dict[bytes, int]:
    """Object digest -> ledger index of the suspension of every key that was not reinstated since."""
    last: dict[bytes, int] = {}
    for row in rows(_SUSPENSIONS):
        if (record := record_in(row["opening"])) is None:
            continue
        last.pop(record.object_digest, None)
        if row["type"] == security_act.SUSPENDED:
            last[record.object_digest] = row["ledger_index"]
    return last


def _objects(rows: Rows, kind: str) -> dict[bytes, int]:
    """Object digest -> ledger index of every entry of a type about ourselves."""
    return {record.object_digest: index for index, record in _records(rows, kind)}


def _records(rows: Rows, kind: str) -> Iterator[tuple[int, Record]]:
    """(ledger index, record) of every entry of a type about ourselves, and (0, record) of those that wait for a log."""
    for row in [*rows(_OF_TYPE, {"type": kind}), *rows(_WAITING, {"type": kind})]:
        if (record := record_in(row["opening"])) is not None:
            yield row["ledger_index"], record
