"""Decisions about a person, and the status that follows from them.

A decision is immutable: who, why, on what legal basis. A person's status is what the last decision left;
every copy of a credential follows the person's status at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from idverify.errors import Unprocessable


class DecisionKind(StrEnum):
    """What officers decide."""

    GRANT = "grant"
    VARY = "vary"
    SUSPEND = "suspend"
    REINSTATE = "reinstate"
    REVOKE = "revoke"


class PersonStatus(StrEnum):
    """What a person holds now."""

    NONE = "none"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


class CopyStatus(StrEnum):
    """What one copy of a credential is worth; the status list carries it (Token Status List, section 7.1)."""

    VALID = "valid"
    INVALID = "invalid"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Effect:
    """What a decision does: the statuses it may start from, where it leads, what becomes of existing copies."""

    starts_from: frozenset[PersonStatus]
    leads_to: PersonStatus
    copies: CopyStatus
    two_people: bool
    carries_permission: bool


EFFECTS: Mapping[DecisionKind, Effect] = {
    DecisionKind.GRANT: Effect(
        frozenset({PersonStatus.NONE, PersonStatus.REVOKED}),
        PersonStatus.ACTIVE,
        CopyStatus.INVALID,
        two_people=False,
        carries_permission=True,
    ),
    # What the old copies say is no longer so: they are superseded, and the holder collects new ones.
    DecisionKind.VARY: Effect(
        frozenset({PersonStatus.ACTIVE}),
        PersonStatus.ACTIVE,
        CopyStatus.INVALID,
        two_people=True,
        carries_permission=True,
    ),
    DecisionKind.SUSPEND: Effect(
        frozenset({PersonStatus.ACTIVE}),
        PersonStatus.SUSPENDED,
        CopyStatus.SUSPENDED,
        two_people=True,
        carries_permission=False,
    ),
    DecisionKind.REINSTATE: Effect(
        frozenset({PersonStatus.SUSPENDED}),
        PersonStatus.ACTIVE,
        CopyStatus.VALID,
        two_people=True,
        carries_permission=False,
    ),
    DecisionKind.REVOKE: Effect(
        frozenset({PersonStatus.ACTIVE, PersonStatus.SUSPENDED}),
        PersonStatus.REVOKED,
        CopyStatus.INVALID,
        two_people=True,
        carries_permission=False,
    ),
}

# Closed lists: a reason that is not here is a reason nobody can contest.
REASONS: Mapping[DecisionKind, Mapping[str, str]] = {
    DecisionKind.GRANT: {
        "application-granted": "The application was granted.",
        "appeal-allowed": "An appeal was allowed.",
        "right-by-law": "The right follows from the law.",
    },
    DecisionKind.VARY: {
        "conditions-changed": "The conditions of the permission changed.",
        "extended": "The permission was extended.",
        "error-corrected": "A mistake in the record was corrected.",
    },
    DecisionKind.SUSPEND: {
        "under-review": "The permission is under review.",
        "fraud-suspected": "A false statement or document is suspected.",
    },
    DecisionKind.REINSTATE: {
        "review-closed": "The review ended in the person's favour.",
        "error-corrected": "A mistake in the record was corrected.",
    },
    DecisionKind.REVOKE: {
        "permission-cancelled": "The permission was cancelled by decision.",
        "fraud-found": "It was obtained by a false statement or document.",
        "left-for-good": "The person left for good or became a citizen.",
        "deceased": "The person has died.",
        "error-corrected": "A mistake in the record was corrected.",
    },
}


def transition(kind: DecisionKind, now: PersonStatus) -> Effect:
    """The effect of this decision on a person of this status. Raises ``Unprocessable`` if it cannot be taken."""
    effect = EFFECTS[kind]
    if now not in effect.starts_from:
        allowed = " or ".join(sorted(effect.starts_from))
        raise Unprocessable(
            f"A decision to {kind.value} needs a person whose status is {allowed}; this one's is {now.value}."
        )
    # What two people decided is not undone by one.
    return replace(effect, two_people=True) if now is PersonStatus.REVOKED else effect


def require_reason(kind: DecisionKind, reason: str) -> None:
    """Raises ``Unprocessable`` unless the reason code belongs to this kind of decision."""
    if reason not in REASONS[kind]:
        listed = ", ".join(REASONS[kind])
        raise Unprocessable(f"The reason for a decision to {kind.value} must be one of: {listed}; got {reason!r}.")
