"""A person's own security keys: see them, name them, add another, remove one that was lost."""

from __future__ import annotations

from typing import Any

from idverify.auth.webauthn import check_registration
from idverify.core.action import Action
from idverify.core.policy import ALLOWED, Act, Principal, Role, require_person
from idverify.core.security_act import REMOVED, with_confirmation
from idverify.errors import CeremonyRefused, NotFound, OnlyKey, TooManyKeys
from idverify.services import new_key, notices, recovery_codes, step_up
from idverify.services.ceremonies import (
    Beginning,
    Ceremony,
    Given,
    burn,
    expectation,
    succeeded,
)
from idverify.services.notices import NoticeKind
from idverify.services.office import Office
from idverify.services.people import about
from idverify.services.security_acts import bound_entries, key_entries
from idverify.services.sessions import activated, ending, still_signed_in
from idverify.services.step_up import Authorisation
from idverify.stores import queries, tables
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Change, WriteSet


async def mine(office: Office, principal: Principal) -> list[Any]:
    """Rows of the caller's keys in use, oldest first; one has the id that ``principal.signed_in`` names."""
    account = require_person(principal).account
    return await office.store.fetch(queries.SECURITY_KEYS, {"account_id": account})


async def account(office: Office, principal: Principal) -> Any:
    """The row of the caller's account."""
    return await office.store.fetch_one(queries.ACCOUNT, {"id": require_person(principal).account})


async def begin_adding(office: Office, principal: Principal, given: Given | None) -> Beginning:
    """Start registering another key; the one at hand confirms it first."""
    person = require_person(principal)
    held = await mine(office, principal)
    _require_room(office, held, principal.role)
    confirmed = await step_up.require(office, principal, Action("add-security-key"), given)
    await _record(office, principal, confirmed)
    own = await account(office, principal)
    return await new_key.ask(
        office,
        Ceremony.ADD_KEY,
        principal.role,
        own["actor"],
        own["user_handle"],
        held,
        shared_computer=person.shared_computer,
        account_id=person.account,
        session_id=person.session,
        authorisation_handle=confirmed.handle,
    )


async def finish_adding(office: Office, principal: Principal, given: Given, name: str) -> None:
    """Register another key of the caller."""
    person = require_person(principal)
    with office.tally.ceremony(Ceremony.ADD_KEY):
        ceremony = await burn(office, Ceremony.ADD_KEY, given.ceremony)
        if (ceremony["account_id"], ceremony["session_id"]) != (person.account, person.session):
            raise CeremonyRefused("session")
        registered = check_registration(expectation(office, ceremony["challenge"]), given.response)
    own = await account(office, principal)
    key = await new_key.insertion(office, own, registered, name)
    entries = await bound_entries(office, own, registered.cose_key, with_confirmation(ceremony["authorisation_handle"]))
    told = notices.telling(office, person.account, NoticeKind.KEY_ADDED, key.row["id"], person.session)
    writes = (*still_signed_in(person), key, told, succeeded(office, ceremony))

    async def if_there_is_room(transaction: Transaction) -> None:
        held = await transaction.fetch(queries.SECURITY_KEYS, {"account_id": person.account})
        _require_room(office, held, principal.role)
        await transaction.apply(WriteSet(writes, entries))

    await office.store.write(if_there_is_room)
    await activated(office, person.account, principal.role)


async def rename(office: Office, principal: Principal, key: bytes, name: str) -> None:
    """Call a key something else. ``key`` is its handle."""
    mine_alone = {"handle": key, "account_id": require_person(principal).account, "removed_at": None}
    named = Change(tables.security_key, mine_alone, {"name": new_key.require_key_name(name)}, _unknown())
    await office.store.commit(WriteSet((named,)))


async def remove(office: Office, principal: Principal, key: bytes, given: Given | None) -> None:
    """Remove a key and end the sessions that it opened.

    The last key that works goes only where a printed code is left to come back by: nobody locks themselves out.
    """
    person = require_person(principal)
    row = next((held for held in await mine(office, principal) if held["handle"] == key), None)
    if row is None:
        raise _unknown()
    which = {"name": row["name"], "created_at": row["created_at"]}
    confirmed = await step_up.require(office, principal, Action("remove-security-key", key.hex(), which), given)
    *_, removed = await key_entries(office, REMOVED, row["cose_key"], person.person)
    now = office.clock.now()
    gone = Change(tables.security_key, {"id": row["id"], "removed_at": None}, {"removed_at": now}, _unknown())
    told = notices.telling(office, person.account, NoticeKind.KEY_REMOVED, row["id"], person.session)
    whom = await about(office, person.person)
    work = WriteSet(
        (*confirmed.writes(whom), gone, ending({"security_key_id": row["id"]}, now), told),
        (*confirmed.entries(office, whom), removed),
    )

    async def unless_nothing_is_left(transaction: Transaction) -> None:
        usable = await transaction.fetch(queries.USABLE_KEYS, {"account_id": person.account})
        others = [held for held in usable if held["id"] != row["id"]]
        if not others and not await recovery_codes.any_left(transaction, person.account, now):
            raise OnlyKey(_only_key(principal))
        await transaction.apply(work)

    await office.store.write(unless_nothing_is_left)


def _only_key(principal: Principal) -> str:
    if Act.PRINT_CODES in ALLOWED[principal.role]:
        return "This is your only key. Add another one, or print recovery codes, before you remove it."
    return "This is your only key. Add another one before you remove it."


def _require_room(office: Office, held: list[Any], role: Role) -> None:
    """Raises ``TooManyKeys`` if an account that holds these keys can have no more of them."""
    if len(held) >= office.key_policies[role].most_keys:
        raise TooManyKeys


async def _record(office: Office, principal: Principal, confirmed: Authorisation) -> None:
    whom = await about(office, require_person(principal).person)
    await office.store.commit(WriteSet(confirmed.writes(whom), confirmed.entries(office, whom)))


def _unknown() -> NotFound:
    return NotFound("You have no such key.")
