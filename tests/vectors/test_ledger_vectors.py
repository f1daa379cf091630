"""The ledger against vectors made from the specifications by `make_ledger_vectors.py`, kept beside this file."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from idverify.ledger import Draft, Entry, Record, commitment, genesis, parse_vkey, sequence, verify_receipt
from idverify.ledger.merkle import (
    consistency_proof,
    fold,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from tests.unit.ledger.test_merkle import mth
from tests.vectors.make_ledger_vectors import vectors

FOLDER = Path(__file__).parent / "ledger"


def load(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


@pytest.mark.parametrize("name", ["log.json", "merkle.json", "receipt.json", "cosignatures.json"])
def test_the_files_are_what_the_script_makes(name: str) -> None:
    """Nobody changed a vector by hand."""
    assert vectors()[name] == (FOLDER / name).read_text()


def test_the_log_is_sequenced_to_the_byte() -> None:
    """From origin, salts, records and times alone, every entry, leaf hash and root comes out as specified."""
    log = load("log.json")
    state = genesis(log["origin"])
    for number, expected in enumerate(log["entries"]):
        record = Record.decode(bytes.fromhex(expected["record"]))
        digest = commitment(bytes.fromhex(expected["salt"]), record)
        entry = Entry.decode(bytes.fromhex(expected["entry"]))
        handle = sha256(b"handle %d" % number).digest()[:16]
        state, made, leaf = sequence(state, Draft(entry.type, handle, digest), expected["now"])

        assert made.hex() == expected["entry"]
        assert leaf.hex() == expected["leaf_hash"] == leaf_hash(made).hex()
        assert state.root().hex() == expected["root"]


def test_every_proof_of_the_merkle_vector() -> None:
    """Proofs are made and verified as RFC 6962 defines them, for every index and pair of sizes."""
    vector = load("merkle.json")
    leaves = [bytes.fromhex(value) for value in vector["leaf_hashes"]]
    roots = [bytes.fromhex(value) for value in vector["roots"]]

    def node(level: int, index: int) -> bytes:
        return mth(leaves[index << level : (index + 1) << level])

    assert roots[0] == fold([])
    for case in vector["inclusion"]:
        index, size, proof = case["index"], case["size"], [bytes.fromhex(value) for value in case["proof"]]
        assert inclusion_proof(index, size, node) == proof
        verify_inclusion(index, size, leaves[index], proof, roots[size])
    for case in vector["consistency"]:
        size1, size2, proof = case["size1"], case["size2"], [bytes.fromhex(value) for value in case["proof"]]
        assert consistency_proof(size1, size2, node) == proof
        verify_consistency(size1, size2, roots[size1], roots[size2], proof)


def test_the_receipt_holds() -> None:
    """A receipt written by hand from the three C2SP texts verifies."""
    vector = load("receipt.json")
    receipt = verify_receipt(
        vector["proof"].encode(),
        bytes.fromhex(vector["object_digest"]),
        [parse_vkey(vector["vkey"])],
        kid=b"key id 8",
        status=("https://status.example/1", 6),
        record_type="credential.issued",
    )

    assert (receipt.entry.index, receipt.checkpoint.size) == (6, 13)
