"""Who confirmed an act, as far as signatures say: a row that says so is written as easily as any other."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from idverify.auth.step_up import verify_evidence
from idverify.core.policy import Role
from idverify.errors import IdverifyError
from idverify.services.doors import Doors
from idverify.stores import queries, tables
from idverify.stores.store import Store

_TWO: Final = 2


async def is_by(store: Store, doors: Doors, origin: str, role: Role, confirmation: Any) -> bool:
    """Whether a confirmation (a row with its account, key, digest and evidence) was signed on a page of ours.

    By a key of that account, which the service registered, of somebody who had this role.
    """
    key: Any = await store.fetch_one(queries.SECURITY_KEY_EVER, {"id": confirmation["security_key_id"]})
    if key is None or not doors.holds(tables.security_key, key):
        return False
    try:
        proven = verify_evidence(confirmation["evidence"])
    except IdverifyError:
        return False
    account = hashlib.sha256(key["account_id"]).hexdigest()
    signed = proven.cose_key, proven.action_digest, proven.context.account, proven.origins
    said = key["cose_key"], confirmation["action_digest"], account, frozenset({origin})
    return signed == said and (key["account_id"], key["role"]) == (confirmation["account_id"], role.value)


async def is_by_two_admins(store: Store, doors: Doors, origin: str, digest: bytes, ids: tuple[bytes, bytes]) -> bool:
    """Whether the confirmations of these row ids are two admins', over the act of this digest."""
    found: list[Any] = [await store.fetch_one(queries.AUTHORISATION, {"id": one}) for one in ids]
    if None in found or len({row["account_id"] for row in found}) != _TWO:
        return False
    if any(row["action_digest"] != digest for row in found):
        return False
    return all([await is_by(store, doors, origin, Role.ADMIN, row) for row in found])
