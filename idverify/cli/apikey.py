"""``idverify apikey``: straight to the database, whether or not the service runs."""

from __future__ import annotations

from pathlib import Path

from idverify.cli.database import with_doors, with_store
from idverify.cli.output import WrongUsage, one_of, print_json, say
from idverify.core.credential_type import Purpose
from idverify.core.policy import Role
from idverify.ports import SystemClock, system_entropy
from idverify.services import access
from idverify.stores import queries


def create(data: Path, actor: str, role: str, purpose: str | None, *, json: bool) -> int:
    """Make a key and show it."""
    wanted, allowed = one_of(Role, role, "--role"), None
    if purpose is not None:
        allowed = one_of(Purpose, purpose, "--purpose")
    if wanted is Role.CITIZEN:
        raise WrongUsage("Citizens have no API keys: an officer enrols their security key.")
    if (wanted is Role.RELYING_PARTY) != (allowed is not None):
        raise WrongUsage("A relying party's key needs a --purpose; other keys have none.")
    if not 1 <= len(actor) <= 100 or not actor.isprintable():
        raise WrongUsage("--actor must be 1 to 100 printable characters.")
    token = with_doors(
        data,
        lambda store, doors: access.create_key(store, doors, SystemClock(), system_entropy, actor, wanted, allowed),
    )
    if json:
        print_json({"api_key": token, "actor": actor, "role": role, "purpose": purpose})
    else:
        say(token)
    return 0


def show(data: Path, *, json: bool) -> int:
    """Every key."""
    rows = with_store(data, lambda store: store.fetch(queries.API_KEYS, {}))
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
    with_store(data, lambda store: access.revoke_key(store, SystemClock(), system_entropy, key_id))
    say(f"{key_id} is revoked.")
    return 0
