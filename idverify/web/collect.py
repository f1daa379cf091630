"""Holders' routes: collect a credential, fetch its receipt."""

from __future__ import annotations

import re
from typing import Final

from idverify.errors import IdverifyError, MalformedRequest
from idverify.ledger.errors import LedgerError
from idverify.services import issue, receipts
from idverify.services.issue import CollectionRequest
from idverify.web import schema
from idverify.web.endpoint import Call, Reply, bearer_token

_KEY: Final = re.compile(r"[\x21-\x7e]{8,128}")
_WAIT: Final = re.compile(r"wait=(\d{1,2})\b")


async def collect(call: Call) -> Reply:
    """Issue a credential for an offer."""
    key = call.request.headers.get("Idempotency-Key", "")
    if not _KEY.fullmatch(key):
        raise MalformedRequest("Send an Idempotency-Key header of 8 to 128 visible ASCII characters, made by you.")
    done = await issue.collect(call.office, CollectionRequest(call.body.code, call.body.proof, key))
    answer = schema.Collected(
        credential=done.credential,
        format=done.format,
        handle=done.handle.hex(),
        expires_at=schema.instant(done.expires_at),
        ledger=schema.LedgerPlace(origin=call.office.log_book.origin_of(done.ledger_shard), index=done.ledger_index),
        receipt=await _receipt_within(call, done, _asked_wait(call)),
        receipt_url=f"{call.office.deployment.iss}/api/v1/credentials/{done.handle.hex()}/receipt",
        receipt_token=done.receipt_token,
    )
    return Reply(answer, status=201, headers={"Cache-Control": "no-store"})


async def receipt(call: Call) -> Reply:
    """The ledger receipt of a credential (c2sp.org/tlog-proof@v1), for whoever holds its receipt token."""
    token = bearer_token(call.request, "Send one header 'Authorization: Bearer ...' with the receipt token.")
    proof = await receipts.receipt(call.office, call.handle("credential"), token, _asked_wait(call))
    return Reply(proof, content_type="text/plain", headers={"Cache-Control": "no-store"})


async def _receipt_within(call: Call, done: issue.Collected, wait: float) -> str | None:
    """The receipt, if a checkpoint covers the entry already or within the time that the wallet waits.

    The credential is issued, so nothing that goes wrong here may take it back: the link has the receipt later.
    """
    if not wait and not call.office.log_book.covers(done.ledger_shard, done.ledger_index):
        return None
    try:
        return (await receipts.receipt(call.office, done.handle, done.receipt_token, wait)).decode()
    except (IdverifyError, LedgerError):
        return None


def _asked_wait(call: Call) -> float:
    """Seconds of ``Prefer: wait=N`` (RFC 7240 section 4.3), 0 without."""
    asked = _WAIT.search(call.request.headers.get("Prefer", ""))
    return float(asked[1]) if asked else 0.0
