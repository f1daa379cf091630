"""``idverify trust``: what files say, what two admins would confirm, and that nothing takes effect here."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from idverify.cli import main
from idverify.cli.trust_inspect import FAILS, HOLDS, UNTOLD, inspected
from idverify.core.trust import TrustedIssuer
from idverify.formats import x509
from idverify.services.trusted_issuers import Register, read_change
from idverify.web.pages.act_words import issuer_lines
from tests.simulators import credential_world as world
from tests.simulators import paper_world as paper
from tests.simulators import vical_world as vicals
from tests.simulators.foreign_issuer import NORTH, SOUTH, VCT
from tests.simulators.makers import in_pem
from tests.unit.formats.test_trust_bundle import BUNDLE, PIN, signed
from tests.unit.services.test_trust_proposals import crl

NOW = world.NOW
trust = importlib.import_module("idverify.cli.trust")


@pytest.mark.parametrize(
    ("content", "root", "pin", "status", "said"),
    [
        (in_pem(NORTH.root()), None, None, HOLDS, x509.fingerprint(NORTH.root()).hex()),
        (NORTH.root(), None, None, HOLDS, "CN=Northland Authority Root"),
        (NORTH.leaf(), None, None, FAILS, "root-is-authority"),
        (b"-----BEGIN CERTIFICATE-----\nx", None, None, FAILS, "cannot be read"),
        (vicals.signed(), None, None, UNTOLD, "give --provider-root"),
        (
            vicals.signed(),
            vicals.root(),
            None,
            HOLDS,
            "Southland Authority: org.iso.18013.5.1.mDL, org.example.permit.1",
        ),
        (vicals.signed(), NORTH.root(), None, FAILS, "It does not hold"),
        (vicals.signed(vicals.listed(vicals.entry(ski=b"x"))), vicals.root(), None, HOLDS, "Not taken: Northland"),
        (signed(), None, None, UNTOLD, "Give --root-sha256"),
        (signed(), None, PIN, HOLDS, "Trust bundle of https://issuer.example"),
        (signed(), None, bytes(32), FAILS, "bundle-root"),
        (b"nothing at all", None, None, FAILS, "It is no certificate (PEM or DER), no VICAL and no trust bundle."),
        (b"", None, None, FAILS, "It is no certificate"),
        (b"\x84\x43", None, None, FAILS, "cannot be read: A VICAL"),
    ],
)
def test_what_a_file_says(content: bytes, root: bytes | None, pin: bytes | None, status: int, said: str) -> None:
    """In words, with whether it holds; without what would tell, it could not be told."""
    found = inspected(content, root, pin, NOW)

    assert found.status == status
    assert said in "\n".join(found.lines)
    assert found.to_json()["holds"] is {HOLDS: True, FAILS: False, UNTOLD: None}[status]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with files to import, and a database in which NORTH is relied on already."""
    known = Register(1, {NORTH.iss: NORTH.trusted(NOW)})
    ours = TrustedIssuer("https://ours.example", "Ours", (world.root(world.private_key(9), "Ours"),), frozenset(), "")

    async def registered(_store: object) -> Register:
        return known

    async def own(_store: object) -> TrustedIssuer:
        return ours

    monkeypatch.setattr(trust, "register", registered)
    monkeypatch.setattr(trust, "own_issuer", own)
    monkeypatch.setattr(trust, "with_store", lambda _data, work: asyncio.run(work(None)))
    monkeypatch.setattr(trust, "SystemClock", type("Clock", (), {"now": lambda _self: NOW + 100}))
    for name, content in {
        "south.pem": in_pem(SOUTH.root()),
        "list.cbor": vicals.signed(vicals.listed(vicals.entry(SOUTH))),
        "provider.pem": in_pem(vicals.root()),
        "bundle.jwt": signed(),
        "north.crl": crl(1),
        "leaf.der": SOUTH.leaf(),
    }.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def _run(monkeypatch: pytest.MonkeyPatch, place: Path, *words: str) -> tuple[int, Any]:
    """The exit status, and the issuers of the change that was written, if one was."""
    output = place / "change.json"
    monkeypatch.chdir(place)
    monkeypatch.setattr("sys.argv", ["idverify", "trust", "import", *words, "--output", str(output)])
    status = main()
    return status, read_change(json.loads(output.read_text()), NOW).issuers if output.exists() else None


