"""How logs follow each other: what a new shard is called, which checkpoint it names, how the one before is closed.

A log that ended is never signed again. Its last known checkpoint is part of the new log's identity, to which entry 0
commits; where the old log is whole, its last entry is a `SHARD_CLOSE` that names the new log, and the checkpoint named
is the one over that entry.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.errors import MalformedError
from idverify.ledger.lines import parse_decimal

_SEPARATOR: Final = "/"


def shard_of(origin: str) -> int:
    """The number of a shard: what stands behind the last slash of its origin.

    Raises `MalformedError`: there is no number, or it is 0.
    """
    number = parse_decimal(origin.rpartition(_SEPARATOR)[2], f"shard in {origin[:80]!r}")
    if not number:
        raise MalformedError(f"shard in {origin[:80]!r}: expected a number from 1 on")
    return number


def origin_of(sibling: str, shard: int) -> str:
    """The origin of a shard of the same deployment as `sibling`."""
    return f"{sibling.rpartition(_SEPARATOR)[0]}{_SEPARATOR}{shard}"


def are_siblings(one: str, other: str) -> bool:
    """Whether two origins name shards of one deployment."""
    return origin_of(one, 1) == origin_of(other, 1)


def last_of(known: Iterable[Checkpoint]) -> Checkpoint:
    """The last checkpoint of the newest shard among what is known; of two of one size, the one that stands first."""
    return max(known, key=lambda checkpoint: (shard_of(checkpoint.origin), checkpoint.size))


def closing_digest(following: str) -> bytes:
    """The digest of a `SHARD_CLOSE`: SHA-256 of the origin of the log that follows, 32 bytes."""
    return sha256(following.encode()).digest()
