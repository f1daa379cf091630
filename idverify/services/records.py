"""Ledger entries as services make them: a commitment for the public, its opening for the holder."""

from __future__ import annotations

from typing import Final

from idverify.ledger.commitment import SALT_SIZE, Record, commitment
from idverify.ledger.entry import Draft, EntryType
from idverify.ports import Entropy
from idverify.stores.vault import PersonKey, place
from idverify.stores.writes import Recorded

# The true types inside commitments, and the coarse public type that each shows (DESIGN section 3, "Privacy").
ENTRY_TYPES: Final = {
    "credential.issued": EntryType.CREDENTIAL,
    "credential.suspended": EntryType.STATUS,
    "credential.valid": EntryType.STATUS,
    "credential.invalid": EntryType.STATUS,
    "issuance.void": EntryType.STATUS,
    "decision.grant": EntryType.ADMINISTRATION,
    "decision.vary": EntryType.ADMINISTRATION,
    "decision.suspend": EntryType.ADMINISTRATION,
    "decision.reinstate": EntryType.ADMINISTRATION,
    "decision.revoke": EntryType.ADMINISTRATION,
    "key.active": EntryType.KEY,
    "authenticator.bound": EntryType.KEY,
    "authenticator.removed": EntryType.KEY,
    "authorisation": EntryType.ADMINISTRATION,
}


def about_person(record: Record, handle: bytes, person_id: bytes, key: PersonKey, entropy: Entropy) -> Recorded:
    """An entry about a person: its opening rests sealed under the person's key and goes when the key goes."""
    salt = entropy(SALT_SIZE)
    draft = Draft(ENTRY_TYPES[record.type], handle, commitment(salt, record))
    sealed = key.seal(salt + record.encode(), opening_place(handle))
    return Recorded(draft, record.type, sealed, person_id)


def about_ourselves(record: Record, handle: bytes, entropy: Entropy) -> Recorded:
    """An entry that speaks of nobody: keys, openings of which may be shown to an auditor."""
    salt = entropy(SALT_SIZE)
    return Recorded(
        Draft(ENTRY_TYPES[record.type], handle, commitment(salt, record)), record.type, salt + record.encode()
    )


def public_object(entry_type: EntryType, name: str, handle: bytes, digest: bytes) -> Recorded:
    """An entry whose object is published anyway: its digest is the plain SHA-256."""
    return Recorded(Draft(entry_type, handle, digest), name, b"")


def split_opening(opening: bytes) -> tuple[bytes, Record]:
    """Salt and record of an unsealed opening."""
    return opening[:SALT_SIZE], Record.decode(opening[SALT_SIZE:])


def opening_place(handle: bytes) -> bytes:
    """Where a sealed opening belongs."""
    return place("ledger_record", "opening", handle)
