"""Administration by two: acts that no admin does alone. One proposes, another approves, both confirm the same act.

What waits is the act itself, as the first one confirmed it: the second one's confirmation is over that very act, and
carries it out. A proposal is good once, for 72 hours. Both confirmations go on the ledger, each when it is given.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from idverify.core.action import Action, canonical_json
from idverify.core.policy import Act, Principal, require_may, require_person
from idverify.errors import Conflict, NotFound, Unprocessable
from idverify.services import (
    change_authenticators,
    change_trusted_issuers,
    enrol_staff,
    proposals,
    reinstate,
    replace_signing_key,
    restore_access,
    step_up,
)
from idverify.services.admin_act import AdminAct, Agreed, Done
from idverify.services.ceremonies import Given
from idverify.services.invite import SecondPart
from idverify.services.office import Office
from idverify.services.proposals import ALTERED, PROPOSAL_SECONDS, taken_up, waiting_columns
from idverify.services.step_up import Authorisation, First
from idverify.stores import queries, tables
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Insert, Write, WriteSet

ACTS: Final[Mapping[str, AdminAct]] = {
    change_authenticators.ACT: change_authenticators.CHANGE,
    change_trusted_issuers.ACT: change_trusted_issuers.CHANGE,
    enrol_staff.ACT: enrol_staff.ENROL_STAFF,
    reinstate.ACT: reinstate.REINSTATE,
    replace_signing_key.ACT: replace_signing_key.REPLACE,
    restore_access.ACT: restore_access.RESTORE_STAFF,
}
_UNKNOWN: Final = "There is no such proposal."


@dataclass(frozen=True, slots=True)
class Waiting(proposals.Waiting):
    """An act that waits for a second admin."""

    action: Action


async def propose(office: Office, admin: Principal, action: Action, given: Given | None) -> Waiting:
    """Ask a second admin for an act of ``ACTS``. Raises whatever speaks against it now."""
    require_may(admin, Act.ADMINISTER)
    act = ACTS.get(action.act)
    if act is None:
        raise Unprocessable(f"An act that takes two admins must be one of: {', '.join(sorted(ACTS))}.")
    person = require_person(admin)
    await act.check(office, admin, action)
    confirmed = await step_up.require(office, admin, action, given)
    now = office.clock.now()
    row = {
        "id": office.new_id(),
        "handle": office.new_handle(),
        "act": action.act,
        "action": canonical_json(action.to_json()),
        "proposed_by": admin.actor,
        "proposed_by_account": person.account,
        "authorisation_id": confirmed.id,
        "created_at": now,
        "expires_at": now + PROPOSAL_SECONDS,
        "consumed_at": None,
    }
    writes = (*confirmed.writes(None), Insert(tables.admin_proposal, row))
    await office.store.commit(WriteSet(writes, confirmed.entries(office)))
    return _waiting(row)


async def waiting(office: Office, admin: Principal) -> list[Waiting]:
    """Every act that waits for a second admin, oldest first."""
    require_may(admin, Act.ADMINISTER)
    return [_waiting(row) for row in await office.store.fetch(queries.OPEN_ADMIN_PROPOSALS, {"at": office.clock.now()})]


async def proposal(office: Office, admin: Principal, handle: bytes) -> Waiting:
    """One proposal, also one that has expired. Raises ``NotFound``."""
    require_may(admin, Act.ADMINISTER)
    return _waiting(await _find(office, handle))


async def approve(office: Office, admin: Principal, handle: bytes, given: Given | None) -> SecondPart | None:
    """Carry out what another admin proposed; the second part of a one-time code, if it made one."""
    require_may(admin, Act.ADMINISTER)
    row = await _find(office, handle)
    first: Any = await office.store.fetch_one(queries.AUTHORISATION, {"id": row["authorisation_id"]})
    action, act = _waiting(row).action, ACTS[row["act"]]
    _require_unaltered(row, first, action)
    taken = await taken_up(office, admin, tables.admin_proposal, row, first)
    await act.check(office, admin, action)
    confirmed = await step_up.require(office, admin, action, given)
    agreed = Agreed(row["proposed_by"], row["authorisation_id"], admin.actor, confirmed.id, first["account_id"])
    follows = First(first["id"], hashlib.sha256(first["evidence"]).digest())
    execution = _Execution(office, action, agreed, taken, confirmed, follows)
    done: Done = await office.store.write(partial(execution.carry_out, act))
    if act.afterwards is not None:
        await act.afterwards(office)
    return done.second_part


@dataclass(frozen=True, slots=True)
class _Execution:
    """An act that both have confirmed, on its way into the database."""

    office: Office
    action: Action
    agreed: Agreed
    taken: tuple[Write, ...]
    confirmed: Authorisation
    first: First

    async def carry_out(self, act: AdminAct, transaction: Transaction) -> Done:
        """Runs on the writer."""
        done = await act.carry_out(self.office, self.action, self.agreed, transaction)
        writes = (*self.taken, *self.confirmed.writes(None, self.first), *done.writes)
        entries = (*self.confirmed.entries(self.office, deed=done.deed, first=self.first), *done.changed)
        await transaction.apply(WriteSet(writes, entries))
        return done


def _require_unaltered(row: Any, first: Any, action: Action) -> None:
    """The row of a proposal holds the act that the ``first`` confirmation is over. Raises ``Conflict``."""
    confirmed = None if first is None else (first["account_id"], first["action_digest"])
    if confirmed != (row["proposed_by_account"], action.digest()):
        raise Conflict(ALTERED)


async def _find(office: Office, handle: bytes) -> Any:
    row: Any = await office.store.fetch_one(queries.ADMIN_PROPOSAL, {"handle": handle})
    if row is None or row["act"] not in ACTS:
        raise NotFound(_UNKNOWN)
    return row


def _action(said: dict[str, Any]) -> Action:
    return Action(said["act"], said["subject"], said["content"])


def _waiting(row: Any) -> Waiting:
    return Waiting(*waiting_columns(row), _action(json.loads(row["action"])))
