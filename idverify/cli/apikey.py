"""``idverify apikey``: straight to the database, whether or not the service runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from idverify.cli.output import WrongUsage, print_json, say
from idverify.config import load
from idverify.core.credential_type import Purpose
from idverify.core.policy import Role
from idverify.ports import SystemClock, system_entropy
from idverify.services import access
from idverify.stores import queries
from idverify.stores.schema import upgrade_existing
from idverify.stores.sqlite import SqliteStore

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


def create(data: Path, actor: str, role: str, purpose: str | None, *, json: bool) -> int:
    """Make a key and show it."""
    wanted, allowed = _one_of(Role, role, "--role"), None
    if purpose is not None:
        allowed = _one_of(Purpose, purpose, "--purpose")
    if (wanted is Role.RELYING_PARTY) != (allowed is not None):
        raise WrongUsage("A relying party's key needs a --purpose; other keys have none.")
    if not 1 <= len(actor) <= 100 or not actor.isprintable():
        raise WrongUsage("--actor must be 1 to 100 printable characters.")
    token = _with_store(
        data, lambda store: access.create_key(store, SystemClock(), system_entropy, actor, wanted, allowed)
    )
    if json:
        print_json({"api_key": token, "actor": actor, "role": role, "purpose": purpose})
    else:
        say(token)
    return 0


def show(data: Path, *, json: bool) -> int:
    """Every key."""
    rows = _with_store(data, lambda store: store.fetch(queries.API_KEYS, {}))
    keys = [
        {name: row[name] for name in ("id", "actor", "role", "purpose", "created_at", "revoked_at")} for row in rows
    ]
    if json:
        print_json(keys)
    for key in keys if not json else ():
        state = "in use" if key["revoked_at"] is None else "revoked"
        say(f"{key['id']}  {key['role']:<13}  {key['purpose'] or '-':<7}  {state:<7}  {key['actor']}")
    return 0


def revoke(data: Path, key_id: str) -> int:
    """Revoke a key."""
    _with_store(data, lambda store: access.revoke_key(store, SystemClock(), key_id))
    say(f"{key_id} is revoked.")
    return 0


def _with_store(data: Path, work: Callable[[SqliteStore], Awaitable[T]]) -> T:
    async def run() -> T:
        database = load(data).database
        upgrade_existing(database)
        async with SqliteStore(database, SystemClock()) as store:
            return await work(store)

    return asyncio.run(run())


def _one_of(kind: type[E], value: str, option: str) -> E:
    try:
        return kind(value)
    except ValueError as error:
        raise WrongUsage(f"{option} must be one of: {', '.join(kind)}; got {value!r}.") from error
