"""A log as witnesses see it: signed checkpoints of any size, and proofs between them; and how it forks."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.cosignature import ML_DSA_44
from idverify.ledger.cosigner import Cosigner
from idverify.ledger.merkle import complete_subtrees, consistency_proof, fold, leaf_hash, node_hash
from idverify.ledger.note import Ed25519Verifier, NoteSignature, write_note

ORIGIN = "log.example/1"


@dataclass
class SignedLog:
    """Entry n is the text of n; from ``forks_at`` on it is another one, signed with the same keys."""

    origin: str = ORIGIN
    seed: bytes = bytes(32)
    forks_at: int | None = None
    _nodes: dict[tuple[int, int], bytes] = field(default_factory=dict)

    @cached_property
    def verifier(self) -> Ed25519Verifier:
        """The Ed25519 key."""
        return Ed25519Verifier(self.origin, self._key.public_key().public_bytes_raw())

    @cached_property
    def post_quantum(self) -> Cosigner:
        """The ML-DSA key."""
        return Cosigner.from_seed(ML_DSA_44, self.origin, self.seed)

    @property
    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    def node(self, level: int, index: int) -> bytes:
        """A complete subtree."""
        if (level, index) not in self._nodes:
            self._nodes[level, index] = (
                node_hash(self.node(level - 1, 2 * index), self.node(level - 1, 2 * index + 1))
                if level
                else leaf_hash(b"%d" % index + (b"" if self.forks_at is None or index < self.forks_at else b"!"))
            )
        return self._nodes[level, index]

    def checkpoint(self, size: int) -> Checkpoint:
        """The tree head of a size."""
        return Checkpoint(self.origin, size, fold([self.node(*place) for place in complete_subtrees(0, size)]))

    def proof(self, old: int, size: int) -> list[bytes]:
        """The consistency proof; none from the empty tree."""
        return consistency_proof(old, size, self.node) if old else []

    def sign(self, text: bytes) -> NoteSignature:
        """The Ed25519 line over a text."""
        return NoteSignature(self.origin, self.verifier.key_id, self._key.sign(text))

    def note(self, size: int) -> bytes:
        """The checkpoint of a size, signed with Ed25519."""
        text = self.checkpoint(size).text()
        return write_note(text, [self.sign(text)])

    def note_of_both(self, size: int) -> bytes:
        """The checkpoint of a size, signed with both keys."""
        text = self.checkpoint(size).text()
        return write_note(text, [self.sign(text), self.post_quantum.cosign(text, 0)])
