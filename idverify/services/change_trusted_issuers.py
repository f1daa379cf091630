"""Changing whom we rely on: two admins, since whoever adds a root can make any document genuine."""

from __future__ import annotations

from typing import Final

from idverify.core import issuer_trust, security_act
from idverify.core.action import Action, canonical_json
from idverify.core.policy import Act, Principal, require_may
from idverify.errors import Conflict, Unprocessable
from idverify.services.admin_act import AdminAct, Agreed, Done
from idverify.services.office import Office
from idverify.services.security_acts import deed
from idverify.services.trust_book import own_issuer
from idverify.services.trusted_issuers import (
    Change,
    Proposed,
    Register,
    added_up,
    change_json,
    read_change,
    register,
    require_changeable,
)
from idverify.stores import queries, tables
from idverify.stores.store import Store
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Insert

ACT: Final = issuer_trust.ACT
_NOT_NEXT: Final = "The trusted issuers have changed since this was proposed. Look at them, and propose it again."


async def action(office: Office, change: Change) -> Action:
    """What both admins confirm: what changes, and that it is the next change."""
    return issuer_trust.action((await register(office.store)).version + 1, change_json(change))


async def known(office: Office, admin: Principal) -> Register:
    """Everybody of whom anything was ever decided."""
    require_may(admin, Act.ADMINISTER)
    return await register(office.store)


async def look_at(office: Office, change: Change) -> None:
    """Raises what speaks against a change now."""
    require_changeable(Proposed(change, await register(office.store), await own_issuer(office.store)))


async def _check(office: Office, _admin: Principal, wanted: Action) -> None:
    await _require_next(office, wanted, office.store)


async def _require_next(office: Office, wanted: Action, reader: Store | Transaction) -> None:
    content, before = wanted.content, added_up(await reader.fetch(queries.ISSUER_CHANGES, {}))
    if wanted.subject is not None or content.keys() != issuer_trust.MEMBERS:
        raise Unprocessable("A change of trusted issuers must have the members version and document, and no subject.")
    if type(content["version"]) is not int or content["version"] != before.version + 1:
        raise Conflict(_NOT_NEXT)
    change = read_change(content["document"], office.clock.now())
    require_changeable(Proposed(change, before, await own_issuer(reader)))


async def _carry_out(office: Office, wanted: Action, agreed: Agreed, transaction: Transaction) -> Done:
    await _require_next(office, wanted, transaction)
    row = {
        "version": wanted.content["version"],
        "document": canonical_json(wanted.content["document"]),
        "decided_by": agreed.proposed_by,
        "approved_by": agreed.approved_by,
        "authorisation_id": agreed.authorisation,
        "approval_id": agreed.approval,
        "decided_at": office.clock.now(),
    }
    writes = (Insert(tables.issuer_change, row, Conflict(_NOT_NEXT)),)
    return Done(writes, deed(security_act.ISSUERS_CHANGED, row, office.entropy))


async def _afterwards(office: Office) -> None:
    await office.trust_book.reload(office.store)


CHANGE: Final = AdminAct(_check, _carry_out, _afterwards)
