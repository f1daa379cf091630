"""An employer who is handed a letter: the file, a scan, a picture; with a network and without; honest and not."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from pathlib import Path
from typing import Any

import pytest

from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.core.verdict import PAPER_UNPROVEN
from idverify.formats.qr_pdf import read_pdf_codes
from tests.journeys.conftest import Command
from tests.simulators import forged_letters as forged
from tests.simulators import scanned
from tests.simulators.contract import JudgedApi
from tests.simulators.employer import ASKED_FOR_IT, Terminal, checked, has_namespaces
from tests.simulators.holder import decided_by_two, detail, failed, results
from tests.simulators.printed_letters import letter_of, pictured
from tests.simulators.service import VCT, Deployment

pytestmark = pytest.mark.drivers_alike

KINDS: dict[str, dict[str, Any]] = {
    "English": {"language": "en", "purpose": "work"},
    "Welsh": {"language": "cy", "purpose": "work"},
    "large print": {"language": "en", "large_print": True},
    "portrait in the code": {"language": "cy", "portrait": True, "purpose": "work"},
}
WORK = {"family_name", "given_name", "picture", "work", "permission_end", "identity_assurance"}
PAPER = ("document_integrity", "content_consistent", "freshness", "receipt")


def rule(answer: dict[str, Any], check: str) -> str:
    """The rule that a check names."""
    return next(str(one["evidence"]["rule"]) for one in answer["checks"] if one["id"] == check)


def code_on(pdf: bytes) -> str:
    """What the code on a letter says."""
    (code,) = read_pdf_codes(pdf)
    return str(code["text"])


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A computer without a network."""
    folder = tmp_path / "terminal"
    folder.mkdir()
    return Terminal(folder)


async def test_letters_of_every_kind(api: JudgedApi, terminal: Terminal) -> None:
    """Accepted in whatever way they are sent, told what the purpose allows; rejected once the status is withdrawn."""
    person = await pictured(api)
    letters = {kind: await letter_of(api, person, **choices) for kind, choices in KINDS.items()}
    await terminal.take_bundle(api)
    offline = await terminal.verify_each(list(letters.values()))
    for (kind, pdf), answer in zip(letters.items(), offline, strict=True):
        assert (answer["verdict"], answer["next_step"]) == ("accept", PAPER_UNPROVEN), kind
        for online in (
            await checked(api, pdf),
            await checked(api, pdf, part=True),
            await checked(api, pdf, "application/octet-stream"),
        ):
            found = results(online)
            assert (online["verdict"], online["type"]) == ("accept", VCT), kind
            assert {check: found[check] for check in PAPER} == dict.fromkeys(PAPER, "pass"), kind
            assert found["holder_binding"] == "not_applicable"
            assert "compare the photo" in detail(online, "holder_binding")
            assert online["next_step"] == PAPER_UNPROVEN
            assert {"family_name", "work"} <= online["claims"].keys() <= WORK
            assert found == results(answer), kind
    rented = await checked(api, letters["large print"], who="landlord")
    assert "rent" in rented["claims"]
    assert not {"work", "birthdate"} & rented["claims"].keys()

    await decided_by_two(api, person, "revoke", "permission-cancelled")
    for kind, pdf in letters.items():
        answer = await checked(api, pdf)
        assert (answer["verdict"], failed(answer), answer["claims"]) == ("reject", ["status"], None), kind


async def test_letters_that_somebody_altered(api: JudgedApi, terminal: Terminal) -> None:
    """By a byte, by a revision, with another's code, saved anew: rejected by the check that is there for it."""
    honest, other = [await letter_of(api, await pictured(api), purpose="work") for _ in range(2)]
    altered = {
        "byte": (forged.one_byte(honest), "document_integrity", {"cms"}),
        "revision": (forged.appended(honest), "document_integrity", {"changed-later"}),
        "code": (forged.pasted(honest, code_on(other)), "document_integrity", {"changed-later"}),
        "saved anew": (forged.rewritten(honest), "document_integrity", {"byte-range", "signature", "covers-revision"}),
    }
    await terminal.take_bundle(api)
    offline = await terminal.verify_each([pdf for pdf, _, _ in altered.values()])
    for (name, (pdf, check, rules)), alone in zip(altered.items(), offline, strict=True):
        for answer in (await checked(api, pdf), alone):
            assert (answer["verdict"], failed(answer), answer["claims"]) == ("reject", [check], None), name
            assert rule(answer, check) in rules, name
    assert (await checked(api, honest))["verdict"] == "accept"


