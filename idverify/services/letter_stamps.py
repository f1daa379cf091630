"""The time stamps of a letter: over the value of its signature (B-T), and over the document (B-LTA).

What is stamped is found in the bytes. A stamp of an authority that nobody chose proves nothing, and breaks nothing: who
wants to may add one.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any, Final

from idverify.errors import DocumentError
from idverify.formats import cms, stamped, x509
from idverify.sandbox.answers import Signature

SIGNATURE_STAMP: Final = "signature-time-stamp"  # ETSI EN 319 122-1 section 5.3
DOCUMENT_STAMP: Final = "document-time-stamp"  # ETSI EN 319 142-1 section 5.4.3
MOST_OF_SIGNATURE: Final = 4
MOST_OF_DOCUMENT: Final = 4  # each is over the whole file


class Worth(StrEnum):
    """What a stamp is worth here."""

    HELD = "held"
    NO_AUTHORITY = "no-authority"  # none is known here of this issuer's
    UNKNOWN_AUTHORITY = "unknown-authority"
    AUTHORITY_EXPIRED = "authority-expired"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Judged:
    """One stamp: ``rule`` says which kind it is, ``at`` what it says (Unix seconds), ``wrong`` why it does not hold.

    ``until`` is when its authority's certificate ends, if it is one of ours.
    """

    rule: str
    at: int
    worth: Worth
    wrong: DocumentError | None = None
    until: int = 0

    def shown(self) -> dict[str, str]:
        """As evidence."""
        return {"rule": self.rule, "at": moment(self.at), "worth": self.worth.value}


def judged(
    pdf: bytes, signature: Signature, documents: Sequence[Signature], relied: stamped.Relied, at: int
) -> tuple[Judged, ...]:
    """Every stamp of a letter that is checked ``at`` this time, those of its ``signature`` first, then by place.

    Raises ``DocumentError``: those of the signature cannot be read, or there are too many.
    """
    try:
        opened = cms.opened(signature.cms)
    except DocumentError as wrong:
        raise DocumentError(SIGNATURE_STAMP, f"The time stamps of the letter cannot be read: {wrong.detail}") from wrong
    if len(opened.stamps) > MOST_OF_SIGNATURE or len(documents) > MOST_OF_DOCUMENT:
        said = f"A letter may have {MOST_OF_SIGNATURE} time stamps in its signature and {MOST_OF_DOCUMENT} over it."
        raise DocumentError(DOCUMENT_STAMP if documents else SIGNATURE_STAMP, said)
    found = [
        _judge(SIGNATURE_STAMP, token, lambda name: _digest(name, opened.signature), relied, at)
        for token in opened.stamps
    ]
    for one in sorted(documents, key=lambda one: one.start):
        if one.start < signature.size:
            found.append(_broken(DOCUMENT_STAMP, "It does not cover the letter's signature."))
        else:
            found.append(_judge(DOCUMENT_STAMP, one.cms, partial(_of_document, pdf, one), relied, at))
    return tuple(_kept_up(found, at))


def _kept_up(found: Sequence[Judged], at: int) -> list[Judged]:
    """ETSI EN 319 102-1 section 5.6: who stamped the document while an earlier stamp held has kept that up.

    ``found`` are the stamps of the signature and then those over it, each of which is over all before it.
    """
    kept: list[Judged] = []
    known_at = at  # by this time, for sure, what is before was there
    for one in reversed(found):
        if one.worth is Worth.AUTHORITY_EXPIRED and known_at <= one.until:
            one = replace(one, worth=Worth.HELD)  # noqa: PLW2901  the one that is kept
        if one.rule == DOCUMENT_STAMP and one.worth is Worth.HELD:
            known_at = min(known_at, one.at)
        kept.insert(0, one)
    return kept


def _judge(rule: str, token: bytes, hashed: stamped.Hashed, relied: stamped.Relied, at: int) -> Judged:
    try:
        stamp = stamped.read(token)
        if not relied.roots:
            return Judged(rule, stamp.at, Worth.NO_AUTHORITY)
        if not stamped.is_of(stamp, relied.roots):
            return Judged(rule, stamp.at, Worth.UNKNOWN_AUTHORITY)
        stamped.require_held(stamp, hashed, relied)
    except DocumentError as wrong:
        return _broken(rule, wrong.detail)
    assert stamp.leaf is not None
    until = x509.not_after(stamp.leaf)
    return Judged(rule, stamp.at, Worth.AUTHORITY_EXPIRED if at > until else Worth.HELD, until=until)


def _broken(rule: str, why: str) -> Judged:
    return Judged(rule, 0, Worth.BROKEN, DocumentError(rule, f"A time stamp of the letter does not hold: {why}"))


def _of_document(pdf: bytes, stamp: Signature, algorithm: str) -> bytes:
    return _digest(algorithm, pdf[: stamp.start], pdf[stamp.end : stamp.size])


def proven_at(stamps: tuple[Judged, ...]) -> int | None:
    """The earliest time at which the letter's signature was there for sure (Unix seconds)."""
    return min((one.at for one in stamps if one.worth is Worth.HELD), default=None)


def signature_proven_at(stamps: tuple[Judged, ...]) -> int | None:
    """The earliest of its own stamps, by which whoever signed had it dated; ``None``: none holds.

    One over the document may be added years later, and says nothing of how late it was signed.
    """
    return proven_at(tuple(one for one in stamps if one.rule == SIGNATURE_STAMP))


def evidence(stamps: tuple[Judged, ...], claimed: int) -> dict[str, Any]:
    """What is known of when it was signed."""
    proven = proven_at(stamps)
    told: dict[str, Any] = {"time": "claimed" if proven is None else "proven", "signed_at": moment(claimed)}
    if proven is not None:
        told["proven_at"] = moment(proven)
    return told | {"time_stamps": [one.shown() for one in stamps]}


def moment(at: int) -> str:
    """A time as evidence shows it."""
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _digest(algorithm: str, *parts: bytes) -> bytes:
    made = hashlib.new(algorithm)
    for part in parts:
        made.update(part)
    return made.digest()
