"""Who may do what: roles, the rule of two people, and when a credential may be issued."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from idverify.core.credential import day_rounded
from idverify.core.credential_type import CredentialType, Purpose, Runs
from idverify.core.decision import PersonStatus
from idverify.errors import NotAllowed, Unprocessable


class Role(StrEnum):
    """Roles of those who call the service."""

    OFFICER = "officer"
    RELYING_PARTY = "relying-party"
    ADMIN = "admin"


class Act(StrEnum):
    """Acts that need a role."""

    KEEP_PEOPLE = "keep-people"
    DECIDE = "decide"
    OFFER = "offer"
    VERIFY = "verify"
    REQUEST_PRESENTATION = "request-presentation"


ALLOWED: Mapping[Role, frozenset[Act]] = {
    Role.OFFICER: frozenset({Act.KEEP_PEOPLE, Act.DECIDE, Act.OFFER, Act.VERIFY, Act.REQUEST_PRESENTATION}),
    Role.RELYING_PARTY: frozenset({Act.VERIFY, Act.REQUEST_PRESENTATION}),
    Role.ADMIN: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling. ``actor`` names the human or organisation behind the key; one actor may hold several keys."""

    id: str
    actor: str
    role: Role
    purpose: Purpose | None


def require_may(principal: Principal, act: Act) -> None:
    """Raises ``NotAllowed`` unless the principal's role includes the act."""
    if act not in ALLOWED[principal.role]:
        roles = " or ".join(role.value for role in Role if act in ALLOWED[role])
        raise NotAllowed(f"This needs the role {roles}; your key has the role {principal.role.value}.")


def require_second_person(proposer: str, approver: Principal) -> None:
    """Raises ``NotAllowed`` if the approver is the proposer: two people, not two keys of one."""
    if _person_named(approver.actor) == _person_named(proposer):
        raise NotAllowed("Whoever proposed this cannot approve it. Another officer must.")


def _person_named(actor: str) -> str:
    """A name as people read it: spaces, case and look-alike forms make nobody a second person."""
    return " ".join(unicodedata.normalize("NFKC", actor).casefold().split())


def require_active(status: PersonStatus) -> None:
    """Raises ``Unprocessable`` unless the person holds a status now."""
    if status is not PersonStatus.ACTIVE:
        raise Unprocessable(f"A credential needs an active status; this person's is {status.value}.")


def may_issue(kind: CredentialType, status: PersonStatus, runs: Runs, at: int) -> int:
    """When the copy expires (Unix seconds), or ``Unprocessable`` if nothing may be issued now.

    A copy never outlives the permission it speaks of.
    """
    require_active(status)
    if runs.start > at:
        raise Unprocessable("The permission has not begun; a credential can be collected from its first day on.")
    technical = day_rounded(at) + kind.valid_for
    expires = technical if runs.end is None else min(technical, runs.end)
    if expires <= at:
        raise Unprocessable("The permission has ended; a credential needs one that still runs.")
    return expires
