"""Whether a person was told everything: the service's signed list of their entries against the receipts they hold."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from idverify.errors import DocumentError
from idverify.formats import carriers
from idverify.formats.entries_statement import Place, Statement
from idverify.formats.x509 import key_id
from idverify.ledger.description import MAXIMUM_MERGE_DELAY
from idverify.ledger.entry import MINUTE
from idverify.ledger.errors import LedgerError, ReceiptError
from idverify.ledger.policy import Policies, Policy
from idverify.ledger.receipt import QUORUM, Receipt, verify_receipt

ISSUED: Final = "credential.issued"
# An entry bears the minute it was made in, and a checkpoint covers it within the merge delay.
COVERED_WITHIN: Final = MINUTE + MAXIMUM_MERGE_DELAY  # seconds


class Finding(StrEnum):
    """What a list and the receipts that somebody holds say against each other."""

    MISSING = "missing"
    EXTRA = "extra"
    CONTRADICTING = "contradicting"
    NO_RECEIPT = "no-receipt"
    BROKEN = "broken"
    LATER = "later"
    STALE = "stale"


# What does not count against the service: what came after the list, what was never asked for.
NOT_JUDGED: Final = frozenset({Finding.NO_RECEIPT, Finding.LATER})


@dataclass(frozen=True, slots=True)
class Held:
    """A credential in a wallet, and the receipt that came with it, if it did."""

    credential: bytes
    receipt: bytes | None


@dataclass(frozen=True, slots=True)
class Found:
    """One finding, about the entry of an index (``None``: it has none that could be read)."""

    finding: Finding
    index: int | None
    detail: str


def compare(said: Statement, held: Sequence[Held], policy: Policy | Policies) -> list[Found]:
    """What does not fit between the service's list and what its holder has in hand. Asks nobody.

    *Missing*: a receipt that holds is of an entry that the list conceals. *Extra*: the list has a credential that the
    wallet does not. *Contradicting*: the same entry, told differently, or another tree of the same size.
    *Broken*: a receipt that does not hold. *Stale*: the list stops before an entry that it had to cover when it was
    made; nobody but the service says where it stops.
    """
    found, known = [], set[tuple[str, int]]()
    listed = {(place.origin, place.index): place for place in said.entries}
    for one in held:
        if one.receipt is None:
            found.append(Found(Finding.NO_RECEIPT, None, "A credential has no receipt; fetch it, then compare again."))
            continue
        try:
            receipt = _verified(one, policy)
        except (LedgerError, DocumentError) as wrong:
            if isinstance(wrong, ReceiptError) and wrong.rule == QUORUM:
                told = (
                    "A receipt is older than the witnesses that are asked for now; fetch it anew, then compare again."
                )
                found.append(Found(Finding.NO_RECEIPT, None, told))
                continue
            found.append(Found(Finding.BROKEN, None, f"A receipt does not hold: {wrong}"))
            continue
        place = (receipt.checkpoint.origin, receipt.entry.index)
        known.add(place)
        found += _judged(said, listed.get(place), receipt)
    return found + list(_unknown(said, known))


def _judged(said: Statement, place: Place | None, receipt: Receipt) -> list[Found]:
    entry, tree = receipt.entry, receipt.checkpoint
    if (tree.origin, tree.size) == (said.origin, said.size) and tree.root != said.root:
        told = "List and receipt name two trees of one size; the log shows two stories."
        return [Found(Finding.CONTRADICTING, entry.index, told)]
    if place is None:
        return [_unlisted(said, receipt)]
    recorded = (entry.handle, receipt.record.type, entry.time)
    if (place.handle, place.type, place.time) != recorded:
        told = f"The list has {place.type} of {place.time}, the receipt {receipt.record.type} of {entry.time}."
        return [Found(Finding.CONTRADICTING, entry.index, told)]
    return []


def _unlisted(said: Statement, receipt: Receipt) -> Found:
    entry = receipt.entry
    if receipt.checkpoint.origin != said.origin or entry.index < said.size:
        return Found(Finding.MISSING, entry.index, "The list conceals it; its receipt holds.")
    if entry.time + COVERED_WITHIN < said.issued_at:
        told = "It was issued well before the list was made, and the list stops before it."
        return Found(Finding.STALE, entry.index, told)
    return Found(Finding.LATER, entry.index, "It was issued after the list was made.")


def _unknown(said: Statement, known: set[tuple[str, int]]) -> Iterable[Found]:
    for place in said.entries:
        if place.type == ISSUED and (place.origin, place.index) not in known:
            yield Found(Finding.EXTRA, place.index, "The list has a credential that is not in this wallet.")


def _verified(one: Held, policy: Policy | Policies) -> Receipt:
    presented = carriers.sniff(one.credential).read(one.credential)
    status = None if presented.status is None else (presented.status.uri, presented.status.index)
    assert one.receipt is not None
    return verify_receipt(
        one.receipt,
        hashlib.sha256(presented.issuer_signed).digest(),
        policy,
        kid=key_id(presented.signing_chain[0]),
        status=status,
        record_type=ISSUED,
    )
