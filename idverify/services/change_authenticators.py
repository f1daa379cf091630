"""Changing the list of authenticators: two admins, who both saw which registered keys the new one refuses."""

from __future__ import annotations

from typing import Any, Final

from idverify.auth.authenticator_list import AuthenticatorList, read_list
from idverify.core import security_act
from idverify.core.action import Action
from idverify.core.policy import Principal
from idverify.errors import Conflict, Unprocessable
from idverify.services import authenticators, judgement
from idverify.services.admin_act import AdminAct, Agreed, Done
from idverify.services.office import Office
from idverify.services.security_acts import deed
from idverify.stores.transaction import Transaction

ACT: Final = "change-authenticator-list"
_NOT_NEXT: Final = "The list of authenticators has changed since this was proposed. Look at it, and propose it again."


async def action(office: Office, listed: AuthenticatorList) -> Action:
    """What both admins confirm: the whole list, and that it is the next version."""
    version = (await authenticators.current(office.store)).version + 1
    return Action(ACT, None, {"version": version, "document": listed.to_json()})


def listed_in(wanted: Action) -> AuthenticatorList:
    """The list that an action puts in force. Raises ``Unprocessable``."""
    if wanted.subject is not None or wanted.content.keys() != {"version", "document"}:
        raise Unprocessable("A change of the list must have the members version and document, and no subject.")
    listed = read_list(wanted.content["document"])
    if listed.to_json() != wanted.content["document"]:
        raise Unprocessable("Write models and fingerprints in lower case, as the service shows them.")
    return listed


async def _check(office: Office, _admin: Principal, wanted: Action) -> None:
    listed = listed_in(wanted)
    version: Any = wanted.content["version"]
    if type(version) is not int or version != (await authenticators.current(office.store)).version + 1:
        raise Conflict(_NOT_NEXT)
    refused = await judgement.refused_in(office, listed)
    if refused and not await judgement.leaves_two_admins(office, refused):
        raise Conflict(judgement.LOCKED_OUT)


async def _carry_out(office: Office, wanted: Action, agreed: Agreed, _transaction: Transaction) -> Done:
    row = authenticators.list_row(
        wanted.content["version"], listed_in(wanted), agreed.proposed_by, office.clock.now()
    ) | {
        "approved_by": agreed.approved_by,
        "authorisation_id": agreed.authorisation,
        "approval_id": agreed.approval,
    }
    made = deed(security_act.AUTHENTICATORS_CHANGED, row, office.entropy)
    return Done((authenticators.inserting(row),), made)


async def _afterwards(office: Office) -> None:
    await judgement.judge_again(office)


CHANGE: Final = AdminAct(_check, _carry_out, _afterwards)
