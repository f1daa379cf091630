"""A wallet in memory: a P-256 key that proves possession and binds presentations."""

from __future__ import annotations

import time
from collections.abc import Iterable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from idverify.formats import jose, key_binding, key_proof, sdjwt
from idverify.formats.base import HolderBindingExpected


class SoftWallet:
    """One holder key."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.jwk = jose.public_jwk(self.key.public_key())

    def proof(self, issuer: str, nonce: str, at: int | None = None) -> str:
        """An ``openid4vci-proof+jwt``."""
        unsigned = key_proof.prepare(self.jwk, issuer, nonce, at or int(time.time()))
        return jose.jws(unsigned, self.sign(unsigned)).decode()

    def present(self, credential: str, claims: Iterable[str], audience: str, nonce: str) -> str:
        """A presentation of the named claims with key binding."""
        shown = sdjwt.select(credential.encode(), [(name,) for name in claims])
        unsigned = key_binding.prepare(shown, HolderBindingExpected(audience, nonce), int(time.time()))
        return (shown + jose.jws(unsigned, self.sign(unsigned))).decode()

    def sign(self, message: bytes) -> bytes:
        """``r || s`` over a message."""
        r, s = decode_dss_signature(self.key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
