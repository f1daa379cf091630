"""Routes of officers and admins: what was confirmed with a security key, and the evidence of it."""

from __future__ import annotations

import re
from typing import Final

from idverify.errors import MalformedRequest
from idverify.services import confirmations
from idverify.services.confirmations import Confirmed
from idverify.web import schema
from idverify.web.endpoint import Call, Reply
from idverify.web.own_entries import NOT_STORED

_HANDLE: Final = re.compile(r"[0-9a-f]{32}")


async def listed(call: Call) -> schema.Confirmations:
    """What the caller confirmed, an admin what all staff did, newest first; ?before= asks for older ones."""
    page = await confirmations.listed(call.office, call.caller, _before(call))
    shown = [_view(confirmed) for confirmed in page.confirmations]
    return schema.Confirmations(confirmations=shown, before=None if page.before is None else page.before.hex())


async def export(call: Call) -> Reply:
    """The evidence of a confirmation as a file that anybody can check (application/json; docs/evidence.md)."""
    file = await confirmations.export(call.office, call.caller, call.handle("authorisation"), call.given)
    return Reply(file, headers=NOT_STORED)


def _before(call: Call) -> bytes | None:
    """At most ``?before=HANDLE``. Raises ``MalformedRequest``."""
    asked = call.request.query
    if not asked:
        return None
    if len(asked) != 1 or not _HANDLE.fullmatch(asked.get("before", "")):
        raise MalformedRequest("Ask for ?before=HANDLE, with what the last page gave as before, or for nothing.")
    return bytes.fromhex(asked["before"])


def _view(confirmed: Confirmed) -> schema.ConfirmationView:
    return schema.ConfirmationView(
        authorisation=confirmed.handle.hex(),
        act=confirmed.act,
        confirmed_by=confirmed.actor,
        role=confirmed.role,
        confirmed_at=schema.instant(confirmed.confirmed_at),
        ledger_shard=confirmed.ledger_shard,
        ledger_index=confirmed.ledger_index,
    )
