"""A stranger's auditor, written from the page on formats alone, agrees with ours on every log, sound or damaged."""

from __future__ import annotations

import ast
import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from idverify.ledger import Draft, EntryType, Equivocation, Policy, parse_vkey
from idverify.ledger.description import LogDescription
from idverify.ledger.note import vkey
from idverify.ledger.tree_audit import TREE_RULES, TreeReport, audit_tree
from tests.simulators.ledger_memory import LedgerMemory, SoftwareSigner
from tests.simulators.log_server import LogServer
from tests.simulators.published_tree import POLICY, SIGNER, TreeInMemory, another_story, log_of, tree_of

AUDITOR = Path(__file__).with_name("auditor.py")
PAGE = (Path(__file__).resolve().parents[2] / "docs" / "ledger-format.md").read_text()
KEY = vkey(SIGNER.verifier)


def stranger(source: object, key: str = KEY) -> subprocess.CompletedProcess[str]:
    """Run it as a program of its own, isolated from this checkout."""
    command = [sys.executable, "-I", str(AUDITOR), str(source), key]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_it_is_small_and_independent() -> None:
    """Under 150 lines, the standard library and `cryptography`."""
    text = AUDITOR.read_text()
    names = {
        name.partition(".")[0]
        for found in ast.walk(ast.parse(text))
        if isinstance(found, ast.Import | ast.ImportFrom)
        for name in ([found.module or ""] if isinstance(found, ast.ImportFrom) else [each.name for each in found.names])
    }

    assert len(text.splitlines()) < 150
    assert names - set(sys.stdlib_module_names) == {"cryptography"}


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 600, 65_793])
def test_a_sound_log_holds(tmp_path: Path, size: int) -> None:
    """From a directory, for every kind of tree."""
    done = stranger(tree_of(log_of(size)).write(tmp_path))

    assert (done.returncode, done.stderr) == (0, "")
    assert f"holds: {size} " in done.stdout


def test_a_sound_log_holds_over_http() -> None:
    """And from a server."""
    with LogServer(tree_of(log_of(600))) as server:
        assert stranger(server.url).returncode == 0


def test_a_full_file_stands_in_for_a_partial_one(tmp_path: Path) -> None:
    """As a static tree has it that has grown since its checkpoint was taken."""
    grown, small = tree_of(log_of(1024)), tree_of(log_of(1024), 600)
    files = {path: data for path, data in grown.files.items() if ".p/" not in path} | {
        path: small.files[path] for path in ("checkpoint", "tile/1/000.p/2")
    }

    assert stranger(TreeInMemory(files).write(tmp_path)).returncode == 0


@pytest.mark.parametrize("seed", range(12))
def test_any_changed_byte_is_found(tmp_path: Path, seed: int) -> None:
    """Whatever file, whatever place: both auditors refuse."""
    chance = random.Random(seed)  # noqa: S311  which byte is changed is no secret
    tree = tree_of(log_of(600))
    path = chance.choice(sorted(tree.files))
    data = bytearray(tree.files[path])
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    tree.files[path] = bytes(data)
    *_, ours = audit_tree(tree, POLICY)
    done = stranger(tree.write(tmp_path))

    assert isinstance(ours, TreeReport)
    assert not ours.holds
    assert done.returncode == 1
    assert done.stderr.startswith("does not hold: ")
    if "entries" in path:
        assert f"entry {ours.first_bad_index}:" in done.stderr


def test_entries_behind_the_closing_one_are_found(tmp_path: Path) -> None:
    """A log that was closed has ended, whatever its operator signs behind it."""
    log = LedgerMemory()
    log.append(3)
    log.add(Draft(EntryType.SHARD_CLOSE, bytes(16), bytes(32)))
    log.append(1)

    assert stranger(tree_of(log, 4).write(tmp_path / "closed")).returncode == 0
    assert "entry 4:" in stranger(tree_of(log).write(tmp_path / "grown")).stderr


@pytest.mark.parametrize("path", sorted(tree_of(log_of(600)).files))
def test_any_missing_file_is_found(tmp_path: Path, path: str) -> None:
    """A file that is gone is a finding for both."""
    tree = tree_of(log_of(600))
    del tree.files[path]
    done = stranger(tree.write(tmp_path))

    assert done.returncode == 1
    assert path in done.stderr or path == "checkpoint"


def test_a_strangers_key_does_not_do(tmp_path: Path) -> None:
    """It believes the key that it was given."""
    other = vkey(SoftwareSigner(seed=bytes([7] * 32)).verifier)

    assert stranger(tree_of(log_of(3)).write(tmp_path), other).returncode == 1
    assert stranger(tmp_path, "nonsense").returncode == 1


def test_two_logs_that_part_both_hold_by_themselves(tmp_path: Path) -> None:
    """One tree alone shows nobody a fork: that is what comparing is for."""
    assert stranger(another_story(600).write(tmp_path)).returncode == 0


def test_the_page_names_every_rule_of_the_audit() -> None:
    """Each rule id has its row."""
    assert [rule for rule in TREE_RULES if f"\n| `{rule}` |" not in PAGE] == []


def block(name: str) -> bytes:
    published = PAGE[PAGE.index("\n## 9. ") :]  # section 4 has a checkpoint of its own
    found = re.search(rf"^```\w+ {re.escape(name)}\n(.*?)^```$", published, re.MULTILINE | re.DOTALL)
    assert found
    return found[1].encode()


def test_the_example_of_an_equivocation_convicts() -> None:
    """The page's proof is what our code writes, and holds with the key on the page."""
    policy = Policy.of_log(map(parse_vkey, LogDescription.decode(block("log.json")).vkeys))
    proof = Equivocation.decode(block("equivocation"))
    first, second = proof.verify(policy)

    assert proof.encode() == block("equivocation")
    assert (first.size, second.size) == (2, 3)
    assert json.loads(block("equivocation"))["notes"][1] == block("checkpoint").decode()


def test_the_numbers_of_the_interop_note_are_right() -> None:
    """What a reader is told to compute comes out as the note says, with the examples of section 9."""
    from base64 import b64decode, b64encode
    from hashlib import sha256

    hashes, bundle = (
        bytes.fromhex("".join(block(name).decode().split())) for name in ("tile/0/000.p/3", "tile/entries/000.p/2")
    )
    first, second = bundle[2:104], bundle[106:]
    h0, h1, h2 = (hashes[at : at + 32] for at in (0, 32, 64))
    root = sha256(b"\x01" + sha256(b"\x01" + h0 + h1).digest() + h2).digest()
    line = block("checkpoint").decode().splitlines()[-1].split(" ")[2]

    assert bundle[:2].hex() == "0066"
    assert line.startswith("2xxC9qEprEAV")
    assert b64decode(line)[:4].hex() == "db1c42f6"
    assert sha256(b"\x00" + first).digest() == h0 == second[16:48]
    assert sha256(b"idverify-ledger/v1\nlog.example/1").digest() == first[16:48]
    assert first[16:20].hex() == "15a81291"
    assert b64encode(root).decode().startswith("RFlM")
    assert b64encode(root).decode().endswith("2rs=")
