"""Checking again that somebody confirmed an act, with nothing but the file and whom the reader believes of the log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from idverify.auth.step_up import Confirmation, Context, verify_evidence
from idverify.core.security_act import BOUND
from idverify.core.verdict import CHECKS, Channel, Check, CheckId, Result, Verdict, fold
from idverify.errors import CeremonyMalformed, DocumentError, IdverifyError
from idverify.ledger.errors import MalformedError, ReceiptError
from idverify.ledger.policy import Policies, Policy
from idverify.ledger.receipt import QUORUM, Receipt, verify_receipt
from idverify.ledger.succession import are_siblings, shard_of
from idverify.services.ceremonies import SECONDS, Ceremony
from idverify.services.evidence_file import EvidenceFile
from idverify.services.proposals import PROPOSAL_SECONDS
from idverify.stores.shard_rules import ACT as NEW_SHARD

Trusted = Policy | Policies | None
"""Whom to believe of the log; ``None``: nobody, so what rests on it cannot be told."""
AUTHORISATION: Final = "authorisation"
_WITHIN: Final = "Within the limits."
_NO_KEY: Final = "Not looked at: no verifier key of the log was given."
_UNREADABLE: Final = "Not looked at: the file cannot be read."
_UNSIGNED: Final = "Not looked at: the signature does not hold."
_NO_ACTION: Final = "What was confirmed is not in the file, only its digest."
_OTHER_ACTION: Final = "The act in the file is not the one that was confirmed."
_SAME_ACTION: Final = "This act was confirmed, to the last field."
_NO_RECEIPT: Final = "There is no receipt in the file, so whether the evidence stands on the ledger cannot be told."
_BOUND: Final = "The ledger says that this security key was bound to an account."
_NO_WINDOW: Final = "The challenge ran for another time than one for an act does."
_OTHER_TIME: Final = "The ledger recorded this at a time at which the challenge could not be answered."
_BOUND_LATER: Final = "The ledger says that this key was bound after it signed."
_NO_ORDER: Final = "The log does not say which came first, that the key was bound or that it signed."
_MINUTE: Final = 60  # entries name the whole minute that they were recorded in
# How long after the challenge ran out its answer may come to stand on the ledger: it was in time, and then committed.
# A log that is halted takes no entry, so who proposes the next one is recorded there, behind its start and before the
# keys that were bound meanwhile (``new_shard``).
_COMMITTED_WITHIN: Final = 60
_OPENED_WITHIN: Final = {NEW_SHARD: PROPOSAL_SECONDS}
_NO_KEY_RECEIPT: Final = "There is no receipt in the file of the entry that bound the security key."


def reverify(given: bytes, trusted: Trusted) -> Verdict:
    """The verdict on an evidence file. Never raises for a bad one."""
    return fold(_checks(given, trusted), Channel.EVIDENCE)


def _checks(given: bytes, trusted: Trusted) -> Iterator[Check]:
    try:
        file = EvidenceFile.decode(given)
        proven = _proven(file)
    except DocumentError as wrong:
        yield from _unreadable(wrong.rule, str(wrong))
        return
    except CeremonyMalformed as wrong:
        yield from _unreadable(wrong.rule, wrong.detail)
        return
    yield Check(CheckId.SIZE, Result.PASS, _WITHIN)
    yield Check(CheckId.FORMAT, Result.PASS, "The file is as its format demands.")
    if isinstance(proven, IdverifyError):
        rule = {"rule": getattr(proven, "rule", proven.slug)}
        yield Check(CheckId.SIGNATURE, Result.FAIL, "The security key did not sign this in this context.", rule)
        yield from (Check(name, Result.UNKNOWN, _UNSIGNED) for name in (CheckId.ACTION, CheckId.RECEIPT, CheckId.KEY))
        return
    yield _signature(proven)
    yield _action(file, proven)
    recorded = _recorded(file, trusted)
    yield recorded if isinstance(recorded, Check) else _receipt(file, proven, recorded)
    yield _key(file, proven, trusted, None if isinstance(recorded, Check) else recorded)


def _proven(file: EvidenceFile) -> Confirmation | IdverifyError:
    """What the evidence proves, or why its signature does not hold. Raises ``CeremonyMalformed``."""
    try:
        return verify_evidence(file.evidence)
    except CeremonyMalformed:
        raise
    except IdverifyError as refused:
        return refused


def _unreadable(rule: str, why: str) -> Iterator[Check]:
    too_large = rule == "size"
    yield Check(CheckId.SIZE, Result.FAIL if too_large else Result.PASS, why if too_large else _WITHIN)
    yield Check(CheckId.FORMAT, Result.UNKNOWN if too_large else Result.FAIL, why, {"rule": rule})
    rest = (name for name in CHECKS[Channel.EVIDENCE] if name not in (CheckId.SIZE, CheckId.FORMAT))
    yield from (Check(name, Result.UNKNOWN, _UNREADABLE) for name in rest)


def _told(proven: Confirmation) -> dict[str, Any]:
    """Who signed where and when, by the hashes that stand for them: two people have two accounts and two keys."""
    key = hashlib.sha256(proven.cose_key).hexdigest()
    return {**asdict(proven.context), "origins": sorted(proven.origins), "cose_key_sha256": key}


def _signature(proven: Confirmation) -> Check:
    told = _told(proven)
    if not short_lived(proven.context):
        return Check(CheckId.SIGNATURE, Result.FAIL, _NO_WINDOW, {"rule": "window", **told})
    return Check(CheckId.SIGNATURE, Result.PASS, "A security key signed this, and its user was verified.", told)


def short_lived(context: Context) -> bool:
    """Rule ``window``: no longer than a challenge for an act may be used, so that the ledger says when it was."""
    return 0 < context.expires_at - context.issued_at <= SECONDS[Ceremony.STEP_UP]


def in_time(context: Context, confirmed: Receipt) -> bool:
    """Rule ``time``: recorded in a minute in which the challenge could be answered, or its answer be committed."""
    late = _OPENED_WITHIN.get(confirmed.record.reason or "", _COMMITTED_WITHIN)
    return context.issued_at - _MINUTE < confirmed.entry.time <= context.expires_at + late


def in_order(bound: Receipt, confirmed: Receipt) -> bool | None:
    """Rule ``order``: the key was bound before it confirmed. ``None`` where the log cannot say so."""
    one, other = bound.checkpoint.origin, confirmed.checkpoint.origin
    if one == other and confirmed.record.reason == NEW_SHARD:
        return bound.entry.index < confirmed.entry.index or None
    if one == other:
        return bound.entry.index < confirmed.entry.index
    try:
        return shard_of(one) < shard_of(other) if are_siblings(one, other) else None
    except MalformedError:
        return None


def _action(file: EvidenceFile, proven: Confirmation) -> Check:
    digest = {"action_sha256": proven.action_digest.hex()}
    if file.action is None:
        return Check(CheckId.ACTION, Result.UNKNOWN, _NO_ACTION, digest)
    if hashlib.sha256(file.action).digest() != proven.action_digest:
        return Check(CheckId.ACTION, Result.FAIL, _OTHER_ACTION, {"rule": "action-digest", **digest})
    return Check(CheckId.ACTION, Result.PASS, _SAME_ACTION, {**digest, "action": json.loads(file.action)})


def _recorded(file: EvidenceFile, trusted: Trusted) -> Receipt | Check:
    """The receipt of the entry that commits to this evidence."""
    if file.receipt is None:
        return Check(CheckId.RECEIPT, Result.UNKNOWN, _NO_RECEIPT)
    return _held(CheckId.RECEIPT, file.receipt, file.evidence, trusted, AUTHORISATION)


def _receipt(file: EvidenceFile, proven: Confirmation, found: Receipt) -> Check:
    """That it is the confirmation of this act, of that time."""
    if file.action is not None and found.record.reason != json.loads(file.action)["act"]:
        told = "The ledger names another act than the file."
        return Check(CheckId.RECEIPT, Result.FAIL, told, {"rule": "reason", "recorded": found.record.reason})
    if not in_time(proven.context, found):
        return Check(CheckId.RECEIPT, Result.FAIL, _OTHER_TIME, {"rule": "time", **_place(found)})
    return Check(CheckId.RECEIPT, Result.PASS, "The evidence stands on the public ledger.", _place(found))


def _key(file: EvidenceFile, proven: Confirmation, trusted: Trusted, confirmed: Receipt | None) -> Check:
    """That the ledger says that this key was bound to an account, and before. To whose, it says to nobody."""
    if file.key_receipt is None:
        return Check(CheckId.KEY, Result.UNKNOWN, _NO_KEY_RECEIPT)
    found = _held(CheckId.KEY, file.key_receipt, proven.cose_key, trusted, BOUND)
    if isinstance(found, Check):
        return found
    before = None if confirmed is None else in_order(found, confirmed)
    if before is False:
        return Check(CheckId.KEY, Result.FAIL, _BOUND_LATER, {"rule": "order", **_place(found)})
    if before is None and confirmed is not None:
        return Check(CheckId.KEY, Result.UNKNOWN, _NO_ORDER, _place(found))
    return Check(CheckId.KEY, Result.PASS, _BOUND, _place(found))


def _held(name: CheckId, receipt: bytes, recorded: bytes, trusted: Trusted, kind: str) -> Receipt | Check:
    """The receipt, if it holds, or the check that says why not."""
    if trusted is None:
        return Check(name, Result.UNKNOWN, _NO_KEY)
    try:
        return verify_receipt(receipt, hashlib.sha256(recorded).digest(), trusted, record_type=kind)
    except ReceiptError as wrong:
        result = Result.UNKNOWN if wrong.rule == QUORUM else Result.FAIL
        return Check(name, result, f"The receipt does not hold: {wrong}", {"rule": wrong.rule})


def _place(found: Receipt) -> dict[str, Any]:
    head, entry = found.checkpoint, found.entry
    return {"origin": head.origin, "index": entry.index, "tree_size": head.size, "recorded_at": entry.time}
