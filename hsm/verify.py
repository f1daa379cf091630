"""Checking signatures outside the token, with the public half alone."""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

from hsm.errors import HsmUnavailable

SIGNATURE_SIZE = 64
"""Bytes, of r||s on P-256 and of Ed25519 alike."""

_SHA256_GIVEN = ec.ECDSA(utils.Prehashed(hashes.SHA256()))


def check_es256(public: ec.EllipticCurvePublicKey, digest: bytes, signature: bytes) -> bool:
    """Whether r||s is a P-256 signature over a SHA-256 digest."""
    if len(signature) != SIGNATURE_SIZE:
        return False
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    try:
        public.verify(utils.encode_dss_signature(r, s), digest, _SHA256_GIVEN)
    except InvalidSignature:
        return False
    return True


def check_eddsa(public: ed25519.Ed25519PublicKey, message: bytes, signature: bytes) -> bool:
    """Whether this is an Ed25519 signature over the message (RFC 8032 section 5.1.7)."""
    try:
        public.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def verify_signature(spki: bytes, message: bytes, signature: bytes) -> None:
    """Raise `HsmUnavailable` unless the signature over the message holds under this SubjectPublicKeyInfo."""
    public = serialization.load_der_public_key(spki)
    if isinstance(public, ec.EllipticCurvePublicKey):
        holds = check_es256(public, hashlib.sha256(message).digest(), signature)
    else:
        holds = isinstance(public, ed25519.Ed25519PublicKey) and check_eddsa(public, message, signature)
    if not holds:
        raise HsmUnavailable(
            "Expected a signature that verifies, got one that does not. Take the token out of service."
        )
