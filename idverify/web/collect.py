"""Holders' routes: collect a credential, fetch its receipt."""

from __future__ import annotations

import re
from typing import Final

from idverify.errors import MalformedRequest, NotAuthenticated
from idverify.ledger.errors import ProofError
from idverify.services import issue, receipts
from idverify.services.issue import CollectionRequest
from idverify.web import schema
from idverify.web.endpoint import Call, Reply

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
        format=issue.FORMAT.name,
        handle=done.handle.hex(),
        expires_at=schema.instant(done.expires_at),
        ledger=schema.LedgerPlace(origin=call.office.deployment.log_origin, index=done.ledger_index),
        receipt=await _receipt_within(call, done.handle, done.receipt_token, _asked_wait(call)),
        receipt_url=f"{call.office.deployment.iss}/api/v1/credentials/{done.handle.hex()}/receipt",
        receipt_token=done.receipt_token,
    )
    return Reply(answer, status=201, headers={"Cache-Control": "no-store"})


async def receipt(call: Call) -> Reply:
    """The ledger receipt of a credential (c2sp.org/tlog-proof@v1), for whoever holds its receipt token."""
    scheme, _, token = call.request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NotAuthenticated("Send 'Authorization: Bearer ...' with the credential's receipt token.")
    proof = await receipts.receipt(call.office, call.handle("credential"), token.strip(), _asked_wait(call))
    return Reply(proof, content_type="text/plain", headers={"Cache-Control": "no-store"})


async def _receipt_within(call: Call, handle: bytes, token: str, wait: float) -> str | None:
    """The receipt, if the wallet asked to wait and a checkpoint covers the entry by then."""
    if not wait:
        return None
    try:
        return (await receipts.receipt(call.office, handle, token, wait)).decode()
    except (receipts.NotYetCovered, ProofError):
        return None


def _asked_wait(call: Call) -> float:
    """Seconds of ``Prefer: wait=N`` (RFC 7240 section 4.3), 0 without."""
    asked = _WAIT.search(call.request.headers.get("Prefer", ""))
    return float(asked[1]) if asked else 0.0
