"""The receipt of a check as PDF: what the signed JSON says and no more, signed by the key for receipts; no letter."""

from __future__ import annotations

import asyncio
import hashlib
import io
from dataclasses import replace
from typing import Any

import pikepdf
import pypdfium2
import pytest

from idverify.core.printed_receipt import PrintedReceipt
from idverify.core.verdict import CHECKS, Channel, Check, CheckId, Result, fold, verdict_of
from idverify.errors import Unavailable
from idverify.formats import cms, verification_receipt
from idverify.formats.pdf.render import render
from idverify.sandbox.answers import Round
from idverify.services import pdf_signing
from idverify.services.office import PAPER_SIGNER, STATUS_SIGNER, VERIFICATION_SIGNER
from idverify.services.receipt_pdf import make
from idverify.stores import queries
from idverify.web.letter.letterhead import PrintedLetterhead
from idverify.web.pages.verdict_words import SENTENCES
from idverify.web.pages.words import Language, translate
from tests.simulators.holder import asked, holding
from tests.simulators.pdf_oracle import judged
from tests.simulators.pdf_structure import Structure
from tests.simulators.pdf_ua import wrong_with
from tests.simulators.printed_letters import attached
from tests.simulators.software_office import SoftwareOffice

pytestmark = pytest.mark.drivers_alike

VERIFY, PDF = "/api/v1/verify", "/api/v1/verification-receipts/pdf"


async def checked(served: SoftwareOffice) -> dict[str, Any]:
    """The answer to a check of what somebody's wallet showed."""
    held = await holding(served.api)
    request = await asked(served.api, "employer")
    body = {
        "document": held.present(request, ["family_name", "work"]),
        "verification_request": request["verification_request"],
        "verification_receipt": True,
    }
    return await served.api.ok("POST", VERIFY, "employer", body)


async def printed(served: SoftwareOffice, receipt: str, language: str = "en", who: str = "employer") -> Any:
    """Status and body of the answer of whoever asks for the PDF."""
    headers = await served.api.identity(who)
    asked_for = {"verification_receipt": receipt, "language": language}
    async with served.api.session.post(served.api.deployment.url + PDF, json=asked_for, headers=headers) as response:
        return response.status, await response.read()


def text(pdf: bytes) -> str:
    """What stands on the sheet, in the order of its tags."""
    seen = Structure(pdf)
    words = [seen.pages[page].texts[mcid] for element in seen.elements() for page, mcid in element.marks()]
    return " ".join(" ".join(words).split())


@pytest.mark.parametrize("language", Language)
async def test_the_pdf_of_a_receipt(served: SoftwareOffice, language: Language) -> None:
    """It says who asked, of what, when, and each check with its sentence; nobody's name and no claim is on it."""
    answer = await checked(served)
    receipt = answer["verification_receipt"]
    status, pdf = await printed(served, receipt, language)
    assert status == 200
    assert attached(pdf) == {verification_receipt.FILE_NAME: receipt.encode()}
    _, said = verification_receipt.check(receipt.encode(), served.office.trust, served.office.clock.now())
    assert said is not None
    seen = "".join(text(pdf).split())
    for stated in (
        said["document"]["sha256"],
        said["claims_sha256"],
        said["relied_on"]["trust_sha256"],
        said["relied_on"]["status_list"]["sha256"],
        said["request"]["nonce_sha256"],
        "Example Employer Ltd",
        *(
            translate(language, SENTENCES[CheckId(one["id"]), Result.PASS])
            for one in said["verdict"]["checks"]
            if one["result"] == "pass"
        ),
        *(one["detail"] for one in said["verdict"]["checks"]),
    ):
        assert "".join(stated.split()) in seen
    assert "SPECIMEN" not in seen
    assert wrong_with(pdf) == {}
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        assert str(opened.Root.Lang) == language
        (relation,) = {str(spec.AFRelationship) for spec in opened.Root.AF}
        assert relation == "/Data"
    assert hashlib.sha256(receipt.encode()).hexdigest() in shown(pdf)
    assert all(margin > 17 for margin in right_margins(pdf))


