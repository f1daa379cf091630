"""Commitments and the identity of a deployment."""

import hmac
from dataclasses import replace
from hashlib import sha256
from typing import Any

import cbor2
import pytest

from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.commitment import Record, commitment, opens
from idverify.ledger.errors import MalformedError
from idverify.ledger.identity import LogIdentity

SALT = bytes(range(32))
RECORD = Record("credential.issued", b"o" * 32, b"k" * 8, ("https://status.example/7", 41), "renewal", b"d" * 16)
IDENTITY = LogIdentity("log.example/1", "https://id.example", "id.example", "https://status.example")


def test_commitment_is_hmac_over_deterministic_cbor() -> None:
    """The digest is the specification's, made here without the code under test."""
    record = cbor2.dumps(
        [1, "credential.issued", b"o" * 32, b"k" * 8, ["https://status.example/7", 41], "renewal", b"d" * 16]
    )

    assert record == RECORD.encode()
    assert hmac.new(SALT, record, sha256).digest() == commitment(SALT, RECORD)


@pytest.mark.parametrize(
    "change",
    [
        {"type": "credential.revoked"},
        {"object_digest": b"x" * 32},
        {"kid": None},
        {"status": ("https://status.example/7", 42)},
        {"reason": None},
        {"decision": b"e" * 16},
    ],
)
def test_every_field_is_committed_to(change: dict[str, Any]) -> None:
    """Another record does not open the commitment, whichever field differs."""
    digest = commitment(SALT, RECORD)

    assert opens(SALT, RECORD, digest)
    assert not opens(SALT, replace(RECORD, **change), digest)
    assert not opens(bytes(32), RECORD, digest)


@pytest.mark.parametrize("record", [RECORD, Record("erased", bytes(32))])
def test_records_read_back(record: Record) -> None:
    """Encoding and decoding a record are inverse, with every optional field or none."""
    assert Record.decode(record.encode()) == record


@pytest.mark.parametrize(
    "value",
    [
        [2, "t", bytes(32), None, None, None, None],
        [True, "t", bytes(32), None, None, None, None],
        [1, "", bytes(32), None, None, None, None],
        [1, "t" * 65, bytes(32), None, None, None, None],
        [1, b"t", bytes(32), None, None, None, None],
        [1, "t", bytes(31), None, None, None, None],
        [1, "t", "d" * 32, None, None, None, None],
        [1, "t", bytes(32), b"", None, None, None],
        [1, "t", bytes(32), "kid", None, None, None],
        [1, "t", bytes(32), None, ["uri", -1], None, None],
        [1, "t", bytes(32), None, ["", 1], None, None],
        [1, "t", bytes(32), None, ["uri"], None, None],
        [1, "t", bytes(32), None, "uri", None, None],
        [1, "t", bytes(32), None, None, "r" * 257, None],
        [1, "t", bytes(32), None, None, None, b""],
        [1, "t", bytes(32), None, None, None],
        {},
    ],
)
def test_a_record_of_another_shape_is_refused(value: object) -> None:
    """Other versions, types, sizes and counts are not a record."""
    with pytest.raises(MalformedError, match=r"^record: expected"):
        Record.decode(cbor2.dumps(value))


def test_a_salt_has_32_bytes() -> None:
    """A short salt could be searched."""
    with pytest.raises(MalformedError, match="expected 32 bytes, got 16"):
        commitment(bytes(16), RECORD)


def test_identity_reads_back_and_has_the_digest_of_its_bytes() -> None:
    """What is published is what entry 0 commits to."""
    names = {"iss": IDENTITY.iss, "rp_id": IDENTITY.rp_id, "origin": IDENTITY.origin}
    published = cbor2.dumps({**names, "status_base": IDENTITY.status_base})

    assert published == IDENTITY.encode()
    assert sha256(published).digest() == IDENTITY.digest()
    assert LogIdentity.decode(published) == IDENTITY


@pytest.mark.parametrize("value", [[], {"iss": "a", "rp_id": "b", "origin": "c"}, {"a": 1}])
def test_an_identity_has_exactly_four_names(value: object) -> None:
    """A map with other keys is not an identity."""
    with pytest.raises(MalformedError, match="map with the keys"):
        LogIdentity.decode(cbor2.dumps(value))


def test_a_log_that_follows_another_names_its_last_checkpoint() -> None:
    """The checkpoint is part of what entry 0 commits to; without one, the bytes are those of a first log."""
    previous = Checkpoint("log.example/0", 9, b"r" * 32)
    following = replace(IDENTITY, previous=previous)
    names = {"iss": IDENTITY.iss, "rp_id": IDENTITY.rp_id, "origin": IDENTITY.origin}
    head = {"root": previous.root, "size": 9, "origin": previous.origin}
    published = cbor2.dumps({**names, "previous": head, "status_base": IDENTITY.status_base})

    assert following.encode() == published
    assert LogIdentity.decode(published) == following
    assert following.digest() != IDENTITY.digest()


@pytest.mark.parametrize(
    ("previous", "sentence"),
    [
        (None, "map of origin, size and root"),
        ({"origin": "log.example/0", "size": 9}, "map of origin, size and root"),
        ({"origin": "log.example/0", "size": "9", "root": bytes(32)}, "map of origin, size and root"),
        ({"origin": "log.example/0", "size": 9, "root": bytes(32), "time": 1}, "map of origin, size and root"),
        ({"origin": "log.example/0", "size": 9, "root": bytes(31)}, "expected 32 bytes"),
        ({"origin": "log.example/0", "size": -1, "root": bytes(32)}, "size"),
        ({"origin": IDENTITY.origin, "size": 9, "root": bytes(32)}, "to be another one"),
    ],
)
def test_the_log_before_is_a_checkpoint_of_another_log(previous: object, sentence: str) -> None:
    """One spelling, and no log that follows itself."""
    names = {"iss": "a", "rp_id": "b", "origin": IDENTITY.origin, "status_base": "d"}
    with pytest.raises(MalformedError, match=sentence):
        LogIdentity.decode(cbor2.dumps({**names, "previous": previous}, canonical=True))


@pytest.mark.parametrize("name", ["", 7, None])
def test_a_name_is_text(name: object) -> None:
    """An empty or missing name identifies nothing."""
    value = {"iss": name, "rp_id": "b", "origin": "c", "status_base": "d"}
    with pytest.raises(MalformedError, match="non-empty text"):
        LogIdentity.decode(cbor2.dumps(value))
