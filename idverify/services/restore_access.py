"""A code for whoever lost every key and has no counter to go to: it adds a key to the account that they have.

For a person of an organisation somebody else of it makes a link, with the same purpose. For staff two admins make a
code, and each hands over one part of it; what they confirmed as lost goes when the new key comes (``enrol``).
"""

from __future__ import annotations

from typing import Any, Final

from idverify.core import security_act
from idverify.core.action import Action
from idverify.core.credential_type import Purpose
from idverify.core.policy import Act, Principal, Role, require_may, require_person
from idverify.errors import Conflict, NotFound
from idverify.services import enrol, notices, step_up
from idverify.services.admin_act import AdminAct, Agreed, Done, first_part_of
from idverify.services.cancelling import cancelling
from idverify.services.ceremonies import Given
from idverify.services.invite import Invitation, Invited, Kind, one_time_code, second_part
from idverify.services.notices import NoticeKind
from idverify.services.office import Office
from idverify.services.security_acts import deed
from idverify.stores import queries, tables
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Recorded, Write, WriteSet

ACT: Final = "restore-access"
_NOT_LOST: Final = "Whoever can sign in has not lost every key."


def action(account: Any) -> Action:
    """What a colleague confirms."""
    return Action(ACT, account["handle"].hex(), {"role": account["role"], "actor": account["actor"]})


def staff_action(account: Any, first_part: bytes) -> Action:
    """What two admins confirm; ``first_part`` is the hash of what whoever proposes it hands over."""
    whose = action(account)
    return Action(ACT, whose.subject, {**whose.content, "first_part": first_part.hex()})


async def colleagues(office: Office, partner: Principal) -> list[Any]:
    """Rows of the other accounts of the caller's organisation, for the same purpose, oldest first.

    ``last_used_at`` is when somebody last signed in to one.
    """
    require_may(partner, Act.RESTORE_COLLEAGUES)
    own = require_person(partner).account
    asked = {"role": partner.role.value, "actor": partner.actor, "purpose": partner.purpose}
    return [row for row in await office.store.fetch(queries.ACCOUNTS_OF_ORGANISATION, asked) if row["id"] != own]


async def restore_colleague(office: Office, partner: Principal, handle: bytes, given: Given | None) -> Invitation:
    """A link for somebody of the same organisation."""
    account = next((row for row in await colleagues(office, partner) if row["handle"] == handle), None)
    if account is None:
        raise NotFound("There is no such account.")
    confirmed = await step_up.require(office, partner, action(account), given)
    invitation, row = one_time_code(office.clock, office.entropy, Kind.LINK, _invited(account), partner.actor)
    writes, done = _restored(office, account, row, confirmed.id)
    await office.store.commit(WriteSet((*confirmed.writes(None), *writes), confirmed.entries(office, deed=done)))
    return invitation


async def staff_account(office: Office, wanted: Action) -> Any:
    """The row of the account of staff that two admins are to restore. Raises as ``require_as_said``."""
    return require_as_said(await office.store.fetch_one(queries.ACCOUNT_BY_HANDLE, _asked(wanted)), wanted)


def require_as_said(account: Any, wanted: Action) -> Any:
    """The account's row, if every word of the action is true of it.

    Raises ``NotFound`` for no such account, ``Conflict`` if it has ended or the action says anything else of it,
    ``Unprocessable`` for no first part.
    """
    if account is None or account["role"] not in enrol.STAFF:
        raise NotFound("There is no such account.")
    if account["ended_at"] is not None or staff_action(account, first_part_of(wanted)) != wanted:
        raise Conflict("This account has ended, or is not what was proposed.")
    return account


async def _check(office: Office, admin: Principal, wanted: Action) -> None:
    account = await staff_account(office, wanted)
    if account["id"] == require_person(admin).account:
        raise Conflict(_NOT_LOST)


async def _carry_out(office: Office, wanted: Action, agreed: Agreed, transaction: Transaction) -> Done:
    rows = await transaction.fetch(queries.ACCOUNT_BY_HANDLE, _asked(wanted))
    account = require_as_said(rows[0] if rows else None, wanted)
    invited, first = _invited(account), first_part_of(wanted)
    part, row = second_part(office.clock, office.entropy, invited, agreed.approved_by, first)
    row |= {"proposed_by_account": agreed.proposed_by_account}
    writes, done = _restored(office, account, row, agreed.approval)
    return Done(writes, done, second_part=part)


def _asked(wanted: Action) -> dict[str, bytes]:
    return {"handle": bytes.fromhex(wanted.subject or "")}


def _invited(account: Any) -> Invited:
    purpose = None if account["purpose"] is None else Purpose(account["purpose"])
    return Invited(Role(account["role"]), account["actor"], purpose)


def _restored(
    office: Office, account: Any, code: dict[str, Any], authorisation: bytes
) -> tuple[tuple[Write, ...], Recorded]:
    """The rows to commit, and the deed to record.

    The code replaces one that was made before, and the account's owner is told wherever they are signed in.
    """
    row = code | {"account_id": account["id"], "authorisation_id": authorisation}
    older = cancelling({"account_id": account["id"], "kind": Kind.LINK.value}, row["created_at"])
    told = notices.telling(office, account["id"], NoticeKind.ACCESS_RESTORED, row["id"])
    done = deed(security_act.ENROLMENT_MADE, row, office.entropy)
    return (older, office.doors.inserting(tables.enrolment, row), told), done


RESTORE_STAFF: Final = AdminAct(_check, _carry_out)