async def test_a_cloned_letter(api: JudgedApi, terminal: Terminal) -> None:
    """The same file twice, in whosever hands: genuine each time, and each time the person is said not to be proven."""
    pdf = await letter_of(api, await pictured(api), purpose="work")
    await terminal.take_bundle(api)
    for document, media in ((pdf, "application/pdf"), (code_on(pdf).encode(), "text/plain")):
        for who in ("employer", "landlord", "employer"):
            answer = await checked(api, document, media, who)
            assert (answer["verdict"], answer["next_step"]) == ("accept", PAPER_UNPROVEN)
            assert detail(answer, "holder_binding") == "Paper does not prove whose it is: compare the photo."
    status, output = await terminal.run([pdf, bytes(pdf), code_on(pdf).encode()])
    assert status == 0
    assert output.count(PAPER_UNPROVEN) == output.count("ACCEPTED") == 3


async def test_the_network_is_cut(deployment: Deployment, terminal: Terminal) -> None:
    """The service that runs beside it cannot be reached from the terminal, in either of the ways that cut it off."""
    reach = f"import socket; socket.create_connection(('127.0.0.1', {deployment.port}), 5)"
    resolve = "import socket; socket.getaddrinfo('localhost', 80)"
    for tried in (reach, resolve):
        assert (await asyncio.to_thread(terminal.cut_off, "-c", tried)).returncode == ASKED_FOR_IT
    if has_namespaces():  # in a network namespace of its own there is nobody, also for who asks the kernel
        sight = await asyncio.to_thread(terminal.cut_off, "-c", "print(open('/proc/net/route').read())")
        assert len(sight.stdout.split("\n")) <= 3, sight.stdout


# Over one driver: what is printed and bundled says nothing of the database
@pytest.mark.parametrize("deployment", ["sqlite"], indirect=True)
async def test_a_scan_without_a_network(api: JudgedApi, terminal: Terminal) -> None:
    """Green while its status is young; then amber, as of when; and rejected once the revocation is in the bundle."""
    person = await pictured(api)
    pdfs = [await letter_of(api, person, **KINDS[kind]) for kind in ("English", "portrait in the code")]
    await terminal.take_bundle(api)
    for pdf in pdfs:
        pages = scanned.pages(pdf)
        (page,) = [page for page in map(scanned.as_jpeg, pages) if (await checked(api, page, "image/jpeg"))["type"]]
        for green in await terminal.verify_each([page, scanned.as_pdf(pages)]):
            assert (green["verdict"], green["next_step"]) == ("accept", PAPER_UNPROVEN)
            assert green["claims"]["family_name"] == "SPECIMEN"
            assert results(green)["document_integrity"] == results(green)["content_consistent"] == "not_applicable"
    assert green["claims"]["picture"].startswith("data:image/webp;base64,")

    later = dt.datetime.fromtimestamp(time.time() + 3600, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    status, amber = await terminal.verify(page, "--at", later)
    assert (status, amber["verdict"], failed(amber)) == (2, "refer", [])
    assert results(amber)["freshness"] == "unknown"
    assert detail(amber, "freshness").startswith("The status is as of 20")
    assert "compare the photo" in amber["next_step"]

    await decided_by_two(api, person, "revoke", "permission-cancelled")
    assert (await terminal.verify(page))[0] == 0  # whoever has not heard of it does not know
    await terminal.take_bundle(api)
    for red in await terminal.verify_each([page, scanned.as_pdf(pages), pdf]):
        assert (red["verdict"], failed(red), red["claims"]) == ("reject", ["status"], None)


async def test_from_the_command_line(api: JudgedApi, idverify: Command, deployment: Deployment, tmp_path: Path) -> None:
    """``idverify api`` sends the file to a service that runs, ``idverify verify`` reads it by itself."""
    pdf = await letter_of(api, await pictured(api), purpose="work")
    (tmp_path / "letter.pdf").write_bytes(pdf)
    (tmp_path / "api-key").write_text(deployment.keys["employer"])
    sent = await idverify(
        *("api", "POST", f"{deployment.url}/api/v1/verify", f"@{tmp_path / 'letter.pdf'}"),
        *("--key", tmp_path / "api-key"),
    )
    assert (sent.status, sent.json["verdict"], sent.json["type"]) == (0, "accept", IMMIGRATION_STATUS.id)
    assert sent.json["claims"].keys() <= WORK
