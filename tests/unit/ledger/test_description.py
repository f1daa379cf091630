"""`log.json`: one spelling, and every member is read back as it was written."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.description import LogDescription
from idverify.ledger.errors import MalformedError
from idverify.ledger.identity import NAMES, LogIdentity
from tests.simulators.ledger_memory import ORIGIN
from tests.simulators.root_signer import SoftwareRootSigner

IDENTITY = LogIdentity(ORIGIN, "https://id.example", "id.example", "https://id.example/status")
PLAIN = LogDescription(IDENTITY, 1, ("vkey",), "log vkey\nquorum none\n")
FULL = replace(
    PLAIN,
    shard=2,
    identity=replace(IDENTITY, previous=Checkpoint("log.example/0", 7, bytes(32))),
    receipt_key=SoftwareRootSigner().key,
    closed=True,
    minimum_index=3,
)


SEVERAL = replace(FULL, further_receipt_keys=(replace(SoftwareRootSigner().key, kid=b"of another token"),))


@pytest.mark.parametrize("described", [PLAIN, FULL, SEVERAL])
def test_what_is_written_is_read(described: LogDescription) -> None:
    """Writing and reading are inverse, and the members are those of the documentation."""
    members = json.loads(described.encode())

    assert LogDescription.decode(described.encode()) == described
    assert [*members] == [
        "origin",
        "shard",
        "vkeys",
        "policy",
        "maximum_merge_delay",
        "minimum_index",
        "identity",
        "previous",
        "closed",
        "receipt_key",
        *(["further_receipt_keys"] if described is SEVERAL else []),
    ]
    assert members["maximum_merge_delay"] == 60


def changed(name: str, value: Any) -> bytes:
    return json.dumps(json.loads(FULL.encode()) | {name: value}, indent=2).encode() + b"\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("origin", "log.example/2"),
        ("shard", "1"),
        ("shard", -1),
        ("shard", 1.0),
        ("shard", True),
        ("vkeys", None),
        ("vkeys", [1]),
        ("policy", None),
        ("identity", {"origin": ORIGIN}),
        ("identity", None),
        ("identity", {name: getattr(IDENTITY, name) for name in NAMES} | {"iss": 5}),
        ("identity", {name: getattr(IDENTITY, name) for name in NAMES} | {"iss": "\ud800"}),
        ("identity", {name: getattr(IDENTITY, name) for name in NAMES} | {"previous": None}),
        ("previous", {"origin": "o", "size": 1, "root": "AAAA"}),
        ("previous", {"origin": "o", "size": "1", "root": ""}),
        ("previous", []),
        ("closed", 1),
        ("closed", None),
        ("receipt_key", {}),
        ("receipt_key", "key"),
        ("further_receipt_keys", []),
        ("further_receipt_keys", None),
        ("further_receipt_keys", [{}]),
        ("surplus", 1),
    ],
)
def test_what_is_not_a_description_is_refused(name: str, value: Any) -> None:
    """Another type, a value that contradicts another, a member that nobody defined."""
    with pytest.raises(MalformedError):
        LogDescription.decode(changed(name, value))


@given(st.binary(max_size=300))
def test_noise_is_refused(noise: bytes) -> None:
    """Bytes of any kind raise `MalformedError` and nothing else."""
    for data in (noise, b"[" * 100_000, b" " + FULL.encode(), FULL.encode() + b" " * 300_000, b"{}", b"null"):
        with pytest.raises(MalformedError):
            LogDescription.decode(data)
