"""RFC 6962 proofs of others: transparency-dev/merkle's `testdata`, and a real Certificate Transparency log."""

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

from idverify.ledger.errors import ProofError
from idverify.ledger.merkle import leaf_hash, verify_consistency, verify_inclusion

SHARED = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "ledger"
MERKLE = SHARED / "merkle-testdata"
ARGON = SHARED / "golang-mod" / "argon2020"

CASES = sorted(MERKLE.glob("*/**/*.json"))

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared vectors are not beside this checkout")


def hashes(values: list[str] | None) -> list[bytes]:
    return [b64decode(value) for value in values or []]


def verify(case: dict[str, Any]) -> None:
    proof = hashes(case["proof"])
    if "leafIdx" in case:
        leaf, root = hashes([case["leafHash"], case["root"]])
        verify_inclusion(case["leafIdx"], case["treeSize"], leaf, proof, root)
    else:
        root1, root2 = hashes([case["root1"], case["root2"]])
        verify_consistency(case["size1"], case["size2"], root1, root2, proof)


def test_the_whole_collection_is_there() -> None:
    """98 inclusion and 98 consistency proofs; fewer would be a broken copy."""
    assert [len(list(MERKLE.glob(f"{kind}/**/*.json"))) for kind in ("inclusion", "consistency")] == [98, 98]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.relative_to(MERKLE)))
def test_testdata_of_transparency_dev(case: Path) -> None:
    """Good proofs verify, and every corrupted one is refused."""
    vector = json.loads(case.read_text())
    if vector["wantErr"]:
        with pytest.raises(ProofError):
            verify(vector)
    else:
        verify(vector)


def test_inclusion_in_a_log_of_961_984_013_certificates() -> None:
    """Entry 10,000 of argon2020 is in the tree its log signed."""
    sth, entries, proof = (json.loads((ARGON / f"{name}.json").read_text()) for name in ("sth", "entries", "proof"))
    leaf = leaf_hash(b64decode(entries["entries"][0]["leaf_input"]))
    root = b64decode(sth["sha256_root_hash"])
    path = hashes(proof["audit_path"])
    verify_inclusion(10_000, sth["tree_size"], leaf, path, root)
    with pytest.raises(ProofError):
        verify_inclusion(10_001, sth["tree_size"], leaf, path, root)


def test_consistency_in_a_log_of_961_984_013_certificates() -> None:
    """The tree of 3,654,490 entries is a prefix of the last one."""
    first = json.loads((ARGON.parent / "tlog_vectors.json").read_text())["argon2020"]
    sth, answer = (json.loads((ARGON / f"{name}.json").read_text()) for name in ("sth", "consistency"))
    root1, root2 = hashes([first["first_root"], sth["sha256_root_hash"]])
    proof = hashes(answer["consistency"])
    verify_consistency(first["first_size"], sth["tree_size"], root1, root2, proof)
    with pytest.raises(ProofError):
        verify_consistency(first["first_size"] + 1, sth["tree_size"], root1, root2, proof)
