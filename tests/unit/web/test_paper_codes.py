"""A paper code, typed or photographed, through every door, with a network or without."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import FormData
from PIL import Image, ImageFilter

from idverify.cli import app
from idverify.core.credential import Credential, day_rounded
from idverify.formats import carriers, x509
from idverify.formats.images import MAX_IMAGE
from idverify.formats.qr_image import write_code
from idverify.services import trust
from idverify.services.office import PAPER_SIGNER
from tests.simulators.holder import Holding, decided_by_two, failed, holding, results
from tests.simulators.plain_browser import PlainBrowser
from tests.simulators.service import VCT
from tests.simulators.signed_in import STAFF
from tests.simulators.software_office import SoftwareOffice

CLAIMS = {"family_name": "SPECIMEN", "given_name": "Ada", "work": {"allowed": "yes"}, "permission_end": None}


@dataclass
class Letter:
    """Somebody's paper code, which shares the fate of the copy in their wallet."""

    served: SoftwareOffice
    held: Holding
    code: bytes

    def photo(self) -> bytes:
        """The code on paper, photographed askew and a little out of focus."""
        code = Image.open(io.BytesIO(write_code(self.code.decode(), "png", 6))).convert("L")
        paper = Image.new("L", (code.width + 300, code.height + 300), 240)
        paper.paste(code, (150, 150))
        buffer = io.BytesIO()
        paper.rotate(3, expand=True, fillcolor=200).filter(ImageFilter.GaussianBlur(1)).save(buffer, "JPEG", quality=40)
        return buffer.getvalue()

    def scan(self) -> bytes:
        """The same as a PDF that nobody signed."""
        buffer = io.BytesIO()
        Image.open(io.BytesIO(self.photo())).save(buffer, "PDF", resolution=200)
        return buffer.getvalue()

    async def post(self, body: bytes | FormData, content_type: str | None = None) -> dict[str, Any]:
        """The answer of the API."""
        headers = await self.served.api.identity("employer")
        if content_type is not None:
            headers["Content-Type"] = content_type
        data = io.BytesIO(body) if isinstance(body, bytes) else body
        url = self.served.api.deployment.url + "/api/v1/verify"
        async with self.served.api.session.post(url, data=data, headers=headers) as response:
            assert response.status == 200, await response.text()
            answer: dict[str, Any] = orjson.loads(await response.read())
            return answer


@pytest.fixture
async def letter(served: SoftwareOffice) -> Letter:
    """One that was signed today."""
    held = await holding(served.api)
    code, name = b"", "Ada"
    while b" " not in code:  # the digit that careless programs lose
        name += "a"
        code = await issued(served, held, CLAIMS | {"given_name": name})
    return Letter(served, held, code)


async def issued(served: SoftwareOffice, held: Holding, claims: dict[str, Any]) -> bytes:
    """A code with the status of a copy."""
    office, form = served.office, carriers.FORMATS["idv1"]
    status = carriers.FORMATS["dc+sd-jwt"].read(held.credential.encode()).status
    assert status is not None
    now = office.clock.now()
    signer = office.keys.issuer(PAPER_SIGNER)
    credential = Credential(VCT, claims, frozenset(), day_rounded(now), now + 90 * 86_400, status, None)
    unsigned = form.prepare(credential, signer, office.entropy)
    code = form.seal(unsigned, await office.signer.sign(signer.key_id, unsigned.payload))
    assert isinstance(code, bytes)
    assert x509.key_id(signer.chain[0]) == signer.key_id
    return code


async def test_every_media_type(letter: Letter) -> None:
    """As text in lines, in JSON, as a photo alone or in a form: accepted, and what the purpose allows is told."""
    form = FormData()
    form.add_field("file", letter.photo(), filename="photo.jpg")
    lines = letter.code[:50] + b"\r\n" + letter.code[50:] + b"\r\n"
    answers = [
        await letter.post(lines, "text/plain"),
        await letter.post(orjson.dumps({"document": letter.code.decode()}), "application/json"),
        await letter.post(letter.photo(), "image/jpeg"),
        await letter.post(letter.photo(), "application/octet-stream"),
        await letter.post(letter.scan(), "application/pdf"),
        await letter.post(form),
    ]
    for answer in answers:
        assert (answer["verdict"], answer["type"]) == ("accept", VCT)
        assert results(answer)["holder_binding"] == "not_applicable"
        assert answer["claims"]["family_name"] == "SPECIMEN"


