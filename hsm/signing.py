"""Key pairs as the worker holds them: the private handle, and the public half to check each signature with."""

import hashlib
from typing import Any, Protocol

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from pkcs11 import Mechanism

from hsm.ckr import Fault
from hsm.frames import Status
from hsm.keys import Algorithm
from hsm.verify import check_eddsa, check_es256

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


class SigningKey(Protocol):
    """Signs a message on the token and lets no signature out that does not verify."""

    spki: bytes

    def sign(self, message: bytes) -> bytes:
        """64 bytes, verified."""


class Es256Key:
    """P-256: the message is hashed here, the digest signed on the token (CKM_ECDSA gives r||s)."""

    def __init__(self, private: Any, public: ec.EllipticCurvePublicKey) -> None:
        self._sign = private.sign
        self._public = public
        self.spki = spki_of(public)

    def sign(self, message: bytes) -> bytes:
        """Sign and verify; a signature that does not hold is a fault of the token."""
        digest = hashlib.sha256(message).digest()
        signature: bytes = self._sign(digest, mechanism=Mechanism.ECDSA)
        if not check_es256(self._public, digest, signature):
            raise _does_not_verify(Algorithm.ES256)
        return signature


class EdDsaKey:
    """Ed25519 over the message itself (CKM_EDDSA without parameters is pure Ed25519)."""

    def __init__(self, private: Any, public: ed25519.Ed25519PublicKey) -> None:
        self._sign = private.sign
        self._public = public
        self.spki = spki_of(public)

    def sign(self, message: bytes) -> bytes:
        """Sign and verify; a signature that does not hold is a fault of the token."""
        signature: bytes = self._sign(message, mechanism=Mechanism.EDDSA)
        if not check_eddsa(self._public, message, signature):
            raise _does_not_verify(Algorithm.EDDSA)
        return signature


def public_key(algorithm: Algorithm, point: bytes) -> PublicKey:
    """The public key of a CKA_EC_POINT: an OCTET STRING by the standard, the bare point from some modules."""
    if algorithm is Algorithm.ES256 and len(point) in {65, 67}:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point[-65:])
    if algorithm is Algorithm.EDDSA and len(point) in {32, 34}:
        return ed25519.Ed25519PublicKey.from_public_bytes(point[-32:])
    raise Fault(
        Status.POLICY,
        f"Expected an uncompressed {algorithm} point, got {len(point)} bytes. The module's encoding is not supported.",
    )


def signing_key(private: Any, public: PublicKey) -> SigningKey:
    """The key pair ready for use."""
    if isinstance(public, ec.EllipticCurvePublicKey):
        return Es256Key(private, public)
    return EdDsaKey(private, public)


def spki_of(public: PublicKey) -> bytes:
    """SubjectPublicKeyInfo, DER."""
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def key_id(spki: bytes) -> bytes:
    """CKA_ID of a key pair: the first 8 bytes of SHA-256 over its SubjectPublicKeyInfo."""
    return hashlib.sha256(spki).digest()[:8]


def _does_not_verify(algorithm: Algorithm) -> Fault:
    return Fault(
        Status.TOKEN_DOWN,
        f"Expected an {algorithm} signature that verifies, got one that does not. Take the token out of service.",
    )
