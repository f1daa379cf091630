"""``idverify verify``: whatever file it is, several at once, and nobody is asked."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from idverify.cli import app
from idverify.cli.output import WrongUsage
from idverify.services import trust
from tests.simulators.holder import Holding, asked, decided_by_two, holding_with_receipt
from tests.simulators.software_office import SoftwareOffice


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    status: int
    said: str

    def json(self) -> Any:
        """What it printed for machines."""
        return orjson.loads(self.said)


class Desk:
    """A verifier without a network, with a bundle and a credential in files."""

    def __init__(self, place: Path, held: Holding, root: bytes, capsys: pytest.CaptureFixture[str]) -> None:
        self.place, self.held, self.root, self._capsys = place, held, hashlib.sha256(root).hexdigest(), capsys

    def file(self, name: str, content: bytes) -> str:
        """A file with this content."""
        (self.place / name).write_bytes(content)
        return str(self.place / name)

    async def verify(self, *arguments: str) -> Done:
        """The command with the bundle."""
        bundle = str(self.place / "bundle.jwt")
        return await self.run(*arguments, "--offline", bundle, "--root-sha256", self.root)

    async def run(self, *arguments: str) -> Done:
        """The command, on a thread: it has an event loop of its own."""
        self._capsys.readouterr()
        try:
            status = await asyncio.to_thread(app, ["verify", *arguments], standalone_mode=False)
        except WrongUsage as wrong:
            return Done(64, str(wrong))
        return Done(status, self._capsys.readouterr().out)


@pytest.fixture
async def desk(served: SoftwareOffice, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    """With a credential whose status is in the bundle, and its receipt."""
    held = await holding_with_receipt(served)
    (tmp_path / "bundle.jwt").write_bytes(await trust.export(served.office))
    return Desk(tmp_path, held, served.office.trust.issuers[served.office.deployment.iss].roots[0], capsys)


async def test_one_file_however_it_is_written(desk: Desk) -> None:
    """In lines, as base64, as a wallet prints it with its receipt."""
    credential = desk.held.credential.encode()
    printed = orjson.dumps({"document": credential.decode(), "receipt": desk.held.answer["receipt"]})
    ways = [credential + b"\n", credential[:50] + b"\n" + credential[50:], base64.b64encode(credential), printed]

    for number, way in enumerate(ways):
        result = await desk.verify(desk.file(f"file {number}", way), "--json")
        assert (result.status, result.json()["verdict"]) == (2, "refer"), result.said


async def test_several_files_and_the_worst_decides(desk: Desk) -> None:
    """Each has its verdict, by its name; bytes that are no document are one of them."""
    good, junk = desk.file("good", desk.held.credential.encode()), desk.file("junk", b"\xa2\x00\xff\n")

    result = await desk.verify(good, junk, "--json")
    assert [(one["file"], one["verdict"]) for one in result.json()] == [(good, "refer"), (junk, "reject")]
    assert result.status == 1
    assert (await desk.verify(good, good)).status == 2
    said = (await desk.verify(good, junk)).said
    assert all(f"{name}:" in said for name in (good, junk))
    assert (await desk.verify(good, junk, "--nonce", "n", "--audience", "a")).status == 64


async def test_standard_input(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dash is what comes in, whatever its bytes."""
    for given, status in ((desk.held.credential.encode(), 2), (b"\x00\xff", 1)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        assert (await desk.verify("-")).status == status


async def test_the_receipt_of_a_check(desk: Desk, served: SoftwareOffice) -> None:
    """It is a carrier like any other: accepted offline, told what it says; changed by one byte it is rejected."""
    request = await asked(served.api, "employer")
    document = desk.held.present(request, ["work"])
    body = {
        "document": document,
        "verification_request": request["verification_request"],
        "verification_receipt": True,
    }
    receipt = (await served.api.ok("POST", "/api/v1/verify", "employer", body))["verification_receipt"].encode()
    later = ("--at", "2026-12-01T00:00:00Z")

    accepted = await desk.verify(desk.file("receipt", receipt + b"\n"), *later)
    assert accepted.status == 0, accepted.said
    assert "Example Employer Ltd (relying-party, purpose work)" in accepted.said
    assert "The receipt is genuine. The document was: ACCEPTED" in accepted.said
    assert (await desk.verify(desk.file("receipt", receipt), *later, "--json")).json()["receipt"]["iss"]
    assert hashlib.sha256(document.encode()).hexdigest() in accepted.said

    changed = receipt[:-9] + (b"A" if receipt[-9:-8] != b"A" else b"B") + receipt[-8:]
    result = await desk.verify(desk.file("changed", changed), *later)
    assert (result.status, "Example Employer Ltd" in result.said) == (1, False)
    assert (await desk.verify(desk.file("receipt", receipt), "--nonce", "n", "--audience", "a")).status == 64
    assert (await desk.run(str(desk.place / "receipt"))).status == 64


async def test_a_receipt_of_a_rejection_reads_as_one(desk: Desk, served: SoftwareOffice) -> None:
    """The receipt is accepted, the document was not: both words stand there, with the check that failed."""
    body = {"document": "no document", "verification_receipt": True}
    receipt = (await served.api.ok("POST", "/api/v1/verify", "employer", body))["verification_receipt"].encode()

    done = await desk.verify(desk.file("receipt", receipt), "--at", "2026-12-01T00:00:00Z")
    assert done.status == 0
    assert "The receipt is genuine. The document was: REJECTED" in done.said
    assert "FAIL  format             This is no credential in a format known here" in done.said


async def test_what_answers_a_request_says_which_options_are_missing(desk: Desk, served: SoftwareOffice) -> None:
    """Without the request nobody knows who shows it: --nonce and --audience are asked for, and only then."""
    request = await asked(served.api, "employer")
    answer = desk.file("answer", desk.held.present(request, ["work"]).encode())
    hint = "give --nonce and --audience as they stand in that request"

    assert hint in (await desk.verify(answer)).said
    named = await desk.verify(answer, "--nonce", request["nonce"], "--audience", request["audience"])
    assert (named.status, hint in named.said) == (0, False), named.said
    assert hint not in (await desk.verify(desk.file("document", desk.held.credential.encode()))).said


@pytest.mark.parametrize("given", ["00", "zz", "0" * 63, "0" * 128])
async def test_a_fingerprint_is_64_hex_digits(desk: Desk, given: str) -> None:
    """Anything else is said to be none, and not to be missing in the bundle."""
    document = desk.file("document", desk.held.credential.encode())
    done = await desk.run(document, "--offline", str(desk.place / "bundle.jwt"), "--root-sha256", given)

    assert (done.status, "--root-sha256 must be 64 hex digits" in done.said) == (64, True), done.said


async def test_a_time_before_the_bundles_signer(desk: Desk) -> None:
    """A bundle says nothing of a time at which its signer was not certified yet: the time is named."""
    done = await desk.verify(desk.file("document", desk.held.credential.encode()), "--at", "2001-01-01")

    assert (done.status, "cannot be relied on at 2001-01-01" in done.said) == (64, True), done.said


async def test_an_older_bundle_hides_nothing(desk: Desk, served: SoftwareOffice) -> None:
    """Whoever saw the newer list takes no older one from then on; whoever did not cannot tell."""
    document, seen = desk.file("document", desk.held.credential.encode()), str(desk.place / "seen")
    await decided_by_two(served.api, desk.held.person, "revoke", "fraud-found")
    served.clock.advance(1)
    old, new = (desk.place / "bundle.jwt").read_bytes(), await trust.export(served.office)

    async def status(*arguments: str, of: str = "status") -> str:
        answer = (await desk.verify(document, *arguments, "--json")).json()
        return str(next(check["result"] for check in answer["checks"] if check["id"] == of))

    assert await status("--seen", seen) == "pass"
    (desk.place / "bundle.jwt").write_bytes(new)
    assert await status("--seen", seen) == "fail"
    (desk.place / "bundle.jwt").write_bytes(old)
    assert await status("--seen", seen) == "unknown"
    assert await status("--seen", seen, of="issuer_trusted") == "unknown"
    assert await status() == await status(of="issuer_trusted") == "pass"
    desk.file("seen", b"[]")
    assert (await desk.verify(document, "--seen", seen)).status == 64
