"""Enrolling: with a one-time code a person registers a security key, for a new account or for one that they have.

A code opens nothing but the registration of one key, and only once. The key signs its owner in at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from idverify.auth import account_numbers, enrolment_codes
from idverify.auth.webauthn import check_registration
from idverify.core.credential_type import Purpose
from idverify.core.names import name_as_read, require_name
from idverify.core.policy import Role
from idverify.core.security_act import REMOVED, with_code
from idverify.errors import (
    CeremonyRefused,
    Conflict,
    Gone,
    NotFound,
    NotYet,
)
from idverify.services import new_key, notices
from idverify.services.ceremonies import (
    Beginning,
    Ceremony,
    Given,
    burn,
    expectation,
    succeeded,
)
from idverify.services.first_admins import end_of_the_first
from idverify.services.invite import TERMS, Invited, Kind, may_wait
from idverify.services.notices import NoticeKind
from idverify.services.office import Office
from idverify.services.people import look
from idverify.services.security_acts import bound_entries, key_entries
from idverify.services.sessions import Opened, ending, open_session, replaced
from idverify.services.waiting import apply_or_wait
from idverify.stores import queries, tables
from idverify.stores.store import Store
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Change, Consume, Insert, Write, WriteSet

_UNKNOWN: Final = "There is no such code. Check every character, or ask for a new one."
_USED: Final = "This code was used, or replaced by a newer one. Sign in with your key, or ask for a new code."
_CANCELLED: Final = NoticeKind.RE_PROOFING_CANCELLED.value
_WAS_CANCELLED: Final = "The account's owner cancelled this code, so it opens nothing. Ask at a counter for a new one."
_EXPIRED: Final = "This code has expired. Ask for a new one."
_TAKEN: Final = "Somebody with this name is enrolled already. Give a name that tells you apart."
_HAS_ACCOUNT: Final = "This code was for a first key, and there is one. Sign in with it, or ask for a new code."
_ENDED: Final = "The account that this code was for has ended."
STAFF: Final = frozenset({Role.OFFICER, Role.ADMIN})

# What the owner of an account is told when a code added a key to it
_TOLD: Final = {
    Kind.LINK: NoticeKind.KEY_ADDED,
    Kind.RE_PROOFING: NoticeKind.RE_PROOFING_USED,
    Kind.RECOVERY_CODE: NoticeKind.RECOVERY_CODE_USED,
}


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A code that can be used now: for whom, and whether they give their name.

    ``account`` is the row of one that there is already, ``agreed`` the confirmation by whoever made or approved it.
    """

    id: bytes
    kind: Kind
    invited: Invited
    person: bytes | None
    account: Any
    asks_name: bool
    agreed: bytes | None

    @property
    def restores_staff(self) -> bool:
        """Whether two admins confirmed that every key of this account is lost."""
        return self.kind is Kind.LINK and self.account is not None and self.invited.role in STAFF


async def look_up(office: Office, code: str) -> Enrolment:
    """What a code is good for.

    Raises ``NotFound``, ``Conflict`` if it was used or cancelled, ``Gone`` if it expired or its account ended,
    ``NotYet``.
    """
    row: Any = await office.store.fetch_one(queries.ENROLMENT, {"code_hash": enrolment_codes.code_hash(code)})
    if row is None or not office.doors.holds(tables.enrolment, row):
        raise NotFound(_UNKNOWN)
    if row["consumed_at"] is not None:
        cancelled = await office.store.fetch_one(queries.NOTICE_ABOUT, {"about": row["id"], "kind": _CANCELLED})
        raise Conflict(_USED if cancelled is None else _WAS_CANCELLED)
    if row["expires_at"] <= office.clock.now():
        raise Gone(_EXPIRED)
    if row["not_before"] is not None and row["not_before"] > office.clock.now():
        raise NotYet(row["not_before"])
    kind, account = _kind_of(row), await _account_of(office, row)
    if account is not None and TERMS[kind].account is False:
        raise Conflict(_HAS_ACCOUNT)
    if account is not None and account["ended_at"] is not None:
        raise Gone(_ENDED)
    role = Role(row["role"])
    if account is not None and account["role"] != role:
        raise NotFound(_UNKNOWN)
    invited = Invited(role, row["actor"], None if row["purpose"] is None else Purpose(row["purpose"]))
    person = row["person_id"] if account is None else account["person_id"]
    asks_name = row["actor"] is None and role is not Role.CITIZEN
    return Enrolment(row["id"], kind, invited, person, account, asks_name, row["authorisation_id"])


