"""A log to measure: its checkpoints are signed by a key in memory, as a signature's cost is not measured here."""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.log_signers import LogSigners
from idverify.ledger.note import Ed25519Verifier
from idverify.ledger.published import SignedTree
from idverify.ledger.publisher import Publisher, Witnesses
from idverify.ports import SystemClock
from idverify.stores.ledger import StoredLedger
from idverify.stores.sqlite import SqliteStore

ORIGIN: Final = "bench.example/log/1"


class SoftSigner:
    """A checkpoint key."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.verifier = Ed25519Verifier(ORIGIN, self._key.public_key().public_bytes_raw())

    async def sign(self, checkpoint: Checkpoint) -> bytes:
        """64 bytes (RFC 8032)."""
        return self._key.sign(checkpoint.text())


def publisher(store: SqliteStore, signer: SoftSigner, witnesses: Witnesses | None = None) -> Publisher:
    """The publisher of the log in this store."""
    ledger, now = StoredLedger(store), SystemClock().now
    return Publisher(ledger, ORIGIN, LogSigners.each(signer), now=now, holder=b"bench", witnesses=witnesses)


async def shown(publishing: Publisher) -> SignedTree:
    """The newest tree that the publisher signed."""
    snapshot = await publishing.snapshot()
    assert snapshot is not None
    return snapshot.latest
