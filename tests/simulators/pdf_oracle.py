"""pyHanko as a second opinion on our letters, which shares its reader with us and nothing of what we sign."""

from __future__ import annotations

import datetime as dt
from io import BytesIO
from typing import Any

from asn1crypto import x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import async_validate_pdf_signature, async_validate_pdf_timestamp
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko_certvalidator import ValidationContext


async def judged(pdf: bytes, roots: list[bytes], at: int) -> list[Any]:
    """PyHanko's status of each signature, in order.

    It fetches nothing; where the letter brings revocation lists, every certificate needs to be on good terms with one.
    """
    reader = PdfFileReader(BytesIO(pdf))
    asked: dict[str, Any] = {
        "trust_roots": [x509.Certificate.load(root) for root in roots],
        "moment": dt.datetime.fromtimestamp(at, dt.UTC),
        "allow_fetching": False,
    }
    if "/DSS" in reader.root:
        store = DocumentSecurityStore.read_dss(reader)
        context = store.as_validation_context(asked | {"revocation_mode": "require"})
    else:
        context = ValidationContext(**asked)
    return [
        await async_validate_pdf_signature(one, context)
        if one.sig_object_type == "/Sig"
        else await async_validate_pdf_timestamp(one, context)
        for one in reader.embedded_signatures
    ]
