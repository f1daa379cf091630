"""Reinstating a suspended security key: two admins found that nothing is the matter with it."""

from __future__ import annotations

from typing import Any, Final

from idverify.core.action import Action
from idverify.core.policy import Principal
from idverify.core.security_act import REINSTATED
from idverify.errors import Conflict, NotFound
from idverify.services.admin_act import AdminAct, Agreed, Done
from idverify.services.office import Office
from idverify.services.security_acts import key_entry
from idverify.stores import queries, tables
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Change

ACT: Final = "reinstate-security-key"
_CHANGED: Final = "This key is not suspended as it was when this was proposed. Look at it again."


async def suspended(office: Office) -> list[Any]:
    """Rows of every suspended key in use, with their accounts, oldest suspension first."""
    return await office.store.fetch(queries.SUSPENDED_KEYS, {})


def action(key: Any) -> Action:
    """What both admins confirm. ``key`` is a ``security_key`` row joined with its account."""
    content = {
        "actor": key["actor"],
        "name": key["name"],
        "suspended_for": key["suspended_for"],
        "suspended_at": key["suspended_at"],
    }
    return Action(ACT, key["handle"].hex(), content)


async def _check(office: Office, _admin: Principal, wanted: Action) -> None:
    _as_it_is(wanted, await suspended(office))


async def _carry_out(office: Office, wanted: Action, _agreed: Agreed, transaction: Transaction) -> Done:
    key = _as_it_is(wanted, await transaction.fetch(queries.SUSPENDED_KEYS, {}))
    # Whatever it counts next is where counting begins again: of two copies the true one may be behind
    in_use = {"suspended_at": None, "suspended_for": None, "sign_count": 0}
    back = Change(tables.security_key, {"id": key["id"], "removed_at": None}, in_use, Conflict(_CHANGED))
    return Done((back,), changed=(key_entry(office.entropy, REINSTATED, key["cose_key"]),))


def _as_it_is(wanted: Action, keys: list[Any]) -> Any:
    """The key that the action names, if every word of it is true. Raises ``NotFound`` or ``Conflict``."""
    key = next((key for key in keys if key["handle"].hex() == wanted.subject), None)
    if key is None:
        raise NotFound("There is no such suspended security key.")
    if action(key) != wanted:
        raise Conflict(_CHANGED)
    return key


REINSTATE: Final = AdminAct(_check, _carry_out)
