"""API keys: made and revoked on the command line, recognised on every request."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from idverify.auth import api_keys
from idverify.core.credential_type import Purpose
from idverify.core.policy import Principal, Role
from idverify.errors import NotAuthenticated, NotFound
from idverify.ports import Clock, Entropy
from idverify.stores import queries, tables
from idverify.stores.sqlite import SqliteStore
from idverify.stores.writes import Change, Insert, WriteSet

# A key revoked by another process stops working within this time; in this process at once.
REMEMBERED_SECONDS: Final = 1.0
_REFUSED = "The API key is unknown or was revoked. Make one with: idverify apikey create"


async def create_key(
    store: SqliteStore, clock: Clock, entropy: Entropy, actor: str, role: Role, purpose: Purpose | None
) -> str:
    """Make an API key for ``actor``; the token, which is shown this once."""
    made = api_keys.make(entropy)
    row = {
        "id": made.id,
        "actor": actor,
        "role": role.value,
        "purpose": None if purpose is None else purpose.value,
        "secret_hash": made.secret_hash,
        "created_at": clock.now(),
        "revoked_at": None,
    }
    await store.commit(WriteSet((Insert(tables.api_key, row),)))
    return made.token


async def revoke_key(store: SqliteStore, clock: Clock, key_id: str) -> None:
    """Revoke an API key by its id."""
    unknown = NotFound(f"There is no API key in use with the id {key_id!r}.")
    change = Change(tables.api_key, {"id": key_id, "revoked_at": None}, {"revoked_at": clock.now()}, unknown)
    await store.commit(WriteSet((change,)))


@dataclass(frozen=True, slots=True)
class _Known:
    until: float
    secret_hash: bytes
    principal: Principal


class Gate:
    """Recognises callers. Unknown and revoked keys get the same answer."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._known: dict[str, _Known] = {}

    async def recognise(self, token: str) -> Principal:
        """The principal behind an API key. Raises ``NotAuthenticated``."""
        presented = api_keys.parse(token)
        known = self._known.get(presented.id)
        if known is None or known.until < time.monotonic():
            known = await self._look_up(presented.id)
        if not presented.matches(known.secret_hash):
            raise NotAuthenticated(_REFUSED)
        return known.principal

    async def _look_up(self, key_id: str) -> _Known:
        row: Any = await self._store.fetch_one(queries.API_KEY, {"id": key_id})
        if row is None or row["revoked_at"] is not None:
            self._known.pop(key_id, None)
            raise NotAuthenticated(_REFUSED)
        purpose = None if row["purpose"] is None else Purpose(row["purpose"])
        principal = Principal(row["id"], row["actor"], Role(row["role"]), purpose)
        known = _Known(time.monotonic() + REMEMBERED_SECONDS, row["secret_hash"], principal)
        self._known[key_id] = known
        return known
