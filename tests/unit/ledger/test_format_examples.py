"""The examples of docs/ledger-format.md: what our code writes, to the byte, and enough for a stranger to check them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from idverify.ledger.checkpoint import open_checkpoint
from idverify.ledger.cose_receipt import RULES, Expected, verify_inclusion_receipt
from idverify.ledger.description import LogDescription
from idverify.ledger.edge import RightEdge, split_hashes
from idverify.ledger.entry import Entry
from idverify.ledger.identity import LogIdentity
from idverify.ledger.lines import base64_text, parse_hash
from idverify.ledger.merkle import leaf_hash, verify_consistency, verify_inclusion
from idverify.ledger.note import parse_vkey, vkey
from idverify.ledger.proof import TlogProof
from idverify.ledger.published import PublishedLog
from idverify.ledger.receipt_issuer import ReceiptIssuer
from idverify.ledger.sequencer import decode_bundle
from tests.simulators.ledger_memory import ORIGIN, LedgerMemory, SoftwareSigner, publishing
from tests.simulators.root_signer import SoftwareRootSigner

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "ledger-format.md").read_text()
BLOCK = re.compile(r"^```(text|hex) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = {
    (kind, name): text.encode() if kind == "text" else bytes.fromhex("".join(text.split()))
    for kind, name, text in BLOCK.findall(PAGE[PAGE.index("## 9. ") : PAGE.index("## 11. ")])
}
ISS = "https://id.example"


async def written() -> dict[tuple[str, str], bytes]:
    """The example log as our code shows it."""
    memory, signer, receipts = LedgerMemory(), SoftwareSigner(), SoftwareRootSigner()
    memory.append(3)
    publisher, key = publishing(memory, signer), vkey(signer.verifier)
    await publisher.publish_once()
    identity = LogIdentity(ORIGIN, ISS, "id.example", f"{ISS}/status")
    described = LogDescription(identity, 1, (key,), f"log {key}\nquorum none\n", receipts.key)
    log = PublishedLog(memory, publisher.snapshot, described.encode())
    proof, signed = await log.proof(1), await log.provable(1)
    assert proof is not None
    assert signed is not None
    consistency = "".join(f"{base64_text(value)}\n" for value in await log.consistency(1, 3))
    files = {name: await log.read(name) for kind, name in EXAMPLES if "proof" not in name and "?" not in name}
    return {
        **{(kind, name): files[name] or b"" for kind, name in EXAMPLES if name in files},
        ("text", "proof/1"): proof.encode(),
        ("text", "consistency?from=1&to=3"): consistency.encode(),
        ("hex", "proof/1"): await ReceiptIssuer(receipts, ISS, ORIGIN).inclusion(signed, 1),
    }


async def test_the_examples_are_what_our_code_writes() -> None:
    """Every example of the published log and of COSE Receipts, and there are as many as there should be."""
    assert await written() == EXAMPLES
    assert len(EXAMPLES) == 7


def test_a_stranger_checks_the_examples() -> None:
    """From the page alone: keys, signature, tree, entries, both proofs and the receipt fit together."""
    described = LogDescription.decode(EXAMPLES["text", "log.json"])
    verifiers = [parse_vkey(one) for one in described.vkeys]
    head = open_checkpoint(EXAMPLES["text", "checkpoint"], verifiers)
    leaves = split_hashes(EXAMPLES["hex", "tile/0/000.p/3"])
    entries = decode_bundle(EXAMPLES["hex", "tile/entries/000.p/2"])
    proof = TlogProof.decode(EXAMPLES["text", "proof/1"])
    hashes = [parse_hash(line, "line") for line in EXAMPLES["text", "consistency?from=1&to=3"].decode().splitlines()]
    assert described.receipt_key is not None
    expected = Expected([described.receipt_key], described.identity.iss, head.origin)

    assert RightEdge().extend(leaves)[0].root() == head.root
    assert list(map(leaf_hash, entries)) == leaves[:2]
    assert [Entry.decode(entry).index for entry in entries] == [0, 1]
    assert proof.checkpoint_note == EXAMPLES["text", "checkpoint"]
    verify_inclusion(proof.index, head.size, leaves[1], proof.hashes, head.root)
    verify_consistency(1, 3, leaves[0], head.root, hashes)
    assert verify_inclusion_receipt(EXAMPLES["hex", "proof/1"], leaves[1], expected).root == head.root


@pytest.mark.parametrize("rule", RULES)
def test_the_format_page_names_every_rule_of_cose_receipts(rule: str) -> None:
    """Each rule has its row in section 10."""
    assert f"\n| `{rule}` |" in PAGE.partition("## 10. COSE Receipt")[2]
