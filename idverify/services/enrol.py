"""Enrolling: a one-time code lets a person register a security key, and with it an account.

Staff and organisations get a link: made on the command line, by ``up`` for the first officers, or by an admin.
Citizens get a slip from an officer at the counter. A code opens nothing but the registration of one key, and only
once. The key signs its owner in at once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from idverify.auth import account_numbers, enrolment_codes, options
from idverify.auth.key_policy import require_taken
from idverify.auth.webauthn import RegisteredKey, check_registration
from idverify.core import security_act
from idverify.core.action import Action
from idverify.core.credential_type import Purpose
from idverify.core.policy import Act, Principal, Role, name_as_read, require_may, require_person
from idverify.errors import CeremonyRefused, Conflict, Gone, KeyAlreadyRegistered, NotFound, TooManyKeys, Unprocessable
from idverify.ledger.commitment import Record
from idverify.ports import Clock, Entropy, uuid7
from idverify.services import step_up
from idverify.services.ceremonies import (
    CHALLENGE_BYTES,
    SECONDS,
    Beginning,
    Ceremony,
    Given,
    burn,
    credentials,
    expectation,
    keep,
    succeeded,
)
from idverify.services.office import Office
from idverify.services.people import about, look, read
from idverify.services.records import act, entry
from idverify.services.security_acts import deed
from idverify.services.sessions import Opened, open_session, replaced
from idverify.services.waiting import commit_or_wait
from idverify.stores import queries, tables
from idverify.stores.store import Store
from idverify.stores.writes import Change, Consume, Insert, Recorded, Write, WriteSet

LINK_SECONDS: Final = 15 * 60
SLIP_SECONDS: Final = 7 * 86_400
USER_HANDLE_BYTES: Final = 64
MOST_NAME: Final = 100
_UNKNOWN: Final = "There is no such code. Check every character, or ask for a new one."
_USED: Final = "This code was used, or replaced by a newer one. Sign in with your key, or ask for a new code."
_EXPIRED: Final = "This code has expired. Ask for a new one."
_TAKEN: Final = "Somebody with this name is enrolled already. Give a name that tells you apart."


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
    """A one-time code, shown this once; good until ``expires_at`` (Unix seconds)."""

    code: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A code that can still be used: for whom, and whether they give their name."""

    id: bytes
    invited: Invited
    person: bytes | None
    asks_name: bool


async def invite(store: Store, clock: Clock, entropy: Entropy, invited: Invited, created_by: str) -> Invitation:
    """A link for staff or an organisation, made where only the operator can: on the command line and by ``up``."""
    _require_sensible(invited)
    invitation, row = _invitation(clock.now(), entropy, invited, created_by, LINK_SECONDS)
    right = Insert(tables.enrolment, {**row, "id": uuid7(clock, entropy)})
    done = deed(security_act.ENROLMENT_MADE, row, entropy)
    work = WriteSet((right,), act(entropy, None, deed=done))
    await (commit_or_wait(store, work) if _may_wait(invited) else store.commit(work))
    return invitation


async def invite_staff(office: Office, admin: Principal, invited: Invited, given: Given | None) -> Invitation:
    """A link for staff or an organisation, made by an admin with their security key."""
    require_may(admin, Act.ENROL_STAFF)
    _require_sensible(invited)
    confirmed = await step_up.require(office, admin, Action("enrol-staff", None, invited.to_json()), given)
    invitation, row = _invitation(office.clock.now(), office.entropy, invited, admin.actor, LINK_SECONDS)
    right = Insert(tables.enrolment, {**row, "id": office.new_id(), "authorisation_id": confirmed.id})
    done = deed(security_act.ENROLMENT_MADE, row, office.entropy)
    await office.store.commit(WriteSet((*confirmed.writes(None), right), confirmed.entries(office, deed=done)))
    return invitation


async def invite_citizen(office: Office, officer: Principal, handle: bytes, given: Given | None) -> Invitation:
    """A code for the person at the counter; for one who has an account already, it adds a key to it."""
    require_may(officer, Act.ENROL_CITIZENS)
    require_person(officer)
    person = await read(office, handle)
    confirmed = await step_up.require(office, officer, Action("enrol-citizen", handle.hex()), given)
    invited = Invited(Role.CITIZEN)
    invitation, row = _invitation(office.clock.now(), office.entropy, invited, officer.actor, SLIP_SECONDS)
    row |= {"id": office.new_id(), "person_id": person.id, "authorisation_id": confirmed.id}
    whom = person.id, person.key
    entries = confirmed.entries(office, whom, deed(security_act.ENROLMENT_MADE, row, office.entropy, whom))
    older = cancelling({"person_id": person.id}, office.clock.now())
    seen = look(office, officer, person.id, "enrolment", "made")
    writes = (*confirmed.writes(whom), older, Insert(tables.enrolment, row), seen)
    await office.store.commit(WriteSet(writes, entries))
    return invitation


