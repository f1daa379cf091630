"""One-time codes: whoever has one registers one security key with it, once, and opens nothing else.

Staff and organisations get a link: made on the command line, by ``up`` for the first officers, or by an admin; where
it takes two admins, each of them hands over a part of the code (``admin_act``).
Citizens get a slip from an officer at the counter. Whoever lost their keys comes back by the same mechanism: by a code
that they printed (``recovery_codes``), by a slip that works a day later, or by a link that others made
(``restore_access``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from idverify.auth import enrolment_codes
from idverify.core import security_act
from idverify.core.action import Action
from idverify.core.credential_type import Purpose
from idverify.core.names import require_name
from idverify.core.policy import Act, Principal, Role, require_may, require_person
from idverify.errors import Unprocessable
from idverify.ports import Clock, Entropy, uuid7
from idverify.services import notices, step_up
from idverify.services.cancelling import cancelling
from idverify.services.ceremonies import Given
from idverify.services.doors import Doors
from idverify.services.notices import NoticeKind
from idverify.services.office import Office
from idverify.services.people import look, read
from idverify.services.records import act
from idverify.services.security_acts import deed
from idverify.services.waiting import commit_or_wait
from idverify.stores import queries, tables
from idverify.stores.store import Store
from idverify.stores.writes import Write, WriteSet

MINUTE: Final = 60
DAY: Final = 86_400


class Kind(StrEnum):
    """What a code was made for."""

    LINK = "link"
    SLIP = "slip"
    RE_PROOFING = "re-proofing"
    RECOVERY_CODE = "recovery-code"


@dataclass(frozen=True, slots=True)
class Terms:
    """A code works ``delay`` seconds after it was made, for ``seconds``.

    ``account`` says whether it adds a key to an account that there is (``True``), makes one (``False``), or either.
    """

    seconds: int
    delay: int = 0
    account: bool | None = None


# A day is what the owner has to see the notice and cancel, and what somebody who lost every key can wait.
TERMS: Final[Mapping[Kind, Terms]] = {
    Kind.LINK: Terms(15 * MINUTE),
    Kind.SLIP: Terms(7 * DAY, account=False),
    Kind.RE_PROOFING: Terms(7 * DAY, delay=DAY, account=True),
    Kind.RECOVERY_CODE: Terms(5 * 365 * DAY, account=True),
}


@dataclass(frozen=True, slots=True)
class Invited:
    """Who may enrol. Without ``actor`` the person gives their name; ``purpose`` goes with relying parties."""

    role: Role
    actor: str | None = None
    purpose: Purpose | None = None

    def to_json(self) -> dict[str, str | None]:
        """As an action says it."""
        return {"role": self.role.value, "actor": self.actor, "purpose": self.purpose and self.purpose.value}


@dataclass(frozen=True, slots=True)
class Invitation:
    """A one-time code, shown this once; good from ``not_before`` (if it is set) until ``expires_at`` (Unix seconds)."""

    code: str
    expires_at: int
    not_before: int | None = None


@dataclass(frozen=True, slots=True)
class SecondPart:
    """The second part of a one-time code, shown this once: with the first, good until ``expires_at`` (Unix seconds).

    Whoever proposed it to another admin has the first.
    """

    part: str
    expires_at: int


async def invite(
    store: Store, doors: Doors, clock: Clock, entropy: Entropy, invited: Invited, created_by: str
) -> Invitation:
    """A link for staff or an organisation, made where only the operator can: on the command line and by ``up``."""
    _require_sensible(invited)
    invitation, row = one_time_code(clock, entropy, Kind.LINK, invited, created_by)
    done = deed(security_act.ENROLMENT_MADE, row, entropy)
    work = WriteSet((doors.inserting(tables.enrolment, row),), act(entropy, None, deed=done))
    await (commit_or_wait(store, work) if may_wait(invited) else store.commit(work))
    return invitation


async def invite_organisation(office: Office, admin: Principal, invited: Invited, given: Given | None) -> Invitation:
    """A link for an organisation, made by an admin with their security key. For staff see ``enrol_staff``."""
    require_may(admin, Act.ENROL_STAFF)
    _require_sensible(invited)
    if invited.role is not Role.RELYING_PARTY:
        raise Unprocessable("Officers and admins are enrolled by two admins: propose it.")
    action = Action("enrol-organisation", None, invited.to_json())
    confirmed = await step_up.require(office, admin, action, given)
    invitation, row = one_time_code(office.clock, office.entropy, Kind.LINK, invited, admin.actor)
    right = office.doors.inserting(tables.enrolment, {**row, "authorisation_id": confirmed.id})
    done = deed(security_act.ENROLMENT_MADE, row, office.entropy)
    await office.store.commit(WriteSet((*confirmed.writes(None), right), confirmed.entries(office, deed=done)))
    return invitation


async def invite_citizen(office: Office, officer: Principal, handle: bytes, given: Given | None) -> Invitation:
    """A code for the person at the counter. Where they have an account it adds a key to it, a day later.

    The account's owner is told meanwhile, wherever they are signed in, and can cancel it (``reproofing``).
    """
    require_may(officer, Act.ENROL_CITIZENS)
    require_person(officer)
    person = await read(office, handle)
    account: Any = await office.store.fetch_one(queries.ACCOUNT_OF_PERSON, {"person_id": person.id})
    kind = Kind.SLIP if account is None else Kind.RE_PROOFING
    action = Action("enrol-citizen", handle.hex(), {"kind": kind.value})
    confirmed = await step_up.require(office, officer, action, given)
    invitation, row = one_time_code(office.clock, office.entropy, kind, Invited(Role.CITIZEN), officer.actor)
    row |= {"person_id": person.id, "authorisation_id": confirmed.id}
    about = person.id, person.key
    writes: list[Write] = [*confirmed.writes(about), cancelling({"person_id": person.id}, row["created_at"])]
    if account is not None:
        row["account_id"] = account["id"]
        writes.append(notices.telling(office, account["id"], NoticeKind.RE_PROOFING_ASKED, row["id"]))
    writes += [office.doors.inserting(tables.enrolment, row), look(office, officer, person.id, "enrolment", "made")]
    entries = confirmed.entries(office, about, deed(security_act.ENROLMENT_MADE, row, office.entropy, about))
    await office.store.commit(WriteSet(tuple(writes), entries))
    return invitation


def one_time_code(
    clock: Clock, entropy: Entropy, kind: Kind, invited: Invited, created_by: str
) -> tuple[Invitation, dict[str, Any]]:
    """A fresh code, and its row, which holds no more than its hash."""
    code = enrolment_codes.make(entropy)
    row = _row(clock, entropy, kind, invited, created_by, enrolment_codes.code_hash(code))
    return Invitation(code, row["expires_at"], row["not_before"]), row


def second_part(
    clock: Clock, entropy: Entropy, invited: Invited, created_by: str, first_part: bytes
) -> tuple[SecondPart, dict[str, Any]]:
    """A fresh second part, and the row of the whole code; ``first_part`` is the hash of another admin's."""
    part = enrolment_codes.make_second_part(entropy)
    code_hash = enrolment_codes.hash_of_parts(first_part, part)
    row = _row(clock, entropy, Kind.LINK, invited, created_by, code_hash)
    return SecondPart(part, row["expires_at"]), row


