"""One's own security keys: what there is, another one, another name, one less."""

from __future__ import annotations

from idverify.core.policy import require_person
from idverify.services import keys
from idverify.web import schema
from idverify.web.endpoint import Call, Reply
from idverify.web.session_cookie import forget
from idverify.web.signing_in import begun


async def list_keys(call: Call) -> schema.SecurityKeys:
    """The security keys that open the account."""
    current = require_person(call.caller).security_key
    return schema.SecurityKeys(
        keys=[
            schema.SecurityKeyView(
                key=row["handle"].hex(),
                key_name=row["name"],
                created_at=schema.instant(row["created_at"]),
                last_used_at=None if row["last_used_at"] is None else schema.instant(row["last_used_at"]),
                is_current=row["id"] == current,
                is_suspended=row["suspended_at"] is not None,
            )
            for row in await keys.mine(call.office, call.caller)
        ]
    )


async def options(call: Call) -> Reply:
    """A challenge to register another key with, once the key at hand has confirmed it."""
    return begun(await keys.begin_adding(call.office, call.caller, call.given))


async def add(call: Call) -> Reply:
    """Register another key."""
    body: schema.NewKeyAnswer = call.body
    await keys.finish_adding(call.office, call.caller, body.given(), body.key_name)
    return Reply(b"", 204)


async def rename(call: Call) -> Reply:
    """Call a key something else."""
    body: schema.KeyName = call.body
    await keys.rename(call.office, call.caller, call.handle("key"), body.key_name)
    return Reply(b"", 204)


async def remove(call: Call) -> Reply:
    """Remove a key, and end the sessions that it opened."""
    mine = await keys.mine(call.office, call.caller)
    current = any(
        row["handle"] == call.handle("key") and row["id"] == require_person(call.caller).security_key for row in mine
    )
    await keys.remove(call.office, call.caller, call.handle("key"), call.given)
    return Reply(b"", 204, dress=(lambda response: forget(response, call.caller)) if current else None)