async def look_up(office: Office, code: str) -> Enrolment:
    """What a code is good for. Raises ``NotFound``, ``Conflict`` if it was used, ``Gone`` if it expired."""
    row: Any = await office.store.fetch_one(queries.ENROLMENT, {"code_hash": enrolment_codes.code_hash(code)})
    if row is None:
        raise NotFound(_UNKNOWN)
    if row["consumed_at"] is not None:
        raise Conflict(_USED)
    if row["expires_at"] <= office.clock.now():
        raise Gone(_EXPIRED)
    role = Role(row["role"])
    invited = Invited(role, row["actor"], None if row["purpose"] is None else Purpose(row["purpose"]))
    return Enrolment(row["id"], invited, row["person_id"], row["actor"] is None and role is not Role.CITIZEN)


async def begin(office: Office, code: str, name: str | None, *, shared_computer: bool = False) -> Beginning:
    """Start registering a key with a code; ``name`` where the enrolment asks for it."""
    enrolment = await look_up(office, code)
    _require_recordable(office, enrolment)
    actor = await _named(office, enrolment, name)
    account = await _account_of(office, enrolment)
    user_handle = office.entropy(USER_HANDLE_BYTES) if account is None else account["user_handle"]
    known = [] if account is None else await office.store.fetch(queries.SECURITY_KEYS, {"account_id": account["id"]})
    now, challenge = office.clock.now(), office.entropy(CHALLENGE_BYTES)
    bound = {"enrolment_id": enrolment.id, "user_handle": user_handle}
    handle = await keep(office, Ceremony.ENROL, challenge, now, **bound)
    asked = options.creation_options(
        office.deployment.rp_id,
        office.deployment.name,
        user_handle,
        user_name(enrolment.invited.role, actor, user_handle),
        challenge,
        credentials(known),
        office.key_policies[enrolment.invited.role],
        shared_computer=shared_computer,
    )
    return Beginning(handle, asked, now + SECONDS[Ceremony.ENROL])


async def finish(
    office: Office,
    code: str,
    name: str | None,
    given: Given,
    key_name: str,
    replacing: str | None = None,
    *,
    shared_computer: bool = False,
) -> Opened:
    """Register the key, make the account unless there is one, and sign its owner in: all of it or nothing.

    ``replacing`` is the session token that came along; that session ends.
    """
    enrolment = await look_up(office, code)
    actor = await _named(office, enrolment, name)
    account: Any = await _account_of(office, enrolment)
    with office.tally.ceremony(Ceremony.ENROL):
        ceremony = await burn(office, Ceremony.ENROL, given.ceremony)
        if ceremony["enrolment_id"] != enrolment.id:
            raise CeremonyRefused("enrolment")
        if account is not None and account["user_handle"] != ceremony["user_handle"]:  # made by another slip meanwhile
            raise CeremonyRefused("user-handle")
        registered = check_registration(expectation(office, ceremony["challenge"]), given.response)
    if account is not None:
        await require_room(office, account["id"], Role(account["role"]))
    writes: list[Write] = [_used(enrolment, office.clock.now()), succeeded(office, ceremony)]
    if account is None:
        account = _account_row(office, enrolment, actor, ceremony["user_handle"])
        writes.append(Insert(tables.account, account, Conflict(_TAKEN)))
    key = key_row(office, account["id"], Role(account["role"]), registered, key_name)
    opened, session = open_session(office, account, key["id"], shared_computer=shared_computer)
    writes += [Insert(tables.security_key, key, already_registered()), session]
    if enrolment.person is not None:
        writes.append(look(office, opened.principal, enrolment.person, "enrolment", "registered"))
    if replacing is not None:
        writes.append(replaced(office, replacing))
    entries = await key_entries(office, "authenticator.bound", registered.cose_key, enrolment.person)
    work = WriteSet(tuple(writes), entries)
    await (commit_or_wait(office.store, work) if _may_wait(enrolment.invited) else office.store.commit(work))
    office.tally.session_opened(opened.principal.role)
    return opened


def _may_wait(invited: Invited) -> bool:
    """Whether the ledger may hear of it later: admins open the log that follows a halted one, and it takes two."""
    return invited.role is Role.ADMIN


def _require_recordable(office: Office, enrolment: Enrolment) -> None:
    """Raises ``LogHalted`` before a key is made that could not be registered."""
    if not _may_wait(enrolment.invited):
        office.log_book.require_open()


async def require_room(office: Office, account: bytes, role: Role) -> list[Any]:
    """The account's keys. Raises ``TooManyKeys`` if there can be no more of them."""
    held = await office.store.fetch(queries.SECURITY_KEYS, {"account_id": account})
    if len(held) >= office.key_policies[role].most_keys:
        raise TooManyKeys
    return held


def user_name(role: Role, actor: str | None, user_handle: bytes) -> str:
    """What the key's own list shows. Nothing of a person: a citizen's accounts are told apart by a short reference."""
    return f"{role.value} {user_handle[:3].hex()}" if actor is None else actor


