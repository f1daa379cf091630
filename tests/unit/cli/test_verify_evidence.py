"""``idverify verify`` of an evidence file: the word, the exit status, and what belongs to documents alone."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from idverify.cli import main
from idverify.ledger.note import vkey
from idverify.services.evidence_file import TYPE, EvidenceFile
from tests.simulators.confirmed_act import confirmed_act
from tests.simulators.ledger_memory import SoftwareSigner
from tests.simulators.published_tree import SIGNER

KEY = vkey(SIGNER.verifier)
SAME_KEY_OF_ANOTHER_LOG = vkey(replace(SIGNER, name="log.example/2").verifier)
STRANGER = vkey(SoftwareSigner(seed=bytes([7] * 32)).verifier)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def verify(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command, with these words; status, standard output and standard error."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["idverify", "verify", *map(str, words)])
        status = main()
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Evidence that holds, as tools lay it out."""
    path = tmp_path / "evidence.json"
    path.write_text(json.dumps(json.loads(confirmed_act().encode()), indent=2))
    return path


def without(folder: Path, **members: Any) -> Path:
    """The same without some of it, or with something else."""
    path = folder / "other.json"
    path.write_text(json.dumps(json.loads(confirmed_act().encode()) | members))
    return path


def test_evidence_that_holds(verify: Run, file: Path) -> None:
    """0, in words and as JSON."""
    status, told, _ = verify(file, "--vkey", KEY)
    assert (status, told.splitlines()[0]) == (0, "ACCEPTED")
    confirmed = [line.strip() for line in told.partition("What was confirmed:\n")[2].splitlines()]
    assert {"act: decide", f"subject: {'ab' * 16}"} <= set(confirmed)
    assert '"reason":"fraud-found"' in told

    status, told, _ = verify(file, "--vkey", KEY, "--json")
    said = json.loads(told)
    assert (status, said["verdict"], said["type"], said["claims"]) == (0, "accept", TYPE, None)
    assert [check["id"] for check in said["checks"]] == ["size", "format", "signature", "action", "receipt", "key"]


def test_from_standard_input(verify: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``-``, as everywhere."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))

    assert verify("-", "--vkey", KEY)[0] == 0


def test_keys_and_policies_from_files(verify: Run, file: Path, tmp_path: Path) -> None:
    """Keys of several logs, which one key may sign; or a policy."""
    keys, policy = tmp_path / "log.vkey", tmp_path / "policy"
    keys.write_text(f"# of both logs\n{SAME_KEY_OF_ANOTHER_LOG}\n{KEY}\n")
    policy.write_text(f"log {KEY}\nquorum none\n")

    assert verify(file, "--vkey", f"@{keys}")[0] == 0
    assert verify(file, "--policy", policy)[0] == 0


def test_evidence_that_does_not_hold(verify: Run, file: Path, tmp_path: Path) -> None:
    """1: another act, or another log."""
    act = {**json.loads(file.read_text())["action"], "subject": "cd" * 16}
    status, told, _ = verify(without(tmp_path, action=act), "--vkey", KEY)

    assert (status, told.splitlines()[0]) == (1, "REJECTED")
    assert "FAIL  action" in told
    assert "What was confirmed" not in told
    assert verify(file, "--vkey", STRANGER)[0] == 1
    assert verify(without(tmp_path, type="idverify/evidence/v2"), "--vkey", KEY)[0] == 1


@pytest.mark.parametrize("lacking", ["action", "receipt", "key_receipt"])
def test_what_could_not_be_told(verify: Run, tmp_path: Path, lacking: str) -> None:
    """2: something is not in the file."""
    status, told, _ = verify(without(tmp_path, **{lacking: None}), "--vkey", KEY)

    assert (status, told.splitlines()[0]) == (2, "CHECK BY HAND")


def test_without_the_logs_key(verify: Run, file: Path) -> None:
    """2: the signature holds, and what is lacking is said."""
    status, told, _ = verify(file)

    assert status == 2
    assert "Give the log's verifier key" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--offline", "bundle"], "takes --vkey or --policy"),
        (["--root-sha256", "00"], "takes --vkey or --policy"),
        (["--receipt", "r"], "takes --vkey or --policy"),
        (["--at", "2026-05-03"], "takes --vkey or --policy"),
        (["--nonce", "n", "--audience", "a"], "takes --vkey or --policy"),
        (["--vkey", "nonsense"], "cannot be used"),
        (["--vkey", KEY, "--vkey", KEY], "cannot be used"),
        (["--vkey", KEY, "--policy", "p"], "one of them"),
        (["--policy", "absent"], "absent cannot be read"),
    ],
)
def test_what_cannot_be_asked(verify: Run, file: Path, words: list[str], told: str) -> None:
    """64, with one sentence."""
    status, out, error = verify(file, *words)

    assert (status, out) == (64, "")
    assert told in error


def test_a_document_takes_no_key_of_a_log(verify: Run, tmp_path: Path) -> None:
    """What is no evidence is a document, whose trust bundle names the log."""
    document = tmp_path / "document"
    document.write_bytes(b"eyJ.eyJ.sig~")

    status, _, error = verify(document, "--vkey", KEY)

    assert status == 64
    assert "for evidence alone" in error


def test_the_smallest_file(verify: Run, tmp_path: Path) -> None:
    """Evidence alone shows that a key signed something."""
    path = tmp_path / "evidence.json"
    path.write_bytes(EvidenceFile(confirmed_act().evidence).encode())

    status, told, _ = verify(path, "--vkey", KEY, "--json")

    assert status == 2
    assert [check["result"] for check in json.loads(told)["checks"]] == ["pass"] * 3 + ["unknown"] * 3
