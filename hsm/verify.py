"""Checking signatures outside the token, with the public half alone: one function per family of algorithms."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa, utils

from hsm.algorithms import SCHEMES
from hsm.errors import HsmUnavailable
from hsm.keys import Algorithm

PublicKey = (
    ec.EllipticCurvePublicKey
    | ed25519.Ed25519PublicKey
    | rsa.RSAPublicKey
    | mldsa.MLDSA44PublicKey
    | mldsa.MLDSA65PublicKey
)

PSS_SALT = 32
"""Bytes: that of the hash, RFC 7518 section 3.5 and RFC 8230 section 2."""

_CURVES: Mapping[str, Algorithm] = {"secp256r1": Algorithm.ES256, "secp384r1": Algorithm.ES384}
PSS = padding.PSS(padding.MGF1(hashes.SHA256()), PSS_SALT)


def spki_of(public: PublicKey) -> bytes:
    """SubjectPublicKeyInfo, DER."""
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def key_id(spki: bytes) -> bytes:
    """CKA_ID of a key pair: the first 8 bytes of SHA-256 over its SubjectPublicKeyInfo."""
    return hashlib.sha256(spki).digest()[:8]


def algorithm_of(public: object) -> Algorithm | None:
    """The algorithm that a public key is for, None when it is none of ours."""
    match public:
        case ec.EllipticCurvePublicKey():
            return _CURVES.get(public.curve.name)
        case ed25519.Ed25519PublicKey():
            return Algorithm.EDDSA
        case rsa.RSAPublicKey() if public.key_size == SCHEMES[Algorithm.PS256].bits:
            return Algorithm.PS256
        case mldsa.MLDSA44PublicKey():
            return Algorithm.ML_DSA_44
        case mldsa.MLDSA65PublicKey():
            return Algorithm.ML_DSA_65
    return None


def what_is_signed(algorithm: Algorithm) -> Callable[[bytes], bytes]:
    """What makes, of a message, the bytes that the token is given: a digest where the algorithm has a hash."""
    name = SCHEMES[algorithm].hash
    if name is None:
        return bytes
    make: Callable[[bytes], Any] = getattr(hashlib, name)
    return lambda message: make(message).digest()


Check = Callable[[Any, bytes, bytes], bool]
"""(public key, what the token was given, signature) -> whether it holds."""


def _ecdsa(size: int, hash_algorithm: hashes.HashAlgorithm) -> Check:
    """Of r || s, each of `size` bytes."""
    given = ec.ECDSA(utils.Prehashed(hash_algorithm))

    def check(public: ec.EllipticCurvePublicKey, digest: bytes, signature: bytes) -> bool:
        if len(signature) != 2 * size:
            return False
        r, s = int.from_bytes(signature[:size]), int.from_bytes(signature[size:])
        try:
            public.verify(utils.encode_dss_signature(r, s), digest, given)
        except InvalidSignature:
            return False
        return True

    return check


def _pss(public: rsa.RSAPublicKey, digest: bytes, signature: bytes) -> bool:
    try:
        public.verify(signature, digest, PSS, utils.Prehashed(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _message(
    public: ed25519.Ed25519PublicKey | mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey, message: bytes, signature: bytes
) -> bool:
    """Ed25519 (RFC 8032 section 5.1.7) and ML-DSA with an empty context (FIPS 204 section 5.3)."""
    try:
        public.verify(signature, message)
    except InvalidSignature:
        return False
    return True


CHECKS: Mapping[Algorithm, Check] = {
    Algorithm.ES256: _ecdsa(32, hashes.SHA256()),
    Algorithm.ES384: _ecdsa(48, hashes.SHA384()),
    Algorithm.EDDSA: _message,
    Algorithm.PS256: _pss,
    Algorithm.ML_DSA_44: _message,
    Algorithm.ML_DSA_65: _message,
}
"""How a signature of each algorithm is checked."""


def verify_signature(spki: bytes, message: bytes, signature: bytes) -> None:
    """Raise `HsmUnavailable` unless the signature over the message holds under this SubjectPublicKeyInfo."""
    public = serialization.load_der_public_key(spki)
    algorithm = algorithm_of(public)
    if algorithm is None or not CHECKS[algorithm](public, what_is_signed(algorithm)(message), signature):
        raise HsmUnavailable(
            "Expected a signature that verifies, got one that does not. Take the token out of service."
        )


def x509_signature(algorithm: Algorithm, signature: bytes) -> bytes:
    """The signature as certificates, CRLs and CMS carry it: ECDSA as a DER sequence, the others as they are."""
    if algorithm not in _CURVES.values():
        return signature
    half = len(signature) // 2
    r, s = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
    return utils.encode_dss_signature(r, s)
