"""The examples of docs/ledger-format.md section 17 are what our code writes, to the byte."""

from __future__ import annotations

import re
from pathlib import Path

from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.identity import LogIdentity
from idverify.ledger.lines import parse_hash
from idverify.ledger.shard_audit import SUCCESSION
from idverify.ledger.succession import closing_digest

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "ledger-format.md").read_text()
SECTION = PAGE[PAGE.index("## 17. Shards") :]
EXAMPLES = {
    name: bytes.fromhex("".join(text.split()))
    for name, text in re.findall(r"^```hex (\S+)\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
}


def test_the_identity_of_a_log_that_follows() -> None:
    """Four names and the checkpoint of the example log; its digest is that of entry 0."""
    root = re.search(r"^log\.example/1\n3\n(\S+)\n", PAGE, re.MULTILINE)
    assert root is not None
    previous = Checkpoint("log.example/1", 3, parse_hash(root[1], "root"))
    names = ("log.example/2", "https://id.example", "id.example", "https://id.example/status")
    identity = LogIdentity(*names, previous)

    assert {
        "identity": identity.encode(),
        "identity-digest": identity.digest(),
        "shard-close-digest": closing_digest("log.example/2"),
    } == EXAMPLES
    assert LogIdentity.decode(EXAMPLES["identity"]) == identity


def test_the_rule_across_shards_is_explained() -> None:
    """The rule id of the audit has its row."""
    assert f"| `{SUCCESSION}` |" in SECTION
