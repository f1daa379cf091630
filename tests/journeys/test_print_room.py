"""Letters on paper over real tokens: at a counter for somebody who has a slip, and in a print room for many."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from idverify.core.policy import Role
from idverify.formats.carriers import FORMATS
from idverify.ledger.receipt import said_type
from idverify.services.branches import BRANCHES
from idverify.services.invite import Invited
from tests.journeys.conftest import Command
from tests.simulators.contract import JudgedApi
from tests.simulators.pdf_oracle import judged
from tests.simulators.printed_letters import attached
from tests.simulators.service import VCT, Deployment

ROOTS = tuple(branch.certificate_path for branch in BRANCHES)


async def _get(api: JudgedApi, path: str, who: str | None) -> tuple[int, bytes]:
    headers = await api.identity(who)
    async with api.session.get(api.deployment.url + path, headers=headers) as response:
        return response.status, await response.read()


async def test_somebody_without_a_phone_collects_a_letter(api: JudgedApi, deployment: Deployment) -> None:
    """One officer hands out a slip, another prints at another counter; pyHanko trusts what the person takes home."""
    person = await api.person_with_status()
    slip = await api.ok("POST", f"/api/v1/people/{person}/letter-codes", "officer", {"type": VCT})
    asked = {"type": VCT, "code": slip["code"].lower(), "purpose": "work", "language": "cy", "large_print": True}
    made = await api.ok("POST", "/api/v1/letters/collection", "second", asked)
    status, pdf = await _get(api, made["file"], "second")
    assert (status, (await _get(api, made["file"], "second"))[1]) == (200, pdf)

    credential = FORMATS["dc+sd-jwt"].read(attached(pdf)["credential.sdjwt"])
    assert {"family_name", "work"} <= credential.claims.keys()
    assert "birthdate" not in credential.claims
    (listed,) = (await api.ok("GET", f"/api/v1/people/{person}/letters", "officer"))["letters"]
    assert (listed["letter"], listed["sha256"]) == (made["letter"], hashlib.sha256(pdf).hexdigest())
    looks = (await api.ok("GET", f"/api/v1/people/{person}", "officer"))["looks"]
    assert {look["channel"] for look in looks} >= {"letter", "letter-code"}
    roots = [root for _, root in await asyncio.gather(*(_get(api, path, None) for path in ROOTS))]
    made_at = int(dt.datetime.fromisoformat(listed["made_at"]).timestamp())
    signatures = await judged(pdf, roots, made_at + 60)
    assert len(signatures) == 2
    assert all(one.intact and one.valid and one.trusted for one in signatures)


@pytest.fixture
async def printer(idverify: Command, deployment: Deployment, tmp_path: Path) -> Path:
    """The security key of an officer of the print room, in a file."""
    code = await deployment.invite(Invited(Role.OFFICER, f"Piet of {tmp_path.name}".replace("_", " ")))
    joined = await idverify("securitykey", "enrol", f"{deployment.url}/enrol/{code}", "--key", tmp_path / "key")
    assert joined.status == 0
    return tmp_path / "key"


async def test_a_print_room(
    api: JudgedApi, idverify: Command, deployment: Deployment, printer: Path, tmp_path: Path
) -> None:
    """A list is confirmed once and comes as files; what was lost of them is fetched again, and nothing else."""
    people = [await api.person_with_status() for _ in range(3)]
    (tmp_path / "people").write_text("\n".join(people) + "\n")
    output = tmp_path / "letters"
    ordered = await idverify(
        *("letter", "order", deployment.url, tmp_path / "people", "--security-key", printer),
        *("--output", output, "--purpose", "rent", "--json"),
    )
    assert (ordered.status, ordered.json["made"]) == (0, 3)
    assert '"act":"print-letters"' in ordered.errors
    files = [Path(one["file"]) for one in ordered.json["letters"]]
    before = [file.read_bytes() for file in files]
    assert all(pdf.startswith(b"%PDF-") for pdf in before)
    receipts = [Path(one["receipt"]) for one in ordered.json["letters"]]
    assert [said_type(receipt.read_bytes()) for receipt in receipts] == ["letter.made"] * 3

    files[0].unlink()
    files[1].write_bytes(b"half of it")
    receipts[2].unlink()
    (tmp_path / "api-key").write_text(deployment.keys["register"])
    fetched = await idverify(
        *("letter", "fetch", deployment.url, ordered.json["batch"], "--key", tmp_path / "api-key", "--output", output)
    )
    assert (fetched.status, "3 of 3 letters" in fetched.output) == (0, True)
    assert [file.read_bytes() for file in files] == before
    assert receipts[2].exists()
    await _offline(api, idverify, files[0], receipts[0], receipts[1], tmp_path)
    status, archive = await _get(api, f"/api/v1/letter-batches/{ordered.json['batch']}/letters", "officer")
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert (status, opened.testzip()) == (200, None)
        assert sorted(map(opened.read, opened.namelist())) == sorted(before)
    for person in people:
        looks = (await api.ok("GET", f"/api/v1/people/{person}", "officer"))["looks"]
        assert ("letter", "viewed") in {(look["channel"], look["verdict"]) for look in looks}


async def _offline(api: JudgedApi, idverify: Command, letter: Path, own: Path, other: Path, folder: Path) -> None:
    """The letter and its receipt before whoever has a trust bundle; the receipt of another letter rejects."""
    _, root = await _get(api, ROOTS[0], None)
    _, bundle = await _get(api, "/api/v1/trust-bundle", None)
    (folder / "bundle").write_bytes(bundle)
    known = ("--offline", folder / "bundle", "--root-sha256", hashlib.sha256(root).hexdigest(), "--json")
    held = await idverify("verify", letter, "--receipt", own, *known)
    (check,) = (one for one in held.json["checks"] if one["id"] == "receipt")
    assert (held.status, check["result"]) == (0, "pass"), held.json
    assert [check["evidence"]["entry"], check["evidence"]["further"][0]["entry"]] == [
        "credential.issued",
        "letter.made",
    ]
    refused = await idverify("verify", letter, "--receipt", other, *known)
    (check,) = (one for one in refused.json["checks"] if one["id"] == "receipt")
    assert (refused.status, check["evidence"]) == (1, {"rule": "object"})


async def test_a_list_that_is_none(idverify: Command, deployment: Deployment, printer: Path, tmp_path: Path) -> None:
    """Names are no references; nothing is ordered."""
    (tmp_path / "people").write_text("Anna Specimen\n")
    done = await idverify(
        "letter", "order", deployment.url, tmp_path / "people", "--security-key", printer, "--output", tmp_path
    )
    assert (done.status, "32 hex digits" in done.errors) == (64, True)
