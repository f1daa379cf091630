"""Letters as PDF: drawn (``letters``), signed in rounds, against pyHanko's own signer for tokens, and validated.

Both sides sign the same letter at level B-B by PKCS#11 with the same key of the same token, ours through the HSM's
workers, which are counted, pyHanko's signer in a process of its own. Ours also verifies each signature, and once more
as it is read again from the letter's bytes.

Both sides validate the same signed letter: the signature over what it covers, the signer's path, what was changed
later. Ours also looks through the whole document for what no letter has; drawing its pages is in neither.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import orjson
import weasyprint
from asn1crypto import x509 as asn1
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator import ValidationContext

from hsm.rows import Pair, Row, row
from idverify.app.bench import letters
from idverify.app.bench.deployment import provisioned
from idverify.app.bench.effort import Effort
from idverify.app.bench.programs import answer_of, cost_of
from idverify.app.bench.stage import Stage, sign
from idverify.app.bench.stage import stage as made_stage
from idverify.app.services import open_office
from idverify.config import Config
from idverify.core.verdict import CheckId
from idverify.formats import cms
from idverify.formats.pdf import read, rules
from idverify.formats.pdf import sign as pades
from idverify.formats.x509 import Purpose, verify_chain
from idverify.services.office import PAPER_SIGNER, Office

_OF_PYHANKO: Final = 1.5
_OF_VALIDATION: Final = 0.9
_DAY: Final = 86_400
_LETTER: Final = """<html lang="en"><head><title>Letter</title></head><body><h1>Your status</h1>
<table><tr><th scope="row">Name</th><td>Ada Example</td></tr><tr><th scope="row">Work</th><td>20 hours a week</td></tr>
</table></body></html>"""

Validation = Callable[[], Awaitable[None]]


async def measure(effort: Effort) -> list[Row]:
    """Drawn, signed, and validated."""
    letter: bytes = weasyprint.HTML(string=_LETTER).write_pdf(pdf_variant="pdf/a-3a", pdf_tags=True)
    with tempfile.TemporaryDirectory(prefix="idverify-bench-") as name:
        config = await provisioned(Path(name) / "data")
        async with open_office(config, None) as office:
            paper = await letters.measure(effort, office.clock.now(), partial(_signed, office))
            return [paper, await _signs(effort, office, config, letter), await _validates(effort, letter)]


async def _signs(effort: Effort, office: Office, config: Config, letter: bytes) -> Row:
    """Both sides by PKCS#11 with the key of letters, which does not leave its token."""
    paper, token, seconds = office.keys.issuer(PAPER_SIGNER), config.online, effort.probe_seconds
    asked = {
        "module": str(token.module),
        "configuration": None if token.softhsm_conf is None else str(token.softhsm_conf),
        "label": token.label,
        "pin_file": str(token.pin_file),
        "key": paper.key_id.hex(),
        "chain": [certificate.hex() for certificate in paper.chain],
        "letter": letter.hex(),
        "seconds": seconds,
    }
    pairs = []
    for _ in range(effort.rounds):
        ours = await cost_of(lambda: _signed(office, letter), seconds)
        pairs.append(Pair(ours, float(await answer_of("idverify.app.bench.pyhanko_signer", orjson.dumps(asked)))))
    limit = "pyHanko's PKCS11Signer with its defaults: the same letter, key, certificates and token"
    return row("PDF sign, B-B", "letters/s", limit, _OF_PYHANKO, pairs)


async def _signed(office: Office, letter: bytes) -> bytes:
    now, paper = office.clock.now(), office.keys.issuer(PAPER_SIGNER)
    step: Any = pades.prepare(letter, "B-B", now, now + _DAY, list(paper.chain))
    while "state" in step:
        step = pades.seal(step["state"], await office.signer.sign(paper.key_id, step["payload"]), now)
    return bytes(step["pdf"])


async def _validates(effort: Effort, letter: bytes) -> Row:
    stage, seconds = made_stage("urn:example:bench:1"), effort.probe_seconds
    step: Any = pades.prepare(letter, "B-B", stage.now, stage.now + _DAY, list(stage.issuer.chain))
    sealed: Any = pades.seal(step["state"], sign(stage.issuer_key, step["payload"]), stage.now)
    ours, theirs = _validated(stage, sealed["pdf"]), _validated_by_pyhanko(stage, sealed["pdf"])
    pairs = [Pair(await cost_of(ours, seconds), await cost_of(theirs, seconds)) for _ in range(effort.rounds)]
    limit = "pyHanko's async_validate_pdf_signature: the same letter and root"
    return row("PDF validate, B-B", "letters/s", limit, _OF_VALIDATION, pairs)


def _roots(stage: Stage) -> tuple[bytes, ...]:
    return tuple(root for issuer in stage.trust.issuers.values() for root in issuer.roots)


def _validated(stage: Stage, letter: bytes) -> Validation:
    purposes = frozenset({Purpose.DOCUMENT})

    async def validate() -> None:
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


def _validated_by_pyhanko(stage: Stage, letter: bytes) -> Validation:
    moment = dt.datetime.fromtimestamp(stage.now, dt.UTC)
    roots = [asn1.Certificate.load(root) for root in _roots(stage)]

    async def validated() -> None:
        context = ValidationContext(trust_roots=roots, moment=moment, allow_fetching=False)
        (signature,) = PdfFileReader(BytesIO(letter)).embedded_signatures
        usage = KeyUsageConstraints(key_usage={"digital_signature"})
        status = await async_validate_pdf_signature(signature, context, key_usage_settings=usage)
        if not status.bottom_line:
            raise ValueError("pyHanko does not trust the letter")

    return validated
