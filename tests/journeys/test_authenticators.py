"""The operator sets the list of authenticators on the command line, and loads metadata."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from idverify.auth.attestation.path import fingerprint
from idverify.cli import USAGE
from idverify.core.policy import Role
from idverify.services.invite import Invited
from tests.journeys.conftest import Command
from tests.simulators import makers
from tests.simulators.attested_key import AttestedKey
from tests.simulators.service import Api, Deployment, client, deploy, serving
from tests.vectors.make_attestation_vectors import blob

MODEL = "01020304-0506-0708-0102-030405060708"


@pytest.fixture
async def strict(tmp_path: Path) -> Deployment:
    """A deployment that is no demo; its settings name the root that the test's metadata are signed under."""
    made = await deploy(tmp_path / "data", demo=False)
    settings = made.data / "idverify.toml"
    settings.write_text(f'{settings.read_text()}\n[security_keys]\nmetadata_roots = "{_pem(tmp_path)}"\n')
    return made


async def _register(strict: Deployment) -> None:
    """An admin's first key, of ``MODEL``."""
    body = {"code": await strict.invite(Invited(Role.ADMIN, "Ada Admin")), "name": None}
    with serving(strict):
        async with client() as session:
            api = Api(session, strict)
            begun = await api.begun("/api/v1/enrolments/options", body)
            response = AttestedKey().create(begun["public_key"], strict.url)
            sent = {**body, "ceremony": begun["ceremony"], "response": response}
            status, answer, _ = await api.send("POST", "/api/v1/enrolments", sent)
            assert status == 200, answer


def _pem(folder: Path) -> Path:
    pem = folder / "root.pem"
    pem.write_bytes(x509.load_der_x509_certificate(makers.ROOT.certificate).public_bytes(Encoding.PEM))
    return pem


async def test_a_list_and_metadata(idverify: Command, strict: Deployment, tmp_path: Path) -> None:
    """What was set is shown, can be set again as it was printed, and is tried out against the keys that there are."""
    data, file, list_ = ("--data", strict.data), tmp_path / "blob", tmp_path / "list.json"
    file.write_text(blob())
    nothing = await idverify("authenticators", "show", *data)
    allowed = await idverify(
        "authenticators", "allow", MODEL, "--name", "Blue key", "--anchor", _pem(tmp_path), "--least", "none", *data
    )
    more = await idverify("authenticators", "allow", MODEL.replace("01", "0a", 1), "--name", "Green key", *data)
    loaded = await idverify("authenticators", "load-metadata", file, "--json", *data)
    shown = await idverify("authenticators", "show", "--json", *data)
    list_.write_text(shown.output)
    again = await idverify("authenticators", "set", list_, "--json", *data)
    tried = await idverify("authenticators", "dry-run", list_, "--json", *data)

    assert "none is set yet" in nothing.output
    assert [done.status for done in (nothing, allowed, more, loaded, shown, again, tried)] == [0] * 7
    assert (loaded.json["number"], loaded.json["models"]) == (7, 1)
    assert (shown.json["version"], again.json["version"], tried.json) == (2, 3, [])
    blue, green = shown.json["list"]["entries"]
    assert (blue["name"], len(blue["anchors"][0])) == ("Blue key", 64)
    assert (green["name"], green["anchors"]) == ("Green key", "metadata")
    assert shown.json["list"]["metadata"]["least"] is None
    assert shown.json["metadata"]["usable"]
    assert "nothing vouches for keys of these models" not in allowed.output
    assert "or load metadata that name one: Green key\n" in more.output
    assert shown.json["without_root"] == again.json["without_root"] == ["Green key"]


async def test_what_is_refused(idverify: Command, strict: Deployment, tmp_path: Path) -> None:
    """Wrong usage, said in one sentence; nothing is in force afterwards."""
    data, file = ("--data", strict.data), tmp_path / "file"
    file.write_text("{}")
    wrong = {
        "A model must be an AAGUID": ("allow", "x", "--name", "Blue key"),
        "--least must be one of: none, FIDO_CERTIFIED,": ("allow", MODEL, "--name", "Blue key", "--least", "best"),
        "--name must be 1 to 100": ("allow", MODEL, "--name", ""),
        "must hold certificates in PEM": ("allow", MODEL, "--name", "Blue key", "--anchor", file),
        "must have the members": ("set", file),
        "A BLOB must be metadata of FIDO": ("load-metadata", file),
    }
    for sentence, asked in wrong.items():
        done = await idverify("authenticators", *asked, *data)
        assert (done.status, sentence in done.errors) == (USAGE, True), done.errors
    assert (await idverify("authenticators", "show", "--json", *data)).json["version"] == 0


async def test_what_a_list_lacks_is_said(idverify: Command, strict: Deployment, tmp_path: Path) -> None:
    """A certification that nothing can tell of: said when it is set, shown and tried out, until metadata are there."""
    data, list_, file = ("--data", strict.data), tmp_path / "list.json", tmp_path / "blob"
    file.write_text(blob())
    allowed = await idverify("authenticators", "allow", MODEL, "--name", "Blue key", "--anchor", _pem(tmp_path), *data)
    shown = await idverify("authenticators", "show", *data)
    list_.write_text((await idverify("authenticators", "show", "--json", *data)).output)
    tried = await idverify("authenticators", "dry-run", list_, *data)
    loaded = await idverify("authenticators", "load-metadata", file, *data)
    told = await idverify("authenticators", "show", *data)

    assert [done.status for done in (allowed, shown, tried, loaded, told)] == [0] * 5
    assert ["WARNING: this list asks for a certification" in done.output for done in (allowed, shown, tried, told)] == [
        True,
        True,
        True,
        False,
    ]
    assert f"SHA-256 of the DER certificate: {fingerprint(makers.ROOT.certificate).hex()}" in told.output
    assert "Least certification: FIDO_CERTIFIED_L1. FIPS 140, level 2: no." in told.output
    assert "Metadata may be overdue for 30 days." in told.output


async def test_registered_keys_that_a_list_refuses(idverify: Command, strict: Deployment, tmp_path: Path) -> None:
    """Setting it names them, and when they stop."""
    data, other = ("--data", strict.data), "0a020304-0506-0708-0102-030405060708"
    anchor = ("--anchor", _pem(tmp_path), "--least", "none")
    await idverify("authenticators", "allow", MODEL, "--name", "Blue key", *anchor, *data)
    await _register(strict)
    shown = (await idverify("authenticators", "show", "--json", *data)).output
    list_ = tmp_path / "list.json"
    list_.write_text(shown.replace(MODEL, other))
    done = await idverify("authenticators", "set", list_, *data)

    assert done.status == 0
    assert "Ada Admin: My key: This model of security key is not on the list" in done.output
    assert "Registered keys that this list refuses: 1" in done.output
    assert "suspends them within a minute" in done.output
