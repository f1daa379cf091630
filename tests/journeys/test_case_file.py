"""A receipt for the case file over real tokens: other readers trust the PDF, and no check takes it for a letter."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from idverify.services.branches import BRANCHES
from tests.journeys.conftest import Command
from tests.simulators.contract import JudgedApi
from tests.simulators.holder import asked, holding
from tests.simulators.pdf_oracle import judged
from tests.simulators.pdf_ua import wrong_with
from tests.simulators.service import Deployment

pytestmark = pytest.mark.drivers_alike

PDF = "/api/v1/verification-receipts/pdf"


async def _bytes(api: JudgedApi, path: str) -> bytes:
    async with api.session.get(api.deployment.url + path) as response:
        return await response.read()


def _read_by_others(path: Path, receipt: str) -> None:
    """``pdfsig`` says nothing of time stamps."""
    if shutil.which("pdfsig") is None or shutil.which("qpdf") is None:
        pytest.skip("needs poppler-utils and qpdf")
    said = subprocess.run(["pdfsig", "-nocert", path], capture_output=True, text=True, check=True).stdout
    assert said.count("Signature is Valid") == 1
    assert "ETSI.CAdES.detached" in said
    assert subprocess.run(["qpdf", "--check", path], capture_output=True, text=True, check=False).returncode == 0
    subprocess.run(["pdfdetach", "-saveall", "-o", path.parent, path], check=True)
    assert (path.parent / "verification-receipt.jwt").read_text() == receipt


@pytest.mark.parametrize("language", ["en", "cy"])
async def test_the_receipt_of_an_employer(
    api: JudgedApi, idverify: Command, deployment: Deployment, tmp_path: Path, language: str
) -> None:
    """pyHanko, ``pdfsig`` and ``qpdf`` agree; the attached JSON is the receipt; as a document it is referred."""
    held = await holding(api)
    request = await asked(api, "employer")
    body = {
        "document": held.present(request, ["family_name", "work"]),
        "verification_request": request["verification_request"],
        "verification_receipt": True,
    }
    receipt = (await api.ok("POST", "/api/v1/verify", "employer", body))["verification_receipt"]
    headers = await api.identity("employer")
    wish = {"verification_receipt": receipt, "language": language}
    async with api.session.post(deployment.url + PDF, json=wish, headers=headers) as response:
        assert (response.status, response.content_type) == (200, "application/pdf")
        pdf = await response.read()
    path = tmp_path / "receipt.pdf"
    path.write_bytes(pdf)

    assert wrong_with(pdf) == {}
    roots = await asyncio.gather(*(_bytes(api, branch.certificate_path) for branch in BRANCHES))
    signature, stamp = await judged(pdf, roots, int(time.time()) + 5)
    assert (signature.bottom_line, signature.docmdp_ok, stamp.trusted) == (True, True, True)

    found = await idverify(
        "api", "POST", f"{deployment.url}/api/v1/verification-receipts/pdf", '{"verification_receipt": "a.b.c"}'
    )
    assert (found.status, found.output) == (1, "")

    headers |= {"Content-Type": "application/pdf"}
    async with api.session.post(deployment.url + "/api/v1/verify", data=pdf, headers=headers) as response:
        verdict = await response.json()
    assert (verdict["verdict"], verdict["claims"]) == ("refer", None)
    issuer = next(check for check in verdict["checks"] if check["id"] == "issuer_trusted")
    assert (issuer["result"], "for receipts of checks" in issuer["detail"]) == ("pass", True)

    await asyncio.to_thread(_read_by_others, path, receipt)
