"""Letters drawn and signed, against WeasyPrint alone: the same HTML and pictures, with its defaults.

Ours makes the HTML of the claims, draws it, adds what tags and texts lack, and signs at level B-B with the HSM, whose
workers are counted.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any, Final

import weasyprint

from hsm.rows import Pair, Row, row
from idverify.app.bench.effort import Effort
from idverify.app.bench.programs import cost_of
from idverify.core.letter import LetterContent
from idverify.formats.pdf.attachments import CREDENTIAL, RECEIPT
from idverify.formats.pdf.render import SCHEME, VARIANT, render
from idverify.formats.qr_image import write_code
from idverify.web.letter.letterhead import PrintedLetterhead

_TARGET: Final = 0.7
_CODE: Final = "IDV1:" + "A9B%" * 150
_ATTACHED: Final = {CREDENTIAL: b"A" * 4096, RECEIPT: b"B" * 1024}
_CONTENT: Final = LetterContent(
    template="immigration_status",
    type_name="Immigration status",
    claims={
        "family_name": "Example",
        "given_name": "Nia",
        "birthdate": "1990-05-03",
        "nationalities": ["UT"],
        "picture": "data:image/jpeg;base64,",
        "status_type": {"code": "SKILLED-WORKER", "text": "Skilled worker"},
        "permission_start": "2026-01-01",
        "permission_end": None,
        "work": {"allowed": "limited", "hours_per_week": 20},
        "study": {"allowed": "yes"},
        "rent": {"allowed": "yes"},
        "travel": {"allowed": "yes"},
        "public_funds": {"recourse": False},
        "status_reference": "0123456789abcdef" * 2,
        "decision_date": "2025-12-20",
        "issuing_authority": "Example Immigration Office",
        "issuing_country": "UT",
    },
    authority="Example Immigration Office",
    language="en",
    large=False,
    portrait_in_code=False,
    reference="7K4M-22PX-9QQA",
    issued_on=dt.date(2026, 1, 1),
    expires_on=dt.date(2029, 1, 1),
    check_at="https://id.example/verify",
)


async def measure(effort: Effort, at: int, sign: Callable[[bytes], Awaitable[bytes]]) -> Row:
    """``sign`` gives a letter its signature, all rounds of it; ``at`` is when, Unix seconds."""
    letterhead = PrintedLetterhead()
    portrait = files("idverify.app").joinpath("portraits", "nia.jpg").read_bytes()
    pictures = {"code": write_code(_CODE, "png"), "portrait": portrait}

    async def ours() -> bytes:
        return await sign(render(letterhead.html(_CONTENT), pictures, _ATTACHED, at))

    alone = letterhead.html(_CONTENT)
    for name, picture in pictures.items():
        alone = alone.replace(f"{SCHEME}{name}", f"data:;base64,{base64.b64encode(picture).decode()}")

    async def theirs() -> Any:
        attached = [weasyprint.Attachment(string=content, name=name) for name, content in _ATTACHED.items()]
        return weasyprint.HTML(string=alone).write_pdf(pdf_variant=VARIANT, attachments=attached)

    seconds = effort.probe_seconds
    pairs = [Pair(await cost_of(ours, seconds), await cost_of(theirs, seconds)) for _ in range(effort.rounds)]
    limit = "WeasyPrint alone with its defaults: the same HTML, pictures and attachments"
    return row("PDF render and sign, B-B", "letters/s", limit, _TARGET, pairs)
