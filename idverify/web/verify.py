"""Verifiers' routes: ask for a presentation, check a document."""

from __future__ import annotations

from typing import Any

from idverify.errors import ClientError
from idverify.formats.claims_json import json_of
from idverify.services import check, present, receipt_pdf
from idverify.services.looks import Answer
from idverify.web import schema
from idverify.web.endpoint import Call, Reply
from idverify.web.letters import PDF
from idverify.web.problems import problem
from idverify.web.submission import Asked, of_json


async def request_presentation(call: Call) -> Reply:
    """Make a verification request for a wallet to answer."""
    asked: schema.NewVerificationRequest = call.body
    least = None if asked.assurance is None else asked.assurance.minimum()
    made = await present.request_presentation(call.office, call.caller, asked.type, least)
    shown = schema.VerificationRequestMade(
        verification_request=made.handle.hex(),
        type=made.type,
        nonce=made.nonce,
        audience=made.audience,
        expires_at=schema.instant(made.expires_at),
    )
    return Reply(shown, status=201, headers={"Cache-Control": "no-store"})


async def verify(call: Call) -> Reply:
    """The verdict on a document; of several, on each."""
    asked: Asked = call.body if isinstance(call.body, Asked) else of_json(call.body)
    answers = await check.check_all(call.office, call.caller, asked.given, asked.wishes)
    if asked.several:
        return Reply(json_of({"results": [_shown(answer) for answer in answers]}))
    (answer,) = answers
    if isinstance(answer, ClientError):
        raise answer
    return Reply(json_of(_shown(answer)))


async def print_receipt(call: Call) -> Reply:
    """A verification receipt of this service as a signed PDF, for the case file."""
    asked: schema.ReceiptToPrint = call.body
    made = await receipt_pdf.make(
        call.office, call.caller, asked.verification_receipt.encode("ascii", "replace"), asked.language
    )
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{file_name(made)}"'}
    return Reply(made.pdf, content_type=PDF, headers=headers)


def file_name(made: receipt_pdf.ReceiptFile) -> str:
    """What the PDF of a receipt is called: by the first half of its reference."""
    return f"verification-receipt-{made.reference.hex()[:32]}.pdf"


def _shown(answer: Answer | ClientError) -> dict[str, Any]:
    """The busiest answer is written as it stands; that it fits ``schema.VerifyAnswer`` is for the tests to show."""
    if isinstance(answer, ClientError):
        return {"problem": problem(answer)}
    shown = {**answer.verdict.to_json(), "type": answer.type, "claims": answer.claims}
    return shown if answer.receipt is None else {**shown, "verification_receipt": answer.receipt.decode()}
