"""Shards of one deployment: their names, and which of several checkpoints is the last."""

from __future__ import annotations

from hashlib import sha256

import pytest

from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.errors import MalformedError
from idverify.ledger.succession import are_siblings, closing_digest, last_of, origin_of, shard_of

FIRST = "id.example:8443/log/1"


def test_the_number_of_a_shard_is_in_its_name() -> None:
    """Only the number differs between the logs of one deployment."""
    twelfth = origin_of(FIRST, 12)

    assert (twelfth, shard_of(twelfth)) == ("id.example:8443/log/12", 12)
    assert are_siblings(FIRST, twelfth)
    assert not are_siblings(FIRST, "id.example/log/1")


@pytest.mark.parametrize(
    "origin", ["id.example/log", "id.example/log/", "id.example/log/0", "id.example/log/01", "1/x"]
)
def test_a_name_without_a_number_is_no_shard(origin: str) -> None:
    """One spelling for each number, counted from 1."""
    with pytest.raises(MalformedError, match="shard in"):
        shard_of(origin)


def test_the_last_checkpoint_is_of_the_newest_shard() -> None:
    """However much longer an older one grew; numbers count, not letters, and the first named wins a tie."""
    older, newer = Checkpoint(origin_of(FIRST, 9), 900, b"a" * 32), Checkpoint(origin_of(FIRST, 10), 3, b"b" * 32)
    larger, twin = Checkpoint(origin_of(FIRST, 10), 4, b"c" * 32), Checkpoint(origin_of(FIRST, 10), 4, b"d" * 32)

    assert last_of([older, newer]) == newer
    assert last_of([newer, larger, twin, older]) == larger
    assert last_of([twin, larger]) == twin


def test_a_close_names_the_log_that_follows() -> None:
    """The plain digest of a public name: anybody can check it."""
    assert closing_digest(FIRST) == sha256(b"id.example:8443/log/1").digest()
