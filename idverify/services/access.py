"""API keys: made and revoked on the command line or by whoever may keep them; recognised on every request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from idverify.auth import api_keys
from idverify.core import security_act
from idverify.core.action import Action
from idverify.core.credential_type import Purpose
from idverify.core.names import require_name
from idverify.core.policy import Act, Principal, Role, require_may
from idverify.errors import NotAuthenticated, NotFound
from idverify.ports import Clock, Entropy
from idverify.services import step_up, urgency
from idverify.services.ceremonies import Given
from idverify.services.doors import Doors
from idverify.services.office import Office
from idverify.services.records import act
from idverify.services.security_acts import deed
from idverify.services.waiting import commit_or_wait
from idverify.stores import queries, tables
from idverify.stores.store import Store
from idverify.stores.writes import Change, Insert, Require, Write, WriteSet

_REFUSED = "The API key is unknown or was revoked. Make one with: idverify apikey create"


async def create_key(
    store: Store, doors: Doors, clock: Clock, entropy: Entropy, actor: str, role: Role, purpose: Purpose | None
) -> str:
    """Make an API key for ``actor``; the token, which is shown this once."""
    made = api_keys.make(entropy)
    row = _key_row(doors, made, actor, role, purpose, clock.now())
    done = deed(security_act.API_KEY_MADE, row.row, entropy)
    await store.commit(WriteSet((row,), act(entropy, None, deed=done)))
    return made.token


async def create_key_for(office: Office, keeper: Principal, actor: str, purpose: Purpose, given: Given | None) -> str:
    """An API key for a relying party, made by an admin or by the relying party itself; the token, shown this once.

    A relying party makes keys for itself and its own purpose only, whatever it asks for.
    """
    require_may(keeper, Act.KEEP_API_KEYS)
    if keeper.role is Role.RELYING_PARTY and keeper.purpose is not None:
        actor, purpose = keeper.actor, keeper.purpose
    name = require_name(actor)
    action = Action("create-api-key", None, {"actor": name, "purpose": purpose.value})
    confirmed = await step_up.require(office, keeper, action, given)
    made = api_keys.make(office.entropy)
    at = office.clock.now()
    row = _key_row(office.doors, made, name, Role.RELYING_PARTY, purpose, at, confirmed.id)
    done = deed(security_act.API_KEY_MADE, row.row, office.entropy)
    await office.store.commit(WriteSet((*confirmed.writes(None), row), confirmed.entries(office, deed=done)))
    return made.token


async def keys_kept_by(office: Office, keeper: Principal) -> list[Any]:
    """Rows of the API keys that the caller may see: an admin all, a relying party its own."""
    require_may(keeper, Act.KEEP_API_KEYS)
    if keeper.role is Role.ADMIN:
        return await office.store.fetch(queries.API_KEYS, {})
    own = {"actor": keeper.actor, "role": keeper.role.value, "purpose": keeper.purpose}
    return await office.store.fetch(queries.API_KEYS_OF_ACTOR, own)


async def revoke_key_for(office: Office, keeper: Principal, key_id: str, given: Given | None) -> None:
    """Revoke an API key that the caller may see."""
    if all(row["id"] != key_id for row in await keys_kept_by(office, keeper)):
        raise _unknown(key_id)
    confirmed = await step_up.require(office, keeper, Action("revoke-api-key", key_id), given)
    change = _revocation(key_id, office.clock.now())
    done = deed(security_act.API_KEY_REVOKED, {"id": key_id}, office.entropy)
    await office.store.commit(WriteSet((*confirmed.writes(None), change), confirmed.entries(office, deed=done)))


async def usage(office: Office, asker: Principal, since: int) -> list[Any]:
    """The checks that the caller's organisation made since a time, newest first; whom they were about is not said."""
    require_may(asker, Act.SEE_USAGE)
    asked = {"actor": asker.actor, "role": asker.role.value, "since": since}
    return await office.store.fetch(queries.LOOKS_BY_ACTOR, asked)


async def revoke_key(store: Store, clock: Clock, entropy: Entropy, key_id: str) -> None:
    """Revoke an API key by its id, also while the log is halted."""
    done = deed(security_act.API_KEY_REVOKED, {"id": key_id}, entropy)
    await commit_or_wait(store, WriteSet((_revocation(key_id, clock.now()),), act(entropy, None, deed=done)))


def _key_row(
    doors: Doors,
    made: api_keys.NewKey,
    actor: str,
    role: Role,
    purpose: Purpose | None,
    at: int,
    authorisation: bytes | None = None,
) -> Insert:
    row = {
        "id": made.id,
        "actor": actor,
        "role": role.value,
        "purpose": None if purpose is None else purpose.value,
        "secret_hash": made.secret_hash,
        "authorisation_id": authorisation,
        "created_at": at,
        "revoked_at": None,
    }
    return doors.inserting(tables.api_key, row)


def _revocation(key_id: str, at: int) -> Change:
    return Change(tables.api_key, {"id": key_id, "revoked_at": None}, {"revoked_at": at}, _unknown(key_id))


def _unknown(key_id: str) -> NotFound:
    return NotFound(f"There is no API key in use with the id {key_id!r}.")


def still_in_use(asker: Principal) -> tuple[Write, ...]:
    """What a program's API key must still be in the transaction that records what it asked for; of people nothing.

    Raises ``NotAuthenticated`` there: so ``Gate.recall`` may remember a key that another process revokes.
    """
    if asker.signed_in is not None:
        return ()
    return (Require(tables.api_key, {"id": asker.id, "revoked_at": None}, NotAuthenticated(_REFUSED)),)


@dataclass(frozen=True, slots=True)
class _Known:
    secret_hash: bytes
    principal: Principal


class Gate:
    """Recognises callers. Unknown and revoked keys get the same answer."""

    def __init__(self, store: Store, doors: Doors) -> None:
        self._store, self._doors = store, doors
        self._known: dict[str, _Known] = {}

    async def recognise(self, token: str) -> Principal:
        """The principal behind an API key, as the database has it now. Raises ``NotAuthenticated``."""
        presented = api_keys.parse(token)
        return _matched(presented, await self._look_up(presented.id))

    async def recall(self, token: str) -> Principal:
        """``recognise``, but of a key that was seen before from memory.

        Only for what commits ``still_in_use`` before it answers: nothing of a key changes but that it is revoked.
        """
        presented = api_keys.parse(token)
        known = self._known.get(presented.id)
        return _matched(presented, await self._look_up(presented.id) if known is None else known)

    async def _look_up(self, key_id: str) -> _Known:
        row: Any = await self._store.fetch_one(queries.API_KEY, {"id": key_id})
        if row is None or row["revoked_at"] is not None or not self._doors.holds(tables.api_key, row):
            self._known.pop(key_id, None)
            raise NotAuthenticated(_REFUSED)
        purpose = None if row["purpose"] is None else Purpose(row["purpose"])
        principal = Principal(row["id"], row["actor"], Role(row["role"]), purpose)
        known = self._known[key_id] = _Known(row["secret_hash"], principal)
        return known


def _matched(presented: api_keys.PresentedKey, known: _Known) -> Principal:
    if not presented.matches(known.secret_hash):
        raise NotAuthenticated(_REFUSED)
    return urgency.of(known.principal)
