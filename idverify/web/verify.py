"""Verifiers' routes: ask for a presentation, check a document."""

from __future__ import annotations

import orjson

from idverify.services import check, present
from idverify.web import schema
from idverify.web.endpoint import Call, Reply


async def request_presentation(call: Call) -> Reply:
    """Make a verification request for a wallet to answer."""
    made = await present.request_presentation(call.office, call.caller, call.body.type)
    shown = schema.VerificationRequestMade(
        verification_request=made.handle.hex(),
        type=made.type,
        nonce=made.nonce,
        audience=made.audience,
        expires_at=schema.instant(made.expires_at),
    )
    return Reply(shown, status=201, headers={"Cache-Control": "no-store"})


async def verify(call: Call) -> Reply:
    """The verdict on a document."""
    asked: schema.Submitted = call.body
    answer = await check.check(
        call.office,
        call.caller,
        asked.document.strip().encode(),
        None if asked.receipt is None else asked.receipt.encode(),
        None if asked.verification_request is None else bytes.fromhex(asked.verification_request),
    )
    # The busiest answer is written as it stands; that it fits schema.VerdictView is for the tests to show.
    return Reply(orjson.dumps({**answer.verdict.to_json(), "type": answer.type, "claims": answer.claims}))
