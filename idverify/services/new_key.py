"""A security key that is being registered: what its owner's browser is asked for, and the row that is kept of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from idverify.auth import options
from idverify.auth.key_policy import require_taken
from idverify.auth.webauthn import RegisteredKey
from idverify.core.policy import Role
from idverify.errors import KeyAlreadyRegistered, Unprocessable
from idverify.services import authenticators
from idverify.services.ceremonies import CHALLENGE_BYTES, SECONDS, Beginning, Ceremony, credentials, keep
from idverify.services.doors import whose
from idverify.services.office import Office
from idverify.stores import queries, tables
from idverify.stores.writes import Insert

MOST_KEY_NAME: Final = 60
_KNOWN: Final = "This security key is registered here already. Sign in with it, or use another key."


async def ask(
    office: Office,
    kind: Ceremony,
    role: Role,
    actor: str | None,
    user_handle: bytes,
    held: Sequence[Any],
    *,
    shared_computer: bool,
    **bound: bytes,
) -> Beginning:
    """A challenge to register a key with. ``held`` are rows of keys that will not do; ``bound`` as for ``keep``."""
    now, challenge = office.clock.now(), office.entropy(CHALLENGE_BYTES)
    handle = await keep(office, kind, challenge, now, user_handle=user_handle, **bound)
    asked = options.creation_options(
        office.deployment.rp_id,
        office.deployment.name,
        user_handle,
        _user_name(role, actor, user_handle),
        challenge,
        credentials(held),
        office.key_policies[role],
        shared_computer=shared_computer,
    )
    return Beginning(handle, asked, now + SECONDS[kind])


async def insertion(office: Office, account: Any, registered: RegisteredKey, name: str) -> Insert:
    """Keeps a key just registered for an account (its row), if the role's policy takes it and it is not on record.

    ``name`` is what its owner calls it; where another key of theirs is called so, a number is put behind it.
    """
    role = Role(account["role"])
    require_taken(office.key_policies[role], registered)
    make = await authenticators.judged(office, role, registered)
    row = {
        "id": office.new_id(),
        "handle": office.new_handle(),
        "account_id": account["id"],
        "credential_id": registered.credential_id,
        "cose_key": registered.cose_key,
        "cose_key_hash": hashlib.sha256(registered.cose_key).digest(),
        "algorithm": registered.algorithm,
        "sign_count": registered.sign_count,
        "backup_eligible": int(registered.backup_eligible),
        "backed_up": int(registered.backed_up),
        "aaguid": registered.aaguid,
        "transports": " ".join(registered.transports),
        "attestation_format": registered.attestation_format,
        "policy_version": office.key_policies[role].version,
        "name": await _told_apart(office, account["id"], require_key_name(name)),
        "created_at": office.clock.now(),
        "last_used_at": None,
        "removed_at": None,
        **make,
    }
    of = {"user_handle": account["user_handle"], **whose(account)}
    return office.doors.inserting(tables.security_key, row, KeyAlreadyRegistered(_KNOWN), **of)


def require_key_name(name: str) -> str:
    """What somebody calls a key. Raises ``Unprocessable`` for what cannot be shown."""
    tidy = " ".join(name.split())
    if not 1 <= len(tidy) <= MOST_KEY_NAME or not tidy.isprintable():
        raise Unprocessable("A key's name must be 1 to 60 printable characters, such as: blue key.")
    return tidy


async def _told_apart(office: Office, account: bytes, name: str) -> str:
    """The name, or the first of ``name 2``, ``name 3``, ... that no key of the account has."""
    held = {row["name"] for row in await office.store.fetch(queries.SECURITY_KEYS, {"account_id": account})}
    numbered = (f"{name[: MOST_KEY_NAME - 4]} {number}" for number in range(2, len(held) + 3))
    return next(free for free in (name, *numbered) if free not in held)


def _user_name(role: Role, actor: str | None, user_handle: bytes) -> str:
    """What the key's own list shows. Nothing of a person: a citizen's accounts are told apart by a short reference."""
    return f"{role.value} {user_handle[:3].hex()}" if actor is None else actor