def shown(pdf: bytes) -> str:
    """All that the first page shows, margins too, by a reader that knows nothing of tags."""
    page = pypdfium2.PdfDocument(pdf)[0]
    return "".join(page.get_textpage().get_text_bounded().split())


def right_margins(pdf: bytes) -> list[float]:
    """Millimetres that each page leaves free on the right."""
    margins = []
    for page in pypdfium2.PdfDocument(pdf):
        image = page.render(scale=2, grayscale=True).to_pil().point(lambda tone: 255 - tone)
        _, _, right, _ = image.getbbox()
        margins.append((image.width - right) / 2 * 25.4 / 72)
    return margins


async def test_it_is_no_letter(served: SoftwareOffice) -> None:
    """Checked as a document it is signed by us and holds no credential: referred, never accepted."""
    _, pdf = await printed(served, (await checked(served))["verification_receipt"])
    headers = {**await served.api.identity("officer"), "Content-Type": "application/pdf"}
    async with served.api.session.post(served.api.deployment.url + VERIFY, data=pdf, headers=headers) as response:
        found = await response.json()
    checks = {one["id"]: one for one in found["checks"]}
    assert (found["verdict"], found["type"], found["claims"]) == ("refer", None, None)
    assert checks["format"]["detail"] == "A signed PDF, which holds no credential."
    assert "for receipts of checks" in checks["issuer_trusted"]["detail"]
    assert {name: checks[name]["result"] for name in ("signature", "issuer_trusted", "document_integrity")} == {
        "signature": "pass",
        "issuer_trusted": "pass",
        "document_integrity": "pass",
    }
    changed = pdf + b"\n%more"
    async with served.api.session.post(served.api.deployment.url + VERIFY, data=changed, headers=headers) as response:
        assert (await response.json())["verdict"] == "reject"


async def test_pyhanko_agrees(served: SoftwareOffice) -> None:
    """Both signatures hold, nothing was changed, and each certificate is on good terms with a list in the file."""
    _, pdf = await printed(served, (await checked(served))["verification_receipt"])
    rows: list[Any] = await served.office.store.fetch(queries.CRLS, {})
    roots = [row["issuer_certificate"] for row in rows]
    signature, stamp = await judged(pdf, roots, served.office.clock.now() + 5)
    assert signature.bottom_line
    assert signature.docmdp_ok
    assert stamp.trusted


@pytest.mark.parametrize("receipt", ["", "eyJ.eyJ.sig", "junk", "\u00e9", "\x00"])
async def test_what_is_no_receipt(served: SoftwareOffice, receipt: str) -> None:
    """Nothing becomes a PDF of ours that we did not say."""
    assert (await printed(served, receipt))[0] == 422


async def test_a_changed_receipt(served: SoftwareOffice) -> None:
    """One letter of it is enough."""
    answer = await served.api.ok("POST", VERIFY, "officer", {"document": "junk", "verification_receipt": True})
    head, payload, signature = answer["verification_receipt"].split(".")
    swapped = payload[:40] + ("A" if payload[40] != "A" else "B") + payload[41:]
    assert (await printed(served, f"{head}.{swapped}.{signature}"))[0] == 422
    assert (await printed(served, answer["verification_receipt"], who="officer"))[0] == 200
    assert (await printed(served, "x" * (verification_receipt.MAX_RECEIPT + 1)))[0] == 400


async def test_without_the_token_there_is_none(served: SoftwareOffice) -> None:
    """Nothing was done; whoever asks comes back."""
    answer = await served.api.ok("POST", VERIFY, "employer", {"document": "junk", "verification_receipt": True})
    served.token.away = Unavailable("It was taken away.")
    assert (await printed(served, answer["verification_receipt"]))[0] == 503


