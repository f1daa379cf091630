"""The check RECEIPT: what came along stands on the issuer's ledger, by the receipts that came with it.

A credential has one entry (``credential.issued``), the letter around it another (``letter.made``). Which of them a
receipt is about it says itself; that it is about this very document or letter is what is checked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from idverify.core.trust import TrustedIssuer
from idverify.core.verdict import Check, CheckId, Result
from idverify.errors import DocumentError
from idverify.formats.base import Presented
from idverify.formats.x509 import key_id
from idverify.ledger.errors import ReceiptError
from idverify.ledger.policy import Policies, Policy
from idverify.ledger.receipt import OBJECT, QUORUM, Receipt, said_type, verify_receipt
from idverify.services.letter_checks import Seen
from idverify.services.others_logs import is_somebody_else, policies_of
from idverify.services.records import CREDENTIAL_ISSUED, LETTER_MADE

_UNWITNESSED: Final = Check(
    CheckId.RECEIPT,
    Result.NOT_APPLICABLE,
    "Its receipt is older than the witnesses that are asked for now. The holder can fetch it anew.",
    {"rule": QUORUM},
)
_NO_RECEIPT: Final = Check(CheckId.RECEIPT, Result.NOT_APPLICABLE, "No receipt came with it; none is required.")
_NO_LOG: Final = Check(
    CheckId.RECEIPT, Result.UNKNOWN, "Not looked at: the ledger of its issuer is not known here.", {"rule": "log-known"}
)
_SIGNER_UNKNOWN: Final = Check(CheckId.RECEIPT, Result.UNKNOWN, "Not looked at: its signer is not known.")
_PASSED: Final[Mapping[str, str]] = {
    CREDENTIAL_ISSUED: "It stands on the issuer's public ledger.",
    LETTER_MADE: "The letter, as it was signed, stands on the issuer's public ledger.",
}

Trusted = Policy | Policies


def check(
    ours: Trusted, presented: Presented, issuer: TrustedIssuer | None, seen: Seen | None, given: bytes | None
) -> Check:
    """Of the receipt that was ``given`` and, in a letter, of the one embedded: every one of them must hold.

    ``ours`` are the logs of whoever checks; another ``issuer`` has logs of its own.
    """
    embedded = None if seen is None else seen.letter.receipt
    receipts = [one for one in dict.fromkeys((embedded, given)) if one is not None]
    if not receipts:
        return _NO_RECEIPT
    trusted = ours
    if issuer is not None and is_somebody_else(issuer):
        if not issuer.log_policies:
            return _NO_LOG
        trusted = policies_of(issuer.log_policies)
    if not presented.signing_chain:
        return _SIGNER_UNKNOWN
    held: list[Receipt] = []
    for receipt in receipts:
        try:
            held.append(_held(trusted, presented, seen, receipt))
        except (ReceiptError, DocumentError) as wrong:
            if wrong.rule != QUORUM:  # which is as good as none: whoever shows it may leave it away
                return Check(CheckId.RECEIPT, Result.FAIL, f"The receipt does not hold: {wrong}", {"rule": wrong.rule})
    return _passed(held) if held else _UNWITNESSED


def _passed(held: list[Receipt]) -> Check:
    first, *further = [_place(one) for one in held]
    evidence = first | ({"further": further} if further else {})
    return Check(CheckId.RECEIPT, Result.PASS, _PASSED[held[-1].record.type], evidence)


def _place(held: Receipt) -> dict[str, Any]:
    tree = held.checkpoint
    return {"entry": held.record.type, "origin": tree.origin, "index": held.entry.index, "tree_size": tree.size}


def _held(trusted: Trusted, presented: Presented, seen: Seen | None, receipt: bytes) -> Receipt:
    if seen is not None and said_type(receipt) == LETTER_MADE:
        return _of_letter(trusted, presented, seen, receipt)
    return _of_copy(trusted, presented, receipt)


def _of_copy(trusted: Trusted, presented: Presented, receipt: bytes) -> Receipt:
    return verify_receipt(
        receipt,
        hashlib.sha256(presented.issuer_signed).digest(),
        trusted,
        kid=key_id(presented.signing_chain[0]),
        status=_status(presented),
        record_type=CREDENTIAL_ISSUED,
    )


def _of_letter(trusted: Trusted, presented: Presented, seen: Seen, receipt: bytes) -> Receipt:
    """The revision that its signature covers, by this signer, of this copy, with this code."""
    signed = seen.letter.signature
    held = verify_receipt(
        receipt,
        hashlib.sha256(memoryview(seen.letter.pdf)[: signed.size]).digest(),
        trusted,
        kid=key_id(seen.leaf),
        status=_status(presented),
        record_type=LETTER_MADE,
    )
    if held.record.decision != hashlib.sha256(seen.code.issuer_signed).digest():
        raise ReceiptError(OBJECT, "the letter was recorded with another code than stands on it")
    return held


def _status(presented: Presented) -> tuple[str, int] | None:
    return None if presented.status is None else (presented.status.uri, presented.status.index)
