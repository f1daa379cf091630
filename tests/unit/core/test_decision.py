"""Which decision can be taken on whom, and where it leads."""

from __future__ import annotations

from itertools import product

import pytest

from idverify.core.decision import (
    EFFECTS,
    REASONS,
    CopyStatus,
    DecisionKind,
    PersonStatus,
    require_reason,
    transition,
)
from idverify.errors import Unprocessable

NONE, ACTIVE, SUSPENDED, REVOKED = PersonStatus
VALID, INVALID, ON_HOLD = CopyStatus.VALID, CopyStatus.INVALID, CopyStatus.SUSPENDED

# Everything that may happen: (decision, status before) -> (status after, existing copies, two people, permission)
ALLOWED = {
    (DecisionKind.GRANT, NONE): (ACTIVE, INVALID, False, True),
    (DecisionKind.GRANT, REVOKED): (ACTIVE, INVALID, True, True),
    (DecisionKind.VARY, ACTIVE): (ACTIVE, INVALID, True, True),
    (DecisionKind.SUSPEND, ACTIVE): (SUSPENDED, ON_HOLD, True, False),
    (DecisionKind.REINSTATE, SUSPENDED): (ACTIVE, VALID, True, False),
    (DecisionKind.REVOKE, ACTIVE): (REVOKED, INVALID, True, False),
    (DecisionKind.REVOKE, SUSPENDED): (REVOKED, INVALID, True, False),
}


@pytest.mark.parametrize(("kind", "status"), sorted(ALLOWED))
def test_what_may_be_decided(kind: DecisionKind, status: PersonStatus) -> None:
    """Each allowed decision leads where the table says, and takes what the table says."""
    effect = transition(kind, status)

    assert (effect.leads_to, effect.copies, effect.two_people, effect.carries_permission) == ALLOWED[kind, status]


@pytest.mark.parametrize(("kind", "status"), sorted(set(product(DecisionKind, PersonStatus)) - ALLOWED.keys()))
def test_what_may_not_be_decided(kind: DecisionKind, status: PersonStatus) -> None:
    """Every other decision is refused in a sentence that names the status there is and the one it needs."""
    with pytest.raises(Unprocessable, match=f"to {kind.value} needs a person .* this one's is {status.value}"):
        transition(kind, status)


def test_only_two_people_take_rights_away() -> None:
    """Whatever makes an active person less than active takes two people."""
    alone = {kind for kind, effect in EFFECTS.items() if not effect.two_people}

    assert {EFFECTS[kind].leads_to for kind in alone} == {ACTIVE}


def test_reasons_are_a_closed_list() -> None:
    """A reason that belongs to another kind of decision is refused, and the sentence lists those that fit."""
    for kind, other in product(DecisionKind, DecisionKind):
        for reason in REASONS[other]:
            if reason in REASONS[kind]:
                require_reason(kind, reason)
            else:
                with pytest.raises(Unprocessable, match=next(iter(REASONS[kind]))):
                    require_reason(kind, reason)


def test_every_reason_is_a_sentence() -> None:
    """Each kind of decision has reasons, and each reads as a sentence to the person it concerns."""
    assert REASONS.keys() == EFFECTS.keys() == set(DecisionKind)
    assert all(text.endswith(".") and text[0].isupper() for reasons in REASONS.values() for text in reasons.values())