def _row(
    clock: Clock, entropy: Entropy, kind: Kind, invited: Invited, created_by: str, code_hash: bytes
) -> dict[str, Any]:
    now, terms = clock.now(), TERMS[kind]
    works_from = now + terms.delay
    return {
        "id": uuid7(clock, entropy),
        "code_hash": code_hash,
        **invited.to_json(),
        "person_id": None,
        "created_by": created_by,
        "authorisation_id": None,
        "proposed_by_account": None,
        "created_at": now,
        "expires_at": works_from + terms.seconds,
        "consumed_at": None,
        "kind": kind.value,
        "account_id": None,
        "not_before": works_from if terms.delay else None,
    }


def may_wait(invited: Invited) -> bool:
    """Whether the ledger may hear of it later: admins open the log that follows a halted one, and it takes two."""
    return invited.role is Role.ADMIN


def _require_sensible(invited: Invited) -> None:
    if invited.role is Role.CITIZEN:
        raise Unprocessable("Citizens are enrolled by an officer at the counter, from their record.")
    if (invited.role is Role.RELYING_PARTY) != (invited.purpose is not None):
        raise Unprocessable("A relying party needs a purpose; nobody else has one.")
    if invited.role is Role.RELYING_PARTY and invited.actor is None:  # or it could call itself another
        raise Unprocessable("A relying party needs a name from whoever invites it.")
    if invited.actor is not None:
        require_name(invited.actor)
