"""Enrolling officers and admins: two admins make the link, so that nobody makes two people of themselves.

Each of them hands over one part of its code, so that neither can use it in the place of whom they agreed on. While
fewer than two admins are active there is nobody to agree. Until then, and only then, the operator makes links on the
command line, and those that were not used by then open nothing any more.
"""

from __future__ import annotations

from typing import Final

from idverify.core import security_act
from idverify.core.action import Action
from idverify.core.names import require_name
from idverify.core.policy import Role
from idverify.errors import Conflict, Unprocessable
from idverify.ports import Clock, Entropy
from idverify.services import enrol, invite
from idverify.services.admin_act import AdminAct, Agreed, Done, first_part_of
from idverify.services.first_admins import two_admins_are_active
from idverify.services.invite import Invitation, Invited, Kind
from idverify.services.office import Office
from idverify.services.security_acts import deed
from idverify.stores import tables
from idverify.stores.store import Store
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Insert

ACT: Final = "enrol-staff"
_TWO: Final = "Two admins are active, so a link for an officer or an admin takes them both: /admin/enrolment."


async def invite_first(store: Store, clock: Clock, entropy: Entropy, invited: Invited, created_by: str) -> Invitation:
    """A link made by the operator. Raises ``Conflict`` for staff once two admins are active."""
    if invited.role in enrol.STAFF and await two_admins_are_active(store):
        raise Conflict(_TWO)
    return await invite.invite(store, clock, entropy, invited, created_by)


def action(invited: Invited, first_part: bytes) -> Action:
    """What both admins confirm; ``first_part`` is the hash of what whoever proposes it hands over."""
    return Action(ACT, None, {**invited.to_json(), "first_part": first_part.hex()})


async def _check(office: Office, wanted: Action) -> None:
    invited = _invited(wanted)
    assert invited.actor is not None
    await enrol.require_free(office, invited.actor)


async def _carry_out(office: Office, wanted: Action, agreed: Agreed, _transaction: Transaction) -> Done:
    invited = _invited(wanted)
    first, by = first_part_of(wanted), agreed.approved_by
    invitation, row = invite.one_time_code(office.clock, office.entropy, Kind.LINK, invited, by, first)
    right = Insert(tables.enrolment, {**row, "authorisation_id": agreed.approval})
    return Done((right,), deed(security_act.ENROLMENT_MADE, row, office.entropy), invitation=invitation)


def _invited(wanted: Action) -> Invited:
    """Who is to be enrolled. Raises ``Unprocessable`` for what no page of ours proposes."""
    match dict(wanted.content):
        case {"role": Role.OFFICER | Role.ADMIN as role, "actor": str(name), "purpose": None, "first_part": _}:
            invited = Invited(Role(role), require_name(name))
            if action(invited, first_part_of(wanted)) == wanted:
                return invited
    raise Unprocessable("An officer or an admin is enrolled by role, name and first_part, and has no purpose.")


ENROL_STAFF: Final = AdminAct(_check, _carry_out)
