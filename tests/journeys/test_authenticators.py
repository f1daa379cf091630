"""The operator sets the list of authenticators on the command line, and loads metadata."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from idverify.cli import USAGE
from tests.journeys.conftest import Command
from tests.simulators import makers
from tests.simulators.service import Deployment, deploy
from tests.vectors.make_attestation_vectors import blob

MODEL = "01020304-0506-0708-0102-030405060708"


@pytest.fixture
async def strict(tmp_path: Path) -> Deployment:
    """A deployment that is no demo; its settings name the root that the test's metadata are signed under."""
    made = await deploy(tmp_path / "data", demo=False)
    settings = made.data / "idverify.toml"
    settings.write_text(f'{settings.read_text()}\n[security_keys]\nmetadata_roots = "{_pem(tmp_path)}"\n')
    return made


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


async def test_what_is_refused(idverify: Command, strict: Deployment, tmp_path: Path) -> None:
    """Wrong usage, said in one sentence; nothing is in force afterwards."""
    data, file = ("--data", strict.data), tmp_path / "file"
    file.write_text("{}")
    wrong = {
        "A model must be an AAGUID": ("allow", "x", "--name", "Blue key"),
        "must have least": ("allow", MODEL, "--name", "Blue key", "--least", "best"),
        "must hold certificates in PEM": ("allow", MODEL, "--name", "Blue key", "--anchor", file),
        "must have the members": ("set", file),
        "A BLOB must be metadata of FIDO": ("load-metadata", file),
    }
    for sentence, asked in wrong.items():
        done = await idverify("authenticators", *asked, *data)
        assert (done.status, sentence in done.errors) == (USAGE, True), done.errors
    assert (await idverify("authenticators", "show", "--json", *data)).json["version"] == 0
