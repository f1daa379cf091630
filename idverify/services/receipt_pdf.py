"""A verification receipt as a signed PDF, for a case file: drawn of the signed JSON, which is attached to it.

Nothing is kept of it: whoever has the receipt gets the PDF, now or years later. It is signed by the key for receipts,
whose certificate is for nothing else: no check of a letter takes that for a letter's signer.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from idverify.core.policy import Act, Principal, require_may
from idverify.core.printed_receipt import PrintedReceipt
from idverify.errors import DocumentError, Unprocessable
from idverify.formats.verification_receipt import FILE_NAME
from idverify.services.another_token import on_another_token
from idverify.services.office import VERIFICATION_SIGNER, Office
from idverify.services.pdf_signing import signed
from idverify.services.verification_receipts import said_by_us


@dataclass(frozen=True, slots=True)
class ReceiptFile:
    """The PDF, and the SHA-256 of the signed receipt in it, by which the service knows the check."""

    pdf: bytes
    reference: bytes


@on_another_token
async def make(office: Office, asker: Principal, encoded: bytes, language: str) -> ReceiptFile:
    """The PDF of a receipt that this service signed, in a language of the pages.

    Raises ``Unprocessable`` for any other, and where no font has a sign of it; ``Unavailable`` and ``Busy`` where the
    HSM or the workers are.
    """
    require_may(asker, Act.VERIFY)
    receipt = encoded.strip()
    try:
        said = said_by_us(office, receipt)
    except DocumentError as wrong:
        raise Unprocessable(f"This is no receipt of this service: {wrong.detail}") from wrong
    now = office.clock.now()
    signer = office.keys.issuer_until(VERIFICATION_SIGNER, now, now)
    try:
        sealed = await signed(office, await _drawn(office, receipt, said, language), VERIFICATION_SIGNER, signer, now)
    except DocumentError as wrong:
        raise Unprocessable(f"This receipt cannot be printed: {wrong.detail}") from wrong
    return ReceiptFile(sealed.pdf, hashlib.sha256(receipt).digest())


async def _drawn(office: Office, receipt: bytes, said: Any, language: str) -> bytes:
    ours = office.deployment
    content = PrintedReceipt(said, hashlib.sha256(receipt).hexdigest(), ours.name, language, ours.demo)
    page = {"html": office.letterhead.receipt(content), "pictures": {}, "attachments": {FILE_NAME: receipt}}
    drawn: bytes = await office.sandbox.do("render-letter", {**page, "at": office.clock.now()})
    return drawn