async def test_the_loop_goes_on(served: SoftwareOffice) -> None:
    """While sheets are drawn the service answers at once."""
    answer = await served.api.ok("POST", VERIFY, "employer", {"document": "junk", "verification_receipt": True})
    await printed(served, answer["verification_receipt"])
    drawing = asyncio.gather(*(printed(served, answer["verification_receipt"]) for _ in range(4)))
    loop, longest = asyncio.get_running_loop(), 0.0
    while not drawing.done():
        before = loop.time()
        await asyncio.sleep(0.005)
        longest = max(longest, loop.time() - before)
    assert {status for status, _ in await drawing} == {200}
    assert longest < 0.25


class TakenOver:
    """A worker that asks for more than it needs."""

    def __init__(self, asks: Round) -> None:
        self._asks = asks

    async def do(self, _job: str, _arguments: Any) -> Round:
        """What it wants signed."""
        return self._asks


@pytest.mark.parametrize(
    ("role", "payload"),
    [
        (STATUS_SIGNER, cms.signed_attributes(cms.DATA, bytes(32), b"leaf")),
        (PAPER_SIGNER, cms.signed_attributes(cms.DATA, bytes(32), b"leaf")),
        (VERIFICATION_SIGNER, b"eyJhbGciOiJFUzI1NiJ9.e30"),
        (VERIFICATION_SIGNER, b""),
    ],
)
async def test_a_worker_gets_no_other_signature(served: SoftwareOffice, role: str, payload: bytes) -> None:
    """Another key, or bytes that are no part of a PDF's signature, are not signed."""
    office = replace(served.office, sandbox=TakenOver(Round(role=role, payload=payload, state=b"")))
    signer = office.keys.issuer(VERIFICATION_SIGNER)
    with pytest.raises(Unavailable, match="another signature"):
        await pdf_signing.signed(office, b"%PDF-", VERIFICATION_SIGNER, signer, office.clock.now())


async def test_another_service_of_whom_we_think_well(served: SoftwareOffice) -> None:
    """Its receipts are genuine, and not ours to print."""
    answer = await served.api.ok("POST", VERIFY, "employer", {"document": "junk", "verification_receipt": True})
    other = replace(served.office, deployment=replace(served.office.deployment, iss="https://another.example"))
    with pytest.raises(Exception, match="no receipt of this service"):
        await make(other, await served.principal("officer"), answer["verification_receipt"].encode(), "en")


def sheet(channel: Channel, result: Result, language: str, **document: Any) -> bytes:
    """The drawn sheet of a receipt where every check had the same result."""
    checks = [Check(name, result, "As it was.") for name in CHECKS[channel]]
    relied = {"trust_sha256": "0" * 64, "revocations_until": None, "status_list": None}
    said = {
        "iss": "https://id.example",
        "iat": 1_777_809_600,
        "checked_by": {"organisation": "A & B <Ltd>", "role": "officer", "purpose": None},
        "document": {"sha256": "1" * 64, "format": None, "type": None, "channel": channel} | document,
        "verdict": fold(checks, channel).to_json(),
        "claims_sha256": None,
        "relied_on": relied,
        "request": None,
    }
    html = PrintedLetterhead().receipt(PrintedReceipt(said, "2" * 64, "Utopia", language, demo=True))
    return render(html, {}, {verification_receipt.FILE_NAME: b"a.b.c"}, 1_777_809_600)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # WeasyPrint leaves the file of its colour profile open
@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("result", Result)
def test_every_result_has_its_sentence(result: Result, language: Language) -> None:
    """Whatever was found, of paper, which has every check, in both languages; what is missing is told."""
    pdf = sheet(Channel.PAPER, result, language)
    seen = text(pdf)
    assert "A & B <Ltd>" in seen
    assert wrong_with(pdf) == {}
    if language is Language.CY:
        assert "It could not be read" not in seen
        assert "Every check" not in seen


def test_a_verdict_is_read_as_it_was_written() -> None:
    """Evidence too; and what is none is refused."""
    verdict = fold([Check(CheckId.FORMAT, Result.FAIL, "No.", {"rule": "jws"})], Channel.DOCUMENT)
    assert verdict_of(verdict.to_json()) == verdict
    for wrong in ({}, {"verdict": "maybe", "checks": [], "next_step": ""}, {"checks": [1]}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            verdict_of(wrong)
