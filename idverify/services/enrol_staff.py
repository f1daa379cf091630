"""Enrolling officers and admins: two admins make the code, so that nobody makes two people of themselves.

Each of them hands over one part of it, so that neither can use it in the place of whom they agreed on. While
fewer than two admins are active there is nobody to agree. Until then, and only then, the operator makes links on the
command line, and those that were not used by then open nothing any more.
"""

from __future__ import annotations

from typing import Final

from idverify.core import security_act
from idverify.core.action import Action
from idverify.core.names import require_name
from idverify.core.policy import Principal, Role
from idverify.errors import Conflict, Unprocessable
from idverify.ports import Clock, Entropy
from idverify.services import enrol, invite
from idverify.services.admin_act import AdminAct, Agreed, Done, first_part_of
from idverify.services.doors import Doors
from idverify.services.first_admins import two_admins_are_active
from idverify.services.invite import Invitation, Invited
from idverify.services.office import Office
from idverify.services.security_acts import deed
from idverify.stores import tables
from idverify.stores.store import Store
from idverify.stores.transaction import Transaction

ACT: Final = "enrol-staff"
_TWO: Final = (
    "Two admins are active, so an officer or an admin is enrolled by both: one proposes it at their desk. "
    "If one of the two lost every key, the other ends that account first; then this works, under another name."
)
_FORM: Final = "An officer or an admin is enrolled by role, name and first_part, and has no purpose."
_SPACES: Final = "A name must have one space between its words, and none around them."


async def invite_first(
    store: Store, doors: Doors, clock: Clock, entropy: Entropy, invited: Invited, created_by: str
) -> Invitation:
    """A link made by the operator. Raises ``Conflict`` for staff once two admins are active, or for a taken name."""
    if invited.role in enrol.STAFF:
        if await two_admins_are_active(store):
            raise Conflict(_TWO)
        if invited.actor is not None:
            await enrol.require_free(store, invited.actor)
    return await invite.invite(store, doors, clock, entropy, invited, created_by)


def action(invited: Invited, first_part: bytes) -> Action:
    """What both admins confirm; ``first_part`` is the hash of what whoever proposes it hands over."""
    return Action(ACT, None, {**invited.to_json(), "first_part": first_part.hex()})


async def _check(office: Office, _admin: Principal, wanted: Action) -> None:
    _role, name = _invited(wanted)
    await enrol.require_free(office.store, name)


async def _carry_out(office: Office, wanted: Action, agreed: Agreed, _transaction: Transaction) -> Done:
    invited, first = Invited(*_invited(wanted)), first_part_of(wanted)
    part, row = invite.second_part(office.clock, office.entropy, invited, agreed.approved_by, first)
    row |= {"authorisation_id": agreed.approval, "proposed_by_account": agreed.proposed_by_account}
    right = office.doors.inserting(tables.enrolment, row)
    return Done((right,), deed(security_act.ENROLMENT_MADE, row, office.entropy), second_part=part)


def _invited(wanted: Action) -> tuple[Role, str]:
    """Role and name of who is to be enrolled. Raises ``Unprocessable`` for what no page of ours proposes."""
    match dict(wanted.content):
        case {"role": Role.OFFICER | Role.ADMIN as role, "actor": str(name), "purpose": None, "first_part": _}:
            if require_name(name) != name:
                raise Unprocessable(_SPACES)
            if action(Invited(Role(role), name), first_part_of(wanted)) == wanted:
                return Role(role), name
    raise Unprocessable(_FORM)


ENROL_STAFF: Final = AdminAct(_check, _carry_out)
