"""Citizens' routes: their own copies, one by one, and what they no longer want anybody to accept."""

from __future__ import annotations

from idverify.services import retire
from idverify.services.retire import OwnCopy
from idverify.web import schema
from idverify.web.endpoint import Call, Reply


async def list_copies(call: Call) -> schema.OwnCopies:
    """The caller's copies, newest first."""
    return schema.OwnCopies(copies=list(map(_copy, await retire.own_copies(call.office, call.caller))))


async def retire_copy(call: Call) -> Reply:
    """Withdraw one copy for good; the caller's status and other copies stay as they are."""
    body: schema.NewRetirement = call.body
    await retire.retire(call.office, call.caller, call.handle("copy"), body.reason, call.given)
    return Reply(b"", 204)


def _copy(copy: OwnCopy) -> schema.OwnCopyView:
    return schema.OwnCopyView(
        copy_reference=copy.handle.hex(),
        type=copy.type,
        format=copy.format,
        status=copy.status,
        issued_at=schema.instant(copy.issued_at),
        expires_at=schema.instant(copy.expires_at),
        retired=copy.retired,
    )
