"""What is held on a person, in words: the same for the officer who reads it and for whom it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from idverify.core.credential_type import Purpose
from idverify.core.decision import REASONS, CopyStatus, DecisionKind, PersonStatus
from idverify.core.person import PersonDetails
from idverify.core.policy import Role
from idverify.core.retirement import Retirement
from idverify.core.verdict import Channel
from idverify.web.pages.act_words import PURPOSES, ROLES, TYPES
from idverify.web.pages.said import Said, said
from idverify.web.pages.verdict_words import WORDS
from idverify.web.pages.words import N_

STATUSES: Final[Mapping[PersonStatus, str]] = {
    PersonStatus.NONE: N_("No permission was ever granted."),
    PersonStatus.ACTIVE: N_("The person holds a permission."),
    PersonStatus.SUSPENDED: N_("The permission is suspended. It may be reinstated."),
    PersonStatus.REVOKED: N_("The permission was revoked."),
}
DECIDED: Final[Mapping[DecisionKind, str]] = {
    DecisionKind.GRANT: N_("A permission was granted"),
    DecisionKind.VARY: N_("The permission was changed"),
    DecisionKind.SUSPEND: N_("The permission was suspended"),
    DecisionKind.REINSTATE: N_("The permission was reinstated"),
    DecisionKind.REVOKE: N_("The permission was revoked"),
}
COPIES: Final[Mapping[CopyStatus, str]] = {
    CopyStatus.VALID: N_("In force"),
    CopyStatus.INVALID: N_("Withdrawn"),
    CopyStatus.SUSPENDED: N_("Suspended"),
}
_RETIRED: Final[Mapping[Retirement, str]] = {
    Retirement.LOST: N_("Withdrawn by its holder: lost"),
    Retirement.UNWANTED: N_("Withdrawn by its holder"),
    Retirement.REPLACED: N_("Withdrawn: another copy took its place"),
}
# Of a person's details, what only some documents need; the rest has its own lines on the page
_MORE: Final = set(PersonDetails.model_fields) - {
    "family_name",
    "given_name",
    "birthdate",
    "nationalities",
    "picture",
    "travel_document",
}
_TOGETHER: Final = 3600  # seconds within which an officer who opens a record again is shown once, with how often
# How somebody looked: ``look.channel``
CHANNELS: Final[Mapping[str, str]] = {
    "record": N_("Opened the record"),
    "enrolment": N_("Made a code to register a security key"),
    "offer": N_("Offered a credential"),
    "letter": N_("A letter on paper"),
    "letter-code": N_("Made a code for a letter on paper"),
    "erasure": N_("Asked for this record to be erased"),
    "evidence": N_("Downloaded the evidence of an act on this record"),
    Channel.DOCUMENT: N_("Checked a document"),
    Channel.PAPER: N_("Checked a document on paper"),
    Channel.PRESENTATION: N_("Checked a document shown by a wallet"),
}
# What the person did themselves with the code that was made, on the same channel
_OWN_WAY: Final[Mapping[str, str]] = {
    "registered": N_("Registered a security key"),
    "cancelled": N_("Cancelled a code to register a security key"),
}
_OPENED: Final = CHANNELS["record"]
_OWN_WORK: Final = N_("The authority's own work")
# What they found: ``look.verdict``
FOUND: Final[Mapping[str, str]] = {
    "viewed": N_("Read"),
    "made": N_("Done"),
    "ordered": N_("Ordered"),
    "exported": N_("Done"),
    "registered": N_("Done"),
    "cancelled": N_("Done"),
    **{outcome.value: word for outcome, word in WORDS.items()},
}


@dataclass(frozen=True, slots=True)
class DecisionShown:
    """A decision: what, why, on what legal basis, by whom, when (Unix seconds), and its place on the ledger."""

    title: str
    reason: str
    legal_basis: str
    decided_by: str
    approved_by: str | None
    at: int
    ledger_shard: int
    ledger_index: int


@dataclass(frozen=True, slots=True)
class CopyShown:
    """A copy of a credential; times in Unix seconds. One that was withdrawn is good no longer."""

    handle: str
    type: str
    status: str
    issued_at: int
    good_until: int | None


@dataclass(frozen=True, slots=True)
class LookShown:
    """Who looked, in which role, for what purpose, how, and with what result.

    Times in Unix seconds: ``at`` is the last of ``times`` looks alike, ``since`` the first.
    """

    at: int
    actor: str
    role: str
    purpose: str | None
    channel: str
    found: str
    since: int
    times: int = 1


@dataclass(frozen=True, slots=True)
class RecordShown:
    """A record with every code in words, all newest first. The sentences are in the catalogue.

    ``more`` is what of the details only some documents say.
    """

    reference: str
    details: PersonDetails
    more: tuple[Said, ...]
    status: PersonStatus
    status_in_words: str
    decisions: tuple[DecisionShown, ...]
    copies: tuple[CopyShown, ...]
    looks: tuple[LookShown, ...]


def in_words(held: Mapping[str, Any]) -> RecordShown:
    """What ``services.people`` holds on a person, in words."""
    status = PersonStatus(held["status"])
    return RecordShown(
        held["reference"].hex(),
        held["details"],
        said(held["details"].model_dump(mode="json", include=_MORE, exclude_none=True)),
        status,
        STATUSES[status],
        tuple(_decision(row, basis) for row, basis in reversed(held["decisions"])),
        tuple(_copy(row) for row in reversed(held["credentials"])),
        _folded(_look(row) for row in reversed(held["looks"])),
    )


def _decision(row: Any, legal_basis: str) -> DecisionShown:
    kind = DecisionKind(row["kind"])
    return DecisionShown(
        DECIDED[kind],
        REASONS[kind][row["reason"]],
        legal_basis,
        row["decided_by"],
        row["approved_by"],
        row["decided_at"],
        row["ledger_shard"],
        row["ledger_index"],
    )


def _copy(row: Any) -> CopyShown:
    status = CopyStatus(row["status"])
    good_until = None if status is CopyStatus.INVALID else row["expires_at"]
    said = COPIES[status] if row["retired_for"] is None else _RETIRED[Retirement(row["retired_for"])]
    return CopyShown(row["handle"].hex(), TYPES[row["type"]], said, row["issued_at"], good_until)


def _look(row: Any) -> LookShown:
    own = _OWN_WAY.get(row["verdict"]) if row["channel"] == "enrolment" else None
    return LookShown(
        row["looked_at"],
        row["actor"],
        ROLES[Role(row["role"])],
        _purpose(row),
        own or CHANNELS[row["channel"]],
        FOUND[row["verdict"]],
        since=row["looked_at"],
    )


def _purpose(row: Any) -> str | None:
    """What for. Who looks without a purpose does the authority's work, but for a citizen's own acts."""
    if row["purpose"] is not None:
        return PURPOSES[Purpose(row["purpose"])]
    return None if row["role"] == Role.CITIZEN else _OWN_WORK


def _folded(looks: Iterable[LookShown]) -> tuple[LookShown, ...]:
    """Looks, newest first, in which nobody opens the record twice within an hour: that is one line with the number."""
    shown: list[LookShown] = []
    places: dict[tuple[str, str], int] = {}
    for look in looks:
        who = look.actor, look.role
        if look.channel == _OPENED and who in places and shown[places[who]].at - look.at <= _TOGETHER:
            later = shown[places[who]]
            shown[places[who]] = replace(later, since=look.at, times=later.times + 1)
            continue
        if look.channel == _OPENED:
            places[who] = len(shown)
        shown.append(look)
    return tuple(shown)
