"""What is nobody's business stays out of the log and, unsealed, out of the database."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable
from pathlib import Path

import pytest

from idverify.core.policy import Role
from idverify.services.invite import Invited
from tests.simulators.contract import JudgedApi
from tests.simulators.holder import Holding, asked, decided_by_two, holding, shown
from tests.simulators.postgres import files
from tests.simulators.scanner import encodings
from tests.simulators.service import PERMISSION, Deployment
from tests.simulators.signed_in import from_text

CANARIES = {
    "family name": "QUILLIGFEATHER",
    "given name": "ZENOBIA-XANTHE",
    "birthdate": "1931-07-29",
    "document number": "XK4471093Q",
    "permission text": "Lighthouse keeping on Rockall only",
}


def leaks(folder: Path, names: Iterable[str], secrets: dict[str, str]) -> list[str]:
    """Which secret lies in which file of ``folder``, in which form."""
    return [
        f"{what} in {name} as {form}"
        for name in names
        for what, secret in secrets.items()
        for form, found in encodings(secret).items()
        if found in (folder / name).read_bytes()
    ]


def kept(deployment: Deployment) -> list[str]:
    """The log, and every file of the database; of a server also its own log."""
    names = ["service.log", *(path.name for path in deployment.data.glob("idverify.sqlite*"))]
    if isinstance(deployment.location, Path):
        assert "idverify.sqlite-wal" in names
        return names
    folder = deployment.data / "server"
    folder.mkdir(exist_ok=True)
    written = files(deployment.location, folder)
    assert any(path.parent.name == "pg_wal" for path in written)
    return [*names, *map(str, written)]


@pytest.fixture
async def lived(api: JudgedApi) -> Holding:
    """A person with unmistakable details, who went through everything that the service does with people."""
    details = {
        "family_name": CANARIES["family name"],
        "given_name": CANARIES["given name"],
        "birthdate": CANARIES["birthdate"],
        "nationalities": ["QU"],
        "travel_document": {
            "type": "P",
            "number": CANARIES["document number"],
            "issuing_state": "UTO",
            "expiry": "2031-01-01",
        },
    }
    recorded, answer = await api.call("POST", "/api/v1/people", "officer", {"details": details})
    if recorded == 409:  # an earlier test recorded them
        search = {"travel_document": details["travel_document"]}
        answer = await api.ok("POST", "/api/v1/people/search", "officer", search)
    else:
        work = {"allowed": "limited", "occupations_text": CANARIES["permission text"]}
        granted = {
            "kind": "grant",
            "reason": "application-granted",
            "legal_basis": "Rules, part 1",
            "permission": PERMISSION | {"work": work},
        }
        await api.ok("POST", f"/api/v1/people/{answer['person']}/decisions", "officer", granted)
    held = await holding(api, answer["person"], wait=5)
    await shown(api, "employer", held, list(details), receipt=held.answer["receipt"])
    await shown(api, "officer", held, ["family_name"])
    await decided_by_two(api, held.person, "suspend", "under-review")
    await shown(api, "employer", held, ["family_name"])
    await decided_by_two(api, held.person, "reinstate", "review-closed")
    await _wrong_calls(api, held, details)
    return held


async def _wrong_calls(api: JudgedApi, held: Holding, details: dict[str, object]) -> None:
    """Mistakes that carry personal data: an error must not carry it into the log."""
    name = CANARIES["family name"]
    wrong = [
        ("/api/v1/people", {"details": details | {name: name}}),
        ("/api/v1/people", {"details": details | {"birthdate": name}}),
        (f"/api/v1/people/{held.person}/decisions", {"kind": name, "reason": name, "legal_basis": "x"}),
        ("/api/v1/people/search", {"travel_document": name}),
        ("/api/v1/verify", {"document": held.credential[:-40] + name}),
        ("/api/v1/verify", {"document": name}),
    ]
    for path, body in wrong:
        await api.call("POST", path, "officer", body)
    async with api.session.get(f"{api.deployment.url}/{name}?name={name}", headers={"User-Agent": name}) as response:
        assert response.status == 404
    reader, writer = await asyncio.open_connection("localhost", api.deployment.port)
    writer.write(f"GET /{name} HTTP/{name}\r\n{name}\r\n\r\n".encode())
    assert b"400" in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_no_personal_data_lies_open(lived: Holding, deployment: Deployment) -> None:
    """No detail of a person is in the log or in the database's files, in any encoding we can think of."""
    assert leaks(deployment.data, kept(deployment), CANARIES) == []


async def test_no_credential_lies_open(lived: Holding, deployment: Deployment) -> None:
    """Neither the issued document nor one of its disclosures is kept unsealed."""
    signed, *disclosures, _ = lived.credential.split("~")
    parts = {"signed part": signed[-80:]} | {f"disclosure {at}": part for at, part in enumerate(disclosures)}

    assert leaks(deployment.data, kept(deployment), parts) == []


async def test_no_secret_lies_open(lived: Holding, api: JudgedApi, deployment: Deployment) -> None:
    """Keys, PINs, codes and tokens of programs and people are in neither the log nor the database."""
    await api.enrol_citizen(lived.person)
    code = await deployment.invite(Invited(Role.OFFICER))
    offer, request = await api.offer(lived.person), await asked(api, "employer")
    pins = {str(path): path.read_text() for path in (deployment.data / "tokens").glob("*/*pin")}
    secrets = {who: token.split("_")[2] for who, token in deployment.keys.items()} | pins
    secrets |= {"offer": offer["code"], "receipt token": lived.answer["receipt_token"]}
    secrets |= {"link": code, "link as it is hashed": code.replace("-", "")}
    for who, person in deployment.people.items():
        secrets |= {f"session of {who}": person.token, f"CSRF token of {who}": person.csrf}
        assert all(from_text(person.token) not in (deployment.data / name).read_bytes() for name in kept(deployment))

    assert len(pins) == 4
    assert len(deployment.people) >= 3
    assert leaks(deployment.data, kept(deployment), secrets) == []
    assert leaks(deployment.data, ["service.log"], {"nonce": request["nonce"], "handle": lived.person}) == []


async def test_the_search_would_find_it(tmp_path: Path) -> None:
    """Each encoding is found when it is there, whatever stands around it."""
    for what, secret in CANARIES.items():
        for form, hidden in encodings(secret).items():
            (tmp_path / "file").write_bytes(b"\x00noise" + hidden + b"noise\xff")
            assert f"{what} in file as {form}" in leaks(tmp_path, ["file"], CANARIES)
        for offset in range(3):
            around = base64.b64encode(b"xyz"[:offset] + secret.encode() + b"more")
            (tmp_path / "file").write_bytes(around)
            assert leaks(tmp_path, ["file"], {what: secret})
