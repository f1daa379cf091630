"""PyHanko's own signer for tokens, with its defaults: what it costs to sign a letter. A program.

It is told in JSON on standard input where the token, the key and the letter are, and says CPU seconds.
"""

from __future__ import annotations

import asyncio
import os
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
from asn1crypto import x509
from pyhanko.config.pkcs11 import TokenCriteria
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.pkcs11 import PKCS11Signer, open_pkcs11_session
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner

from hsm.pins import read_pin
from idverify.app.bench.programs import cost_of
from idverify.formats.pdf.sign import SIGNATURE_FIELD


async def _cost(asked: dict[str, Any]) -> float:
    signer, letter = _signer(asked), bytes.fromhex(asked["letter"])
    said = PdfSignatureMetadata(
        field_name=SIGNATURE_FIELD,
        md_algorithm="sha256",
        certify=True,
        docmdp_permissions=MDPPerm.NO_CHANGES,
        subfilter=SigSeedSubFilter.PADES,
    )

    async def sealed() -> Any:
        return await PdfSigner(said, signer).async_sign_pdf(IncrementalPdfFileWriter(BytesIO(letter)))

    return await cost_of(sealed, asked["seconds"])


def _signer(asked: dict[str, Any]) -> PKCS11Signer:
    """By digest (``use_raw_mechanism``): SoftHSM has no ECDSA that hashes by itself."""
    if asked["configuration"] is not None:
        os.environ["SOFTHSM2_CONF"] = asked["configuration"]  # before the module is loaded, which reads it once
    criteria, pin = TokenCriteria(label=asked["label"]), read_pin(Path(asked["pin_file"]))
    session = open_pkcs11_session(asked["module"], None, criteria, pin)
    leaf, *others = (x509.Certificate.load(bytes.fromhex(one)) for one in asked["chain"])
    key = bytes.fromhex(asked["key"])
    return PKCS11Signer(session, signing_cert=leaf, ca_chain=others, key_id=key, use_raw_mechanism=True)


if __name__ == "__main__":
    sys.stdout.write(f"{asyncio.run(_cost(orjson.loads(sys.stdin.buffer.read())))}\n")
