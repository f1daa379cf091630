"""Citizens' routes: everything that the ledger holds about the caller, signed, and a receipt for each entry."""

from __future__ import annotations

from typing import Final

from idverify.services import own_entries
from idverify.web.endpoint import Call, Reply

NOT_STORED: Final = {"Cache-Control": "no-store"}


async def statement(call: Call) -> Reply:
    """Every entry about the caller, as a signed statement (application/jwt; docs/ledger-format.md)."""
    signed = await own_entries.statement(call.office, call.caller)
    return Reply(signed, content_type="application/jwt", headers=NOT_STORED)


async def receipt(call: Call) -> Reply:
    """The receipt of an entry about the caller (c2sp.org/tlog-proof@v1), with what opens it."""
    shard, index = (int(call.request.match_info[name]) for name in ("shard", "index"))
    proof = await own_entries.receipt(call.office, call.caller, shard, index)
    return Reply(proof, content_type="text/plain", headers=NOT_STORED)
