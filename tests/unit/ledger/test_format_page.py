"""The examples of checkpoints, policies and witnesses in docs/ledger-format.md are read by our own code, to the byte.

An example is a fenced block with the info string ``text <name>`` or ``hex <name>``. Its check stands in ``CHECKS``
under that name and gets all blocks of these sections, since examples lean on each other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.cosignature import CosignatureV1Verifier, timestamp
from idverify.ledger.ecdsa import EcdsaVerifier
from idverify.ledger.merkle import verify_consistency
from idverify.ledger.note import (
    Ed25519Verifier,
    NoteVerifier,
    open_note,
    parse_signatures,
    parse_vkey,
    split_note,
    vkey,
    write_note,
)
from idverify.ledger.policy import parse_policy
from idverify.ledger.witness_protocol import AddCheckpoint

ROOT = Path(__file__).resolve().parents[3]
VECTORS = ROOT / "tests" / "vectors" / "ledger"
PAGE = (ROOT / "docs" / "ledger-format.md").read_text()
SECTIONS = [
    section for section in re.split(r"^## ", PAGE, flags=re.MULTILINE) if section.startswith(("4. ", "11. ", "12. "))
]
BLOCK = re.compile(r"^```(?:text|hex) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES: dict[str, str] = dict(BLOCK.findall("".join(SECTIONS)))

Examples = Mapping[str, str]


def keys(examples: Examples) -> list[NoteVerifier]:
    """The log's two keys and the witness's, as the page gives them."""
    return [parse_vkey(line) for line in examples["vkeys"].splitlines()]


def vkeys(examples: Examples) -> None:
    kinds = [type(key) for key in keys(examples)]
    assert kinds == [Ed25519Verifier, EcdsaVerifier, CosignatureV1Verifier]
    assert "".join(f"{vkey(key)}\n" for key in keys(examples)) == examples["vkeys"]


def checkpoint(examples: Examples) -> None:
    opened = open_note(examples["checkpoint"].encode(), keys(examples))
    head = Checkpoint.parse(opened.text)
    assert (head.origin, head.size) == ("log.example/1", 13)
    assert [line.name for line in opened.verified] == ["log.example/1", "witness.example/w1"]
    assert write_note(opened.text, opened.verified) == examples["checkpoint"].encode()


def ed25519_message(examples: Examples) -> None:
    witness = keys(examples)[2]
    assert isinstance(witness, CosignatureV1Verifier)
    text, (_, line) = split_note(examples["checkpoint"].encode())
    assert witness.message(text, timestamp(line.signature)).decode() == examples["ed25519-cosignature-message"]


def ml_dsa_message(examples: Examples) -> None:
    messages = [case["message"] for case in json.loads((VECTORS / "cosignatures.json").read_text())["lines"]]
    assert examples["ml-dsa-44-message"].replace("\n", "") in messages


def policy(examples: Examples) -> None:
    note = examples["checkpoint"].encode()
    read = parse_policy(examples["policy"])
    assert read.require(note).size == 13
    assert read.open(note)[1] == {"w1"}


def add_checkpoint(examples: Examples) -> None:
    request = AddCheckpoint.parse(examples["add-checkpoint"].encode())
    assert request.encode() == examples["add-checkpoint"].encode()
    roots = [bytes.fromhex(root) for root in json.loads((VECTORS / "merkle.json").read_text())["roots"]]
    head = Checkpoint.parse(split_note(request.note)[0])
    verify_consistency(request.old_size, head.size, roots[request.old_size], head.root, request.proof)


def answer(examples: Examples) -> None:
    request = AddCheckpoint.parse(examples["add-checkpoint"].encode())
    assert parse_signatures(examples["add-checkpoint-answer"].encode())
    assert request.note + examples["add-checkpoint-answer"].encode() == examples["checkpoint"].encode()


CHECKS: dict[str, Callable[[Examples], None]] = {
    "vkeys": vkeys,
    "checkpoint": checkpoint,
    "ed25519-cosignature-message": ed25519_message,
    "ml-dsa-44-message": ml_dsa_message,
    "policy": policy,
    "add-checkpoint": add_checkpoint,
    "add-checkpoint-answer": answer,
}


@pytest.mark.parametrize("name", CHECKS)
def test_examples_are_to_the_byte(name: str) -> None:
    """What the page shows is what the code reads and writes."""
    assert name in EXAMPLES
    CHECKS[name](EXAMPLES)


def test_no_example_is_unchecked() -> None:
    """Every tagged block has a check, and every name is used once."""
    assert sorted(CHECKS) == sorted(name for name, _ in BLOCK.findall("".join(SECTIONS)))


def test_both_tables_of_keys_say_what_a_reader_verifies() -> None:
    """ECDSA is over the SHA-256 whatever the curve, and the log's own cosignature bears a time (sections 4 and 14)."""
    key = ec.generate_private_key(ec.SECP384R1())
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    verifier = EcdsaVerifier("log.example/1", spki)

    assert verifier.verify(b"text", key.sign(b"text", ec.ECDSA(SHA256())))
    assert not verifier.verify(b"text", key.sign(b"text", ec.ECDSA(SHA384())))
    assert "SHA-384" not in PAGE
    assert "the log's own bears the time of signing" in PAGE
