"""The ledger's entries of acts that bear on who may do what here."""

from __future__ import annotations

import hashlib
from typing import Any

from idverify.core.security_act import BOUND, ENROLMENT_MADE, account_digest, object_digest
from idverify.ledger.commitment import Record
from idverify.ports import Entropy
from idverify.services.office import Office
from idverify.services.people import about
from idverify.services.records import About, act, entry
from idverify.stores.writes import Recorded


def deed(kind: str, row: Any, entropy: Entropy, about: About | None = None, reason: str | None = None) -> Recorded:
    """The entry of an act of this kind on this row. That of a code names it, so that an audit finds the row again."""
    named = row["code_hash"] if kind == ENROLMENT_MADE else None
    return entry(Record(kind, object_digest(kind, row), reason=reason, decision=named), entropy, about)


def key_entry(entropy: Entropy, record_type: str, cose_key: bytes, about: About | None = None) -> Recorded:
    """The entry of what became of a security key; it stands behind the two of the act."""
    return entry(Record(record_type, hashlib.sha256(cose_key).digest()), entropy, about)


async def bound_entries(office: Office, account: Any, cose_key: bytes, by: str) -> tuple[Recorded, ...]:
    """The ledger's entries of a key that was bound to this account (its row), with nobody's confirmation.

    ``by`` is what gave the right to it: ``security_act.with_code`` or ``with_confirmation``.
    """
    whom = await about(office, account["person_id"])
    record = Record(BOUND, hashlib.sha256(cose_key).digest(), reason=by, decision=account_digest(account))
    return *act(office.entropy, whom), entry(record, office.entropy, whom)


async def key_entries(
    office: Office, record_type: str, cose_key: bytes, person_id: bytes | None
) -> tuple[Recorded, ...]:
    """The ledger's entries of a key that was suspended, or taken from its account, with nobody's confirmation."""
    whom = await about(office, person_id)
    return *act(office.entropy, whom), key_entry(office.entropy, record_type, cose_key, whom)
