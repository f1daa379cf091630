"""Public keys of other encodings in the one COSE spelling that ``cose_key`` takes: compared and used as such."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from fido2 import cbor

from idverify.auth.cose_key import verifying_key
from idverify.errors import CeremonyMalformed, KeyNotAllowed

_CURVES: Final[Mapping[str, tuple[int, int]]] = {"secp256r1": (1, 32), "secp384r1": (2, 48), "secp521r1": (3, 66)}


def elliptic(algorithm: int, curve: str, x: int, y: int) -> bytes:
    """RFC 9053 section 7.1.1; ``curve`` by the name of SEC 2. Raises ``ValueError`` for a curve of no algorithm."""
    if curve not in _CURVES:
        raise ValueError(f"{curve} is no curve of an algorithm that is taken here")
    label, size = _CURVES[curve]
    coordinates = {-2: x.to_bytes(size, "big"), -3: y.to_bytes(size, "big")}
    return _encode({1: 2, 3: algorithm, -1: label, **coordinates})


def rsa_key(algorithm: int, n: int, e: int) -> bytes:
    """RFC 8230 section 4."""
    return _encode({1: 3, 3: algorithm, -1: _unsigned(n), -2: _unsigned(e)})


def of_certificate(certificate: x509.Certificate, algorithm: int) -> bytes:
    """The certificate's key, to be used with ``algorithm``. Raises ``ValueError`` for keys of no algorithm."""
    match certificate.public_key():
        case ec.EllipticCurvePublicKey() as key:
            numbers = key.public_numbers()
            return elliptic(algorithm, key.curve.name, numbers.x, numbers.y)
        case rsa.RSAPublicKey() as key:
            public = key.public_numbers()
            return rsa_key(algorithm, public.n, public.e)
        case ed25519.Ed25519PublicKey() as key:
            return _encode({1: 1, 3: algorithm, -1: 6, -2: key.public_bytes_raw()})
        case ed448.Ed448PublicKey() as key:
            return _encode({1: 1, 3: algorithm, -1: 7, -2: key.public_bytes_raw()})
    raise ValueError("its key is of no algorithm that is taken here")


def signed_by(certificate: x509.Certificate, algorithm: int, signature: bytes, message: bytes) -> bool:
    """Whether the certificate's key, well formed and fit for ``algorithm``, signed ``message``."""
    try:
        key = verifying_key(of_certificate(certificate, algorithm))
    except (ValueError, CeremonyMalformed, KeyNotAllowed):
        return False
    return key.holds(signature, message)


def certifies(certificate: x509.Certificate, cose_key: bytes) -> bool:
    """Whether the certificate is about the key that ``cose_key`` (well formed) spells."""
    try:
        return of_certificate(certificate, verifying_key(cose_key).algorithm) == cose_key
    except ValueError:
        return False


def _unsigned(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _encode(members: Mapping[int, Any]) -> bytes:
    return cbor.encode(members)