def key_row(office: Office, account: bytes, role: Role, registered: RegisteredKey, name: str) -> dict[str, Any]:
    """The row of a key just registered, if the role's policy takes it. ``name`` is what its owner calls it."""
    require_taken(office.key_policies[role], registered)
    return {
        "id": office.new_id(),
        "handle": office.new_handle(),
        "account_id": account,
        "credential_id": registered.credential_id,
        "cose_key": registered.cose_key,
        "algorithm": registered.algorithm,
        "sign_count": registered.sign_count,
        "backup_eligible": int(registered.backup_eligible),
        "backed_up": int(registered.backed_up),
        "aaguid": registered.aaguid,
        "transports": " ".join(registered.transports),
        "attestation_format": registered.attestation_format,
        "policy_version": office.key_policies[role].version,
        "name": require_key_name(name),
        "created_at": office.clock.now(),
        "last_used_at": None,
        "removed_at": None,
    }


def require_key_name(name: str) -> str:
    """What somebody calls a key. Raises ``Unprocessable`` for what cannot be shown."""
    tidy = " ".join(name.split())
    if not 1 <= len(tidy) <= 60 or not tidy.isprintable():
        raise Unprocessable("A key's name must be 1 to 60 printable characters, such as: blue key.")
    return tidy


def already_registered() -> KeyAlreadyRegistered:
    """The refusal of a key that is on record."""
    return KeyAlreadyRegistered("This security key is registered here already. Sign in with it, or use another key.")


async def key_entries(
    office: Office, record_type: str, cose_key: bytes, person_id: bytes | None
) -> tuple[Recorded, ...]:
    """The ledger's entries of a key that was bound to an account, or removed from it."""
    whom, record = await about(office, person_id), Record(record_type, hashlib.sha256(cose_key).digest())
    return *act(office.entropy, whom), entry(record, office.entropy, whom)


def _invitation(
    now: int, entropy: Entropy, invited: Invited, created_by: str, seconds: int
) -> tuple[Invitation, dict[str, Any]]:
    code = enrolment_codes.make(entropy)
    row = {
        "code_hash": enrolment_codes.code_hash(code),
        **invited.to_json(),
        "person_id": None,
        "created_by": created_by,
        "authorisation_id": None,
        "created_at": now,
        "expires_at": now + seconds,
        "consumed_at": None,
    }
    return Invitation(code, now + seconds), row


def _require_sensible(invited: Invited) -> None:
    if invited.role is Role.CITIZEN:
        raise Unprocessable("Citizens are enrolled by an officer at the counter, from their record.")
    if (invited.role is Role.RELYING_PARTY) != (invited.purpose is not None):
        raise Unprocessable("A relying party needs a purpose; nobody else has one.")
    if invited.role is Role.RELYING_PARTY and invited.actor is None:  # or it could call itself another
        raise Unprocessable("A relying party needs a name from whoever invites it.")
    if invited.actor is not None:
        require_name(invited.actor)


def require_name(name: str) -> str:
    """The name of an officer or organisation. Raises ``Unprocessable`` for what cannot be shown."""
    tidy = " ".join(name.split())
    if not 1 <= len(tidy) <= MOST_NAME or not tidy.isprintable():
        raise Unprocessable(f"A name must be 1 to {MOST_NAME} printable characters.")
    return tidy


async def _named(office: Office, enrolment: Enrolment, given: str | None) -> str | None:
    """The name that the account will have. Raises ``Unprocessable`` without one, ``Conflict`` for one that is taken."""
    if enrolment.invited.role is Role.CITIZEN:
        return None
    name = require_name(enrolment.invited.actor or given or "")
    if enrolment.invited.role is not Role.RELYING_PARTY and await _is_taken(office, name):
        raise Conflict(_TAKEN)
    return name


async def _is_taken(office: Office, name: str) -> bool:
    return await office.store.fetch_one(queries.ACCOUNT_NAMED, {"name_as_read": name_as_read(name)}) is not None


async def _account_of(office: Office, enrolment: Enrolment) -> Any:
    if enrolment.person is None:
        return None
    return await office.store.fetch_one(queries.ACCOUNT_OF_PERSON, {"person_id": enrolment.person})


def _account_row(office: Office, enrolment: Enrolment, actor: str | None, user_handle: bytes) -> dict[str, Any]:
    staff = enrolment.invited.role in (Role.OFFICER, Role.ADMIN)
    return {
        "id": office.new_id(),
        "handle": office.new_handle(),
        "user_handle": user_handle,
        **enrolment.invited.to_json(),
        "actor": actor,
        "name_as_read": name_as_read(actor) if staff and actor is not None else None,
        "person_id": enrolment.person,
        "number": account_numbers.make(office.entropy),
        "created_by": enrolment.id.hex(),
        "created_at": office.clock.now(),
        "ended_at": None,
    }


def cancelling(whose: dict[str, bytes | str], at: int) -> Change:
    """Makes every code that waits for its use useless: those of a person, or those that somebody made."""
    return Change(tables.enrolment, {**whose, "consumed_at": None}, {"consumed_at": at})


def _used(enrolment: Enrolment, at: int) -> Consume:
    return Consume(
        tables.enrolment, enrolment.id, at, used=Conflict(_USED), expired=Gone(_EXPIRED), unknown=NotFound(_UNKNOWN)
    )