async def test_a_withdrawn_copy_is_rejected(letter: Letter) -> None:
    """Paper can be revoked: its status is in the same list."""
    await decided_by_two(letter.served.api, letter.held.person, "revoke", "fraud-found")
    assert failed(await letter.post(letter.photo(), "image/jpeg")) == ["status"]


async def test_images_that_hold_no_code(letter: Letter) -> None:
    """A verdict and no error: nothing in it, two letters in it, no image at all, one that is too large."""
    other = await issued(letter.served, letter.held, CLAIMS | {"given_name": "Eve"})
    codes = [Image.open(io.BytesIO(write_code(one.decode(), "png", 4))) for one in (letter.code, other)]
    two = Image.new("L", (codes[0].width + codes[1].width, max(code.height for code in codes)), 255)
    two.paste(codes[0], (0, 0))
    two.paste(codes[1], (codes[0].width, 0))
    hostile = {
        "code-found": png(Image.new("L", (300, 300), 255)),
        "one-code": png(two),
        "image": b"\x89PNG\r\n\x1a\n" + b"no image",
        "size": b"\xff\xd8\xff" + bytes(MAX_IMAGE),
        "pdf": b"%PDF-1.7\nno PDF",
        "pixels": png(Image.new("1", (8000, 6300))),
    }
    for rule, image in hostile.items():
        answer = await letter.post(image, "application/octet-stream")
        assert answer["verdict"] == "reject", rule
        assert [check["evidence"]["rule"] for check in answer["checks"] if "evidence" in check] == [rule]


def png(image: Image.Image) -> bytes:
    """An image as a file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


async def test_an_officer_drops_a_photo(letter: Letter) -> None:
    """On the page that takes anything."""
    browser = PlainBrowser(letter.served.api.session, letter.served.api.deployment.url, "en")
    await browser.enrol(await letter.served.api.deployment.invite(STAFF["second"]))
    page = await browser.open("/officer/verify")
    verdict = await browser.fill(page, "/officer/verify", file=letter.photo())
    assert verdict.heading == "Accepted"
    assert "SPECIMEN" in verdict.text
    scanned = await browser.fill(page, "/officer/verify", file=letter.scan())
    assert scanned.heading == "Accepted"
    pasted = await browser.fill(page, "/officer/verify", document=letter.code.decode())
    assert pasted.heading == "Accepted"


@pytest.mark.parametrize("form", ["text", "photo", "scan"])
async def test_without_a_network(letter: Letter, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    """Green while the status in the bundle is young, then amber; asking nobody."""
    office = letter.served.office
    (tmp_path / "bundle.jwt").write_bytes(await trust.export(office))
    (tmp_path / "paper").write_bytes(
        {"text": letter.code + b"\n", "photo": letter.photo(), "scan": letter.scan()}[form]
    )
    root = hashlib.sha256(office.trust.issuers[office.deployment.iss].roots[0]).hexdigest()
    asked = [str(tmp_path / "paper"), "--offline", str(tmp_path / "bundle.jwt"), "--root-sha256", root]
    assert await verify(*asked) == 0
    letter.served.clock.advance(3600)
    assert await verify(*asked, "--at", moment(office.clock.now())) == 2
    assert "as of" in capsys.readouterr().out


async def verify(*arguments: str) -> int:
    """The command's exit status."""
    return int(await asyncio.to_thread(app, ["verify", *arguments], standalone_mode=False))


def moment(at: int) -> str:
    """A time as the command takes it."""
    return dt.datetime.fromtimestamp(at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
