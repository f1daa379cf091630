"""Accounts of staff and organisations: who has one, and how one ends."""

from __future__ import annotations

from typing import Any

from idverify.core import security_act
from idverify.core.action import Action
from idverify.core.policy import Act, Principal, Role, require_may, require_person
from idverify.errors import Conflict, NotAllowed, NotFound
from idverify.services import step_up
from idverify.services.cancelling import cancelling, codes_of
from idverify.services.ceremonies import Given
from idverify.services.office import Office
from idverify.services.security_acts import deed
from idverify.services.sessions import ending
from idverify.stores import queries, tables
from idverify.stores.writes import Change, Write, WriteSet


async def accounts(office: Office, admin: Principal) -> list[Any]:
    """Rows of every account of staff and organisations, oldest first; ``ended_at`` is set where one has ended."""
    require_may(admin, Act.ENROL_STAFF)
    return await office.store.fetch(queries.STAFF, {})


async def end(office: Office, admin: Principal, handle: bytes, given: Given | None) -> None:
    """End an account at once, with every session of it: somebody left, or a key of theirs is in other hands.

    Codes that they made or hold and that wait for their use end with it, and so do an organisation's API keys. What
    they decided and confirmed stays as it is. Nobody ends their own account: an office keeps an admin.
    """
    require_may(admin, Act.ENROL_STAFF)
    row: Any = await office.store.fetch_one(queries.ACCOUNT_BY_HANDLE, {"handle": handle})
    if row is None or row["role"] == Role.CITIZEN:
        raise NotFound("There is no such account.")
    if row["id"] == require_person(admin).account:
        raise NotAllowed("You cannot end your own account. Another admin must.")
    confirmed = await step_up.require(
        office, admin, Action("end-account", handle.hex(), {"actor": row["actor"]}), given
    )
    now = office.clock.now()
    over = Conflict("This account has ended already.")
    ended = Change(tables.account, {"id": row["id"], "ended_at": None}, {"ended_at": now}, over)
    writes = (*confirmed.writes(None), ended, ending({"account_id": row["id"]}, now), *_left_behind(row, now))
    done = deed(security_act.ACCOUNT_ENDED, row, office.entropy)
    await office.store.commit(WriteSet(writes, confirmed.entries(office, deed=done)))


def _left_behind(account: Any, at: int) -> tuple[Write, ...]:
    codes = *codes_of(account["id"], account["actor"], at), cancelling({"account_id": account["id"]}, at)
    if account["role"] != Role.RELYING_PARTY:
        return codes
    named = {"actor": account["actor"], "role": account["role"], "purpose": account["purpose"], "revoked_at": None}
    return *codes, Change(tables.api_key, named, {"revoked_at": at})
