"""Keys in memory for the roots of COSE Receipts, one for each algorithm of the table; they count what they sign."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from idverify.ledger.receipt_key import ED25519, EDDSA, ES256, ML_DSA_44, ReceiptKey

Pair = tuple[bytes, Callable[[bytes], bytes]]


@dataclass
class SoftwareRootSigner:
    """`RootSigner` over a key made from a seed; `signed` holds every message."""

    algorithm: int = ES256
    seed: bytes = b"receipts"
    signed: list[bytes] = field(default_factory=list)

    @property
    def key(self) -> ReceiptKey:
        """The public half."""
        public, _ = PAIRS[self.algorithm](self.seed)
        return ReceiptKey(sha256(public).digest()[:8], self.algorithm, public)

    async def sign(self, message: bytes) -> bytes:
        """The signature."""
        return self.sign_now(message)

    def sign_now(self, message: bytes) -> bytes:
        """The signature, without waiting."""
        self.signed.append(message)
        return PAIRS[self.algorithm](self.seed)[1](message)


def _p256(seed: bytes) -> Pair:
    key = ec.derive_private_key(int.from_bytes(sha256(seed).digest()[1:], "big"), ec.SECP256R1())
    point = key.public_key().public_numbers()

    def sign(message: bytes) -> bytes:
        # RFC 6979: one signature for one message, so that examples can be written down
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big"), sign


def _ed25519(seed: bytes) -> Pair:
    key = Ed25519PrivateKey.from_private_bytes(sha256(seed).digest())
    return key.public_key().public_bytes_raw(), key.sign


def _ml_dsa_44(seed: bytes) -> Pair:
    key = mldsa.MLDSA44PrivateKey.from_seed_bytes(sha256(seed).digest())
    return key.public_key().public_bytes_raw(), key.sign


PAIRS: Final[Mapping[int, Callable[[bytes], Pair]]] = {
    ES256: _p256,
    EDDSA: _ed25519,
    ED25519: _ed25519,
    ML_DSA_44: _ml_dsa_44,
}
