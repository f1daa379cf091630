"""The working group's examples of COSE Receipts: read, led to one root, and written again to the byte.

Their keys were never published, so their signatures are only refused here under a key that is not theirs.
"""

from __future__ import annotations

from pathlib import Path

import cbor2
import pytest

from idverify.ledger.cose_receipt import (
    CONSISTENCY,
    INCLUSION,
    Expected,
    encode_consistency,
    encode_inclusion,
    verify_consistency_receipt,
    verify_inclusion_receipt,
)
from idverify.ledger.errors import ReceiptError
from idverify.ledger.merkle import consistency_root, inclusion_root, node_hash
from idverify.ledger.receipt_key import ES256, ReceiptKey
from tests.simulators.root_signer import SoftwareRootSigner

EXAMPLES = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "ledger" / "cose-receipts" / "examples"
ISS = "https://transparency-service.example.com"
STRANGER = ReceiptKey(b"test-key-1", ES256, SoftwareRootSigner().key.public)

pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the shared vectors are not beside this checkout")


def example(name: str) -> bytes:
    return (EXAMPLES / f"{name}-receipt.cbor").read_bytes()


def proof(name: str, kind: int) -> tuple[int, int, list[bytes]]:
    first, second, hashes = cbor2.loads(cbor2.loads(example(name)).value[1][396][kind][0])
    return first, second, hashes


def test_the_examples_are_written_again_to_the_byte() -> None:
    """The parts of each give its very bytes; only the order of the signed header is theirs."""
    for name, kind, encode in (
        ("inclusion", INCLUSION, encode_inclusion),
        ("consistency", CONSISTENCY, encode_consistency),
    ):
        protected, _, payload, signature = cbor2.loads(example(name)).value
        first, second, hashes = proof(name, kind)

        assert payload is None
        assert encode(protected, signature, first, second, hashes) == example(name)


def test_both_examples_lead_to_one_root() -> None:
    """The consistency path from 3 to 5 holds entry 3 itself, whose inclusion in 5 leads to the same root."""
    size, index, path = proof("inclusion", INCLUSION)
    size1, size2, (leaf2, leaf3, left, leaf4) = proof("consistency", CONSISTENCY)
    root = inclusion_root(index, size, leaf3, path)

    assert (size, index, size1, size2) == (5, 3, 3, 5)
    assert root == consistency_root(size1, size2, node_hash(left, leaf2), [leaf2, leaf3, left, leaf4])


def test_they_hold_but_for_the_key() -> None:
    """Under the name of their key and another key's bytes, the one thing that is wrong is the signature."""
    leaf2, leaf3, left, _ = proof("consistency", CONSISTENCY)[2]
    expected = Expected([STRANGER], ISS)

    with pytest.raises(ReceiptError, match=r"^signature: "):
        verify_inclusion_receipt(example("inclusion"), leaf3, expected)
    with pytest.raises(ReceiptError, match=r"^signature: "):
        verify_consistency_receipt(example("consistency"), 3, node_hash(left, leaf2), expected)
    with pytest.raises(ReceiptError, match=r"^claims: "):
        verify_inclusion_receipt(example("inclusion"), leaf3, Expected([STRANGER], "https://other.example"))
    with pytest.raises(ReceiptError, match=r"^kid: "):
        verify_inclusion_receipt(example("inclusion"), leaf3, Expected([SoftwareRootSigner().key], ISS))
