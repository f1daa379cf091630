"""Letters as PDF: drawn (``letters``), signed in rounds, against pyHanko's own signer for tokens, and validated.

Both sides sign the same letter at level B-B with the same key, in software: pyHanko's signer has it behind a session,
as it would have that of a token. Ours also reads its signature again from the letter's bytes and verifies it.

Both sides validate the same signed letter: the signature over what it covers, the signer's path, what was changed
later. Ours also looks through the whole document for what no letter has; drawing its pages is in neither.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from io import BytesIO
from typing import Any, Final

import weasyprint
from asn1crypto import x509 as asn1
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.pkcs11 import PKCS11Signer
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator import ValidationContext

from hsm.cost import cpu_of
from hsm.rows import Pair, Row, row
from idverify.app.bench import letters
from idverify.app.bench.effort import Effort
from idverify.app.bench.stage import Call, Stage, sign
from idverify.app.bench.stage import stage as made_stage
from idverify.core.verdict import CheckId
from idverify.formats import cms
from idverify.formats.jose import P256_BYTES
from idverify.formats.pdf import read, rules
from idverify.formats.pdf import sign as pades
from idverify.formats.x509 import Purpose, verify_chain

_OF_PYHANKO: Final = 1.5
_OF_VALIDATION: Final = 0.9
_DAY: Final = 86_400
_LETTER: Final = """<html lang="en"><head><title>Letter</title></head><body><h1>Your status</h1>
<table><tr><th scope="row">Name</th><td>Ada Example</td></tr><tr><th scope="row">Work</th><td>20 hours a week</td></tr>
</table></body></html>"""


async def measure(effort: Effort) -> list[Row]:
    """Both rows; pyHanko wants an event loop of its own."""
    return await asyncio.to_thread(_measured, effort)


def _measured(effort: Effort) -> list[Row]:
    stage = made_stage("urn:example:bench:1")
    letter: bytes = weasyprint.HTML(string=_LETTER).write_pdf(pdf_variant="pdf/a-3a", pdf_tags=True)
    with asyncio.Runner() as runner:
        ours, theirs = partial(_signed, stage, letter), _theirs(stage, letter, runner)
        seconds = effort.probe_seconds
        pairs = [Pair(cpu_of(ours, seconds), cpu_of(theirs, seconds)) for _ in range(effort.rounds)]
        signed: Any = ours()
        validate, validated = _validates(stage, signed), _validated_by_pyhanko(stage, signed, runner)
        both = [Pair(cpu_of(validate, seconds), cpu_of(validated, seconds)) for _ in range(effort.rounds)]
    limit = "pyHanko's PKCS11Signer with its defaults: the same letter, key and certificate"
    validation = "pyHanko's async_validate_pdf_signature: the same letter and root"
    return [
        letters.measure(effort, stage, partial(_signed, stage)),
        row("PDF sign, B-B", "letters/s", limit, _OF_PYHANKO, pairs),
        row("PDF validate, B-B", "letters/s", validation, _OF_VALIDATION, both),
    ]


def _signed(stage: Stage, letter: bytes) -> bytes:
    step: Any = pades.prepare(letter, "B-B", stage.now, stage.now + _DAY, list(stage.issuer.chain))
    while "state" in step:
        step = pades.seal(step["state"], sign(stage.issuer_key, step["payload"]), stage.now)
    return bytes(step["pdf"])


def _roots(stage: Stage) -> tuple[bytes, ...]:
    return tuple(root for issuer in stage.trust.issuers.values() for root in issuer.roots)


def _validates(stage: Stage, letter: bytes) -> Call:
    purposes = frozenset({Purpose.DOCUMENT})

    def validate() -> None:
        opened = read.examined(letter)
        if opened is None:
            raise ValueError("the letter has lost its signature")
        for rule in rules.RULES[CheckId.DOCUMENT_INTEGRITY]:
            rule(opened)
        signed = read.told(opened.signatures[0], opened)
        digest = sha256(letter[: signed.start])
        digest.update(letter[signed.end : signed.size])
        cms.require_signed(signed.cms, cms.DATA, digest.digest(), signed.chain[0])
        verify_chain(tuple(signed.chain), _roots(stage), stage.now, purposes=purposes)

    return validate


def _validated_by_pyhanko(stage: Stage, letter: bytes, runner: asyncio.Runner) -> Call:
    moment = dt.datetime.fromtimestamp(stage.now, dt.UTC)
    roots = [asn1.Certificate.load(root) for root in _roots(stage)]

    async def validated() -> None:
        context = ValidationContext(trust_roots=roots, moment=moment, allow_fetching=False)
        (signature,) = PdfFileReader(BytesIO(letter)).embedded_signatures
        usage = KeyUsageConstraints(key_usage={"digital_signature"})
        status = await async_validate_pdf_signature(signature, context, key_usage_settings=usage)
        if not status.bottom_line:
            raise ValueError("pyHanko does not trust the letter")

    return lambda: runner.run(validated())


@dataclass(frozen=True, slots=True)
class _Session:
    """A session of a token with one key, as far as pyHanko's signer asks for either."""

    key: ec.EllipticCurvePrivateKey

    def get_objects(self, _attributes: Any) -> list[_Session]:
        """The one key."""
        return [self]

    def sign(self, digest: bytes, **_mechanism: Any) -> bytes:
        """``r||s`` over a digest, as PKCS#11 has it."""
        r, s = decode_dss_signature(self.key.sign(digest, ec.ECDSA(Prehashed(SHA256()))))
        return r.to_bytes(P256_BYTES, "big") + s.to_bytes(P256_BYTES, "big")


def _theirs(stage: Stage, letter: bytes, runner: asyncio.Runner) -> Call:
    session: Any = _Session(stage.issuer_key)
    leaf = asn1.Certificate.load(stage.issuer.chain[0])
    signer = PKCS11Signer(session, signing_cert=leaf, key_label="bench", use_raw_mechanism=True)
    said = PdfSignatureMetadata(
        field_name=pades.SIGNATURE_FIELD,
        md_algorithm="sha256",
        certify=True,
        docmdp_permissions=MDPPerm.NO_CHANGES,
        subfilter=SigSeedSubFilter.PADES,
    )

    async def sealed() -> Any:
        return await PdfSigner(said, signer).async_sign_pdf(IncrementalPdfFileWriter(BytesIO(letter)))

    return lambda: runner.run(sealed())
