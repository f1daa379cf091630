"""Ledger entries as services make them: a commitment for the public, its opening for the holder.

The public sees a coarse type, and in what order coarse types follow each other. So that the order says no more than the
type, every act has one form (``docs/ledger-format.md`` section 3): two entries ``ADMINISTRATION``, the deed and its
confirmation, and behind them what it changed. Where there is nothing to say, a ``cover`` stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from idverify.core import security_act
from idverify.ledger.commitment import SALT_SIZE, Record, commitment
from idverify.ledger.entry import Draft, EntryType
from idverify.ports import Entropy
from idverify.stores.vault import PersonKey, place
from idverify.stores.writes import Recorded

HANDLE_BYTES: Final = 16
COVER: Final = "cover"
CREDENTIAL_ISSUED: Final = "credential.issued"
LETTER_MADE: Final = "letter.made"
LOG_START: Final = "log.start"
SHARD_CLOSE: Final = "shard.close"

# The true types inside commitments, and the coarse public type that each shows (DESIGN section 3, "Privacy").
ENTRY_TYPES: Final[Mapping[str, EntryType]] = {
    CREDENTIAL_ISSUED: EntryType.CREDENTIAL,
    LETTER_MADE: EntryType.CREDENTIAL,
    "credential.suspended": EntryType.STATUS,
    "credential.valid": EntryType.STATUS,
    "credential.invalid": EntryType.STATUS,
    "credential.retired": EntryType.STATUS,
    "issuance.void": EntryType.STATUS,
    security_act.SIGNING_KEY_TAKEN: EntryType.KEY,
    security_act.BOUND: EntryType.KEY,
    security_act.REMOVED: EntryType.KEY,
    security_act.SUSPENDED: EntryType.KEY,
    security_act.REINSTATED: EntryType.KEY,
    security_act.POLICY_CHANGED: EntryType.POLICY,
    security_act.METADATA_LOADED: EntryType.POLICY,
    security_act.SIGNING_KEY_RETIRED: EntryType.ADMINISTRATION,  # a deed: the key in its place stands behind it
    "decision.grant": EntryType.ADMINISTRATION,
    "decision.vary": EntryType.ADMINISTRATION,
    "decision.suspend": EntryType.ADMINISTRATION,
    "decision.reinstate": EntryType.ADMINISTRATION,
    "decision.revoke": EntryType.ADMINISTRATION,
    security_act.ACCOUNT_ENDED: EntryType.ADMINISTRATION,
    security_act.API_KEY_MADE: EntryType.ADMINISTRATION,
    security_act.API_KEY_REVOKED: EntryType.ADMINISTRATION,
    security_act.ENROLMENT_CANCELLED: EntryType.ADMINISTRATION,
    security_act.AUTHENTICATORS_CHANGED: EntryType.ADMINISTRATION,
    security_act.ENROLMENT_MADE: EntryType.ADMINISTRATION,
    security_act.ISSUERS_CHANGED: EntryType.ADMINISTRATION,
    security_act.RECOVERY_CODES_MADE: EntryType.ADMINISTRATION,
    security_act.SIGNED_OUT: EntryType.ADMINISTRATION,
    security_act.SIGNING_KEY_ORDERED: EntryType.ADMINISTRATION,
    "erasure": EntryType.ADMINISTRATION,
    "authorisation": EntryType.ADMINISTRATION,
    COVER: EntryType.ADMINISTRATION,
    # Objects that are public anyway, by their plain digest: decision 0006
    LOG_START: EntryType.LOG_START,
    "status-list.published": EntryType.STATUS_LIST,
    SHARD_CLOSE: EntryType.SHARD_CLOSE,
}
PUBLIC_TYPES: Final = frozenset({EntryType.LOG_START, EntryType.STATUS_LIST, EntryType.SHARD_CLOSE})

About = tuple[bytes, PersonKey]
"""Whom an entry is about: row id and key. ``None`` in its place is the service itself."""


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


def entry(record: Record, entropy: Entropy, about: About | None, handle: bytes | None = None) -> Recorded:
    """An entry about a person or about ourselves, under a handle that was never used."""
    handle = handle or entropy(HANDLE_BYTES)
    if about is None:
        return about_ourselves(record, handle, entropy)
    return about_person(record, handle, *about, entropy)


def cover(entropy: Entropy, about: About | None) -> Recorded:
    """An entry that says nothing, where acts of another kind say something."""
    return entry(Record(COVER, bytes(32)), entropy, about)


def act(
    entropy: Entropy,
    about: About | None,
    *,
    deed: Recorded | None = None,
    confirmation: Recorded | None = None,
) -> tuple[Recorded, Recorded]:
    """How every act begins on the ledger: the deed, and right behind it the confirmation."""
    return deed or cover(entropy, about), confirmation or cover(entropy, about)


def public_object(entry_type: EntryType, name: str, handle: bytes, digest: bytes) -> Recorded:
    """An entry whose object is published anyway: its digest is the plain SHA-256."""
    return Recorded(Draft(entry_type, handle, digest), name, b"")


def split_opening(opening: bytes) -> tuple[bytes, Record]:
    """Salt and record of an unsealed opening."""
    return opening[:SALT_SIZE], Record.decode(opening[SALT_SIZE:])


def opening_place(handle: bytes) -> bytes:
    """Where a sealed opening belongs."""
    return place("ledger_record", "opening", handle)
