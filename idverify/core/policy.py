"""Who may do what: roles, the rule of two people, and when a credential may be issued."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from idverify.core.credential import day_rounded
from idverify.core.credential_type import CredentialType, Purpose, Runs
from idverify.core.decision import PersonStatus
from idverify.core.names import name_as_read
from idverify.errors import NotAllowed, SecondKeyNeeded, Unprocessable


class Role(StrEnum):
    """Roles of those who call the service."""

    OFFICER = "officer"
    RELYING_PARTY = "relying-party"
    ADMIN = "admin"
    CITIZEN = "citizen"


class Act(StrEnum):
    """Acts that need a role."""

    KEEP_PEOPLE = "keep-people"
    DECIDE = "decide"
    OFFER = "offer"
    PRINT_LETTERS = "print-letters"
    VERIFY = "verify"
    REQUEST_PRESENTATION = "request-presentation"
    ENROL_CITIZENS = "enrol-citizens"
    ENROL_STAFF = "enrol-staff"
    KEEP_API_KEYS = "keep-api-keys"
    SEE_USAGE = "see-usage"
    READ_METRICS = "read-metrics"
    SEE_OWN_RECORD = "see-own-record"
    COLLECT = "collect"
    ERASE = "erase"
    KEEP_LEDGER = "keep-ledger"
    EXPORT_EVIDENCE = "export-evidence"
    RETIRE_COPY = "retire-copy"
    PRINT_CODES = "print-codes"
    RESTORE_COLLEAGUES = "restore-colleagues"
    ADMINISTER = "administer"
    KEEP_AUTHENTICATORS = "keep-authenticators"


ALLOWED: Mapping[Role, frozenset[Act]] = {
    Role.OFFICER: frozenset(
        {
            Act.KEEP_PEOPLE,
            Act.DECIDE,
            Act.OFFER,
            Act.PRINT_LETTERS,
            Act.VERIFY,
            Act.REQUEST_PRESENTATION,
            Act.ENROL_CITIZENS,
            Act.EXPORT_EVIDENCE,
        }
    ),
    Role.RELYING_PARTY: frozenset(
        {
            Act.VERIFY,
            Act.REQUEST_PRESENTATION,
            Act.KEEP_API_KEYS,
            Act.SEE_USAGE,
            Act.PRINT_CODES,
            Act.RESTORE_COLLEAGUES,
        }
    ),
    Role.ADMIN: frozenset(
        {
            Act.ENROL_STAFF,
            Act.KEEP_API_KEYS,
            Act.READ_METRICS,
            Act.ERASE,
            Act.KEEP_LEDGER,
            Act.EXPORT_EVIDENCE,
            Act.ADMINISTER,
            Act.KEEP_AUTHENTICATORS,
        }
    ),
    Role.CITIZEN: frozenset({Act.SEE_OWN_RECORD, Act.COLLECT, Act.RETIRE_COPY, Act.PRINT_CODES}),
}


_SECOND_OFFICER: Final = "Whoever proposed this cannot approve it. Another officer must."
_SECOND_ADMIN: Final = "Whoever proposed this cannot approve it. Another administrator must."


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person at the other end, by row ids: their account, this session, the security key that opened it.

    ``person`` is set for citizens: the person that the account belongs to. ``active`` is whether the account has had
    as many keys as its role needs: before that it manages its own keys and sessions, and nothing else. On a
    ``shared_computer`` nothing of theirs may stay behind.
    """

    account: bytes
    session: bytes
    security_key: bytes
    person: bytes | None
    active: bool
    shared_computer: bool = False


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling. ``actor`` names the human or organisation; one actor may hold several keys.

    ``signed_in`` is set for people, and ``None`` for programs, which call with an API key.
    """

    id: str
    actor: str
    role: Role
    purpose: Purpose | None
    signed_in: SignedIn | None = None


def require_may(principal: Principal, act: Act) -> None:
    """Raises ``NotAllowed`` unless the principal's role includes the act, and their account is active."""
    if act not in ALLOWED[principal.role]:
        roles = " or ".join(role.value for role in Role if act in ALLOWED[role])
        raise NotAllowed(f"This needs the role {roles}; yours is {principal.role.value}.")
    if principal.signed_in is not None and not principal.signed_in.active:
        raise SecondKeyNeeded


def require_person(principal: Principal) -> SignedIn:
    """Who is at the other end. Raises ``NotAllowed`` for a program: no API key can confirm an act."""
    if principal.signed_in is None:
        raise NotAllowed("This must be confirmed with a security key, so a person must sign in; an API key cannot.")
    return principal.signed_in


def require_second_person(proposer: str, proposer_account: bytes | None, approver: Principal) -> None:
    """Raises ``NotAllowed`` if the approver is the proposer: two people, not two accounts of one."""
    same_account = require_person(approver).account == proposer_account
    if same_account or name_as_read(approver.actor) == name_as_read(proposer):
        raise NotAllowed(_SECOND_ADMIN if approver.role is Role.ADMIN else _SECOND_OFFICER)


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