SOUTH_SAID = ("--name", SOUTH.name, "--country", "XB", "--iss", SOUTH.iss, "--type", f"dc+sd-jwt={VCT}")


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("south.pem", *SOUTH_SAID, "--origin", "letter"), [SOUTH.name]),
        (("list.cbor", "--provider-root", "provider.pem"), [SOUTH.name]),
        (("bundle.jwt", "--root-sha256", PIN.hex()), ["Example Authority"]),
        (("north.crl",), [NORTH.name]),
        (("--withdraw", NORTH.iss), [NORTH.name]),
        (("--withdraw", x509.fingerprint(NORTH.root()).hex(), "--since", "2026-09-21T14:00:00Z"), [NORTH.name]),
        (
            ("south.pem", "--issuer", NORTH.iss, "--iss", NORTH.iss, "--name", NORTH.name, "--country", "XA"),
            [NORTH.name],
        ),
    ],
)
def test_a_change_is_made(
    words: tuple[str, ...], names: list[str], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From each kind of file, and of a withdrawal; whoever reads it is told what two admins will confirm."""
    status, issuers = _run(monkeypatch, place, *words)

    assert status == 0
    assert [issuer.name for issuer in issuers] == names


def test_who_signs_paper_is_told(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a bundle: which certificates sign its paper, which list revokes, whose log is believed; by their digests."""
    signer = world.leaf(x509.Purpose.PAPER)
    named = replace(BUNDLE, trust=(replace(world.TRUSTED, signers=(signer,), stamp_roots=(paper.stamp_root(),)),))
    (place / "bundle.jwt").write_bytes(signed(named))
    _, (issuer,) = _run(monkeypatch, place, "bundle.jwt", "--root-sha256", PIN.hex())
    text = capsys.readouterr().out

    assert f"for {world.VCT} (idv1) since" in text
    assert f"signs on paper: SHA-256 {x509.fingerprint(signer).hex()}" in text
    assert f"root of its time stamps: SHA-256 {x509.fingerprint(paper.stamp_root()).hex()}" in text
    assert f"list of revoked certificates: SHA-256 {hashlib.sha256(issuer.crls[0]).hexdigest()}" in text
    assert text.count("keys of its log: policy with SHA-256") == len(issuer.log_policies) == 2
    shown = {line.label: line.value for line in issuer_lines(json.loads((place / "change.json").read_text()))}
    assert shown["Signs on paper (SHA-256 of its certificate)"] == x509.fingerprint(signer).hex()
    of_stamps = shown["Root of its time stamps (SHA-256 of its certificate)"]
    assert of_stamps == x509.fingerprint(paper.stamp_root()).hex()
    digest = hashlib.sha256(issuer.log_policies[-1].encode()).hexdigest()
    assert shown["Keys of its public ledger (SHA-256 of the policy)"] == digest


def test_both_outputs_say_the_same(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For people what waits for the two admins, for machines the change itself."""
    said = vicals.listed(vicals.entry(SOUTH), vicals.entry(NORTH, ski=b"x"))
    (place / "list.cbor").write_bytes(vicals.signed(said))
    _run(monkeypatch, place, "list.cbor", "--provider-root", "provider.pem")
    text = capsys.readouterr().out
    _run(monkeypatch, place, "list.cbor", "--provider-root", "provider.pem", "--json")
    told = json.loads(capsys.readouterr().out)

    assert "Two admins will confirm" in text
    assert "Nothing is changed yet" in text
    assert "Not taken: Northland Authority" in text
    assert told["refused"] == [{"authority": "Northland Authority", "rule": "entry-ski"}]
    assert told["change"]["source"]["name"] == "Example Provider"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("leaf.der", *SOUTH_SAID), 1),
        (("list.cbor", "--provider-root", "south.pem"), 1),
        (("bundle.jwt", "--root-sha256", "00" * 32), 1),
        (("--withdraw", "https://nobody.example"), 1),
        (("south.pem", *SOUTH_SAID[:-1], "no-format"), 64),
        (("south.pem",), 64),
        ((), 64),
        (("bundle.jwt", "--root-sha256", "xy"), 64),
        (("--withdraw", NORTH.iss, "--since", "yesterday"), 64),
        (("absent.pem", *SOUTH_SAID), 64),
        (("list.cbor", "--provider-root", "absent.pem"), 64),
    ],
)
def test_what_cannot_be_proposed(
    words: tuple[str, ...], status: int, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said, and no file is written."""
    assert _run(monkeypatch, place, *words) == (status, None)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("bundle.jwt",), "A trust bundle needs --root-sha256"),
        (("bundle.jwt", "--root-sha256", "00"), "--root-sha256 must be 64 hex digits"),
        (("list.cbor", "--name", "X"), "If it is a VICAL, give --provider-root."),
        (("south.pem",), "A certificate needs --name, --country, --type and --origin."),
    ],
)
def test_what_is_missing_is_named_by_the_file(
    words: tuple[str, ...],
    said: str,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever forgot an option is told which one belongs to what they have."""
    assert _run(monkeypatch, place, *words) == (64, None)
    assert said in capsys.readouterr().err


def test_what_export_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A short key as it is, a long one by its key id and SHA-256; all of them, whole, in the file for --vkey."""
    keys = [f"example/log+01234567+{'A' * 44}", f"example/log+89abcdef+{'B' * 3000}"]

    async def made(_data: Path) -> tuple[bytes, str, list[str]]:
        return b"bundle", "ab" * 32, keys

    monkeypatch.setattr(trust, "_signed", made)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["idverify", "trust", "export", "b.jwt", "--vkeys", "log.vkeys"])

    assert main() == 0
    told = capsys.readouterr().out
    assert keys[0] in told
    assert "BBB" not in told
    assert f"example/log+89abcdef, SHA-256 {hashlib.sha256(keys[1].encode()).hexdigest()}" in told
    assert (tmp_path / "log.vkeys").read_text().splitlines() == keys


def test_whom_the_service_relies_on(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ourselves first; with a time those of that time."""
    for words, names in (((), ["Ours", NORTH.name]), (("--at", "2020-01-01"), ["Ours"])):
        monkeypatch.setattr("sys.argv", ["idverify", "trust", "list", *words, "--json"])
        assert main() == 0
        assert [one["name"] for one in json.loads(capsys.readouterr().out)["issuers"]] == names
    monkeypatch.setattr("sys.argv", ["idverify", "trust", "list"])
    assert main() == 0
    assert x509.fingerprint(NORTH.root()).hex() in capsys.readouterr().out
    assert place.exists()


def test_inspect_from_the_command_line(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its exit status tells as much."""
    monkeypatch.chdir(place)
    for words, status in ((("south.pem",), 0), (("leaf.der",), 1), (("list.cbor", "--json"), 2)):
        monkeypatch.setattr("sys.argv", ["idverify", "trust", "inspect", *words])
        assert main() == status
    assert "vical" in capsys.readouterr().out