async def begin(office: Office, code: str, name: str | None, *, shared_computer: bool = False) -> Beginning:
    """Start registering a key with a code; ``name`` where the enrolment asks for it."""
    enrolment = await look_up(office, code)
    _require_recordable(office, enrolment)
    actor, account = await _named(office, enrolment, name), enrolment.account
    user_handle = enrolment_codes.user_handle(code) if account is None else account["user_handle"]
    held = [] if account is None else await office.store.fetch(queries.SECURITY_KEYS, {"account_id": account["id"]})
    return await new_key.ask(
        office,
        Ceremony.ENROL,
        enrolment.invited.role,
        actor,
        user_handle,
        held,
        shared_computer=shared_computer,
        enrolment_id=enrolment.id,
    )


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

    ``replacing`` is the session token that came along; that session ends. Those of the account's other keys go on:
    their owner is told there, and ends them with the key that was lost (docs/decisions/0014). Where two admins
    confirmed that all of them were lost, they are removed, and their sessions end. However many were lost, a code adds
    one.
    """
    enrolment = await look_up(office, code)
    actor = await _named(office, enrolment, name)
    account = enrolment.account
    with office.tally.ceremony(Ceremony.ENROL):
        ceremony = await burn(office, Ceremony.ENROL, given.ceremony)
        if ceremony["enrolment_id"] != enrolment.id:
            raise CeremonyRefused("enrolment")
        if account is not None and account["user_handle"] != ceremony["user_handle"]:
            raise CeremonyRefused("user-handle")
        registered = check_registration(expectation(office, ceremony["challenge"]), given.response)
    writes: list[Write] = [_used(enrolment, office.clock.now()), succeeded(office, ceremony)]
    if account is None:
        account = _account_row(office, enrolment, actor, ceremony["user_handle"])
        writes.append(Insert(tables.account, account, Conflict(_TAKEN)))
    key = await new_key.insertion(office, account, registered, key_name)
    opened, session = open_session(office, account, key.row["id"], shared_computer=shared_computer)
    writes += [key, session]
    if enrolment.account is not None:
        writes += _came_back(office, enrolment, key.row["id"], session.row["id"])
    if enrolment.person is not None:
        writes.append(look(office, opened.principal, enrolment.person, "enrolment", "registered"))
    if replacing is not None:
        writes.append(replaced(office, replacing))
    if enrolment.invited.role in STAFF and enrolment.agreed is not None:
        writes += await _proposer_told(office, enrolment)
    entries = await bound_entries(office, account, registered.cose_key, with_code(enrolment_codes.code_hash(code)))
    await office.store.write(partial(_carry_out, office, enrolment, WriteSet(tuple(writes), entries)))
    office.tally.session_opened(opened.principal.role)
    return opened


async def _carry_out(office: Office, enrolment: Enrolment, work: WriteSet, transaction: Transaction) -> None:
    """Runs on the writer: no key that was lost is added between finding them and removing them."""
    gone: list[WriteSet] = []
    if enrolment.restores_staff:
        held = await transaction.fetch(queries.SECURITY_KEYS, {"account_id": enrolment.account["id"]})
        gone = [await _lost(office, key) for key in held]
    for each in (*gone, work):
        await (apply_or_wait(transaction, each) if may_wait(enrolment.invited) else transaction.apply(each))
    if enrolment.invited.role is Role.ADMIN:
        await end_of_the_first(transaction, office.clock.now())


async def _lost(office: Office, key: Any) -> WriteSet:
    """A key of staff that two admins confirmed as lost is removed, and its sessions end."""
    now = office.clock.now()
    removed = Change(tables.security_key, {"id": key["id"], "removed_at": None}, {"removed_at": now})
    entries = await key_entries(office, REMOVED, key["cose_key"], None)
    return WriteSet((removed, ending({"security_key_id": key["id"]}, now)), entries)


async def _proposer_told(office: Office, enrolment: Enrolment) -> list[Write]:
    """Whoever proposed this to another admin learns that it was used; they handed a part of the code over."""
    proposed: Any = await office.store.fetch_one(queries.PROPOSED_WITH, {"approval": enrolment.agreed})
    if proposed is None:
        return []
    return [notices.telling(office, proposed["account_id"], NoticeKind.STAFF_ENROLLED, enrolment.id)]


def _came_back(office: Office, enrolment: Enrolment, key: bytes, session: bytes) -> list[Write]:
    """What else is true once a code has added a key to an account: it is open still, and its owner is told."""
    account, now = enrolment.account["id"], office.clock.now()
    return [
        Change(tables.account, {"id": account, "ended_at": None}, {"ended_at": None}, Gone(_ENDED)),
        Change(tables.notice, {"about": enrolment.id, "account_id": account, "seen_at": None}, {"seen_at": now}),
        notices.telling(office, account, _TOLD[enrolment.kind], key, session),
    ]


def _require_recordable(office: Office, enrolment: Enrolment) -> None:
    """Raises ``LogHalted`` before a key is made that could not be registered."""
    if not may_wait(enrolment.invited):
        office.log_book.require_open()


async def _named(office: Office, enrolment: Enrolment, given: str | None) -> str | None:
    """The name that the account has or will have.

    Raises ``Unprocessable`` without one, ``Conflict`` for one that is taken.
    """
    if enrolment.account is not None or enrolment.invited.role is Role.CITIZEN:
        return enrolment.invited.actor
    name = require_name(enrolment.invited.actor or given or "")
    if enrolment.invited.role is not Role.RELYING_PARTY:
        await require_free(office.store, name)
    return name


async def require_free(store: Store, name: str) -> None:
    """Raises ``Conflict`` for a name that a member of staff has, or had: records name them by it."""
    if await store.fetch_one(queries.ACCOUNT_NAMED, {"name_as_read": name_as_read(name)}) is not None:
        raise Conflict(_TAKEN)


def _kind_of(row: Any) -> Kind:
    """A code that was made before there were kinds is a link or a slip."""
    if row["kind"] is None:
        return Kind.LINK if row["person_id"] is None else Kind.SLIP
    return Kind(row["kind"])


async def _account_of(office: Office, row: Any) -> Any:
    if row["account_id"] is not None:
        return await office.store.fetch_one(queries.ACCOUNT, {"id": row["account_id"]})
    if row["person_id"] is not None:
        return await office.store.fetch_one(queries.ACCOUNT_OF_PERSON, {"person_id": row["person_id"]})
    return None


def _account_row(office: Office, enrolment: Enrolment, actor: str | None, user_handle: bytes) -> dict[str, Any]:
    staff, now = enrolment.invited.role in STAFF, office.clock.now()
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
        "created_at": now,
        "ended_at": None,
        "active_since": now if office.key_policies[enrolment.invited.role].least_keys <= 1 else None,
    }


def _used(enrolment: Enrolment, at: int) -> Consume:
    return Consume(
        tables.enrolment, enrolment.id, at, used=Conflict(_USED), expired=Gone(_EXPIRED), unknown=NotFound(_UNKNOWN)
    )
