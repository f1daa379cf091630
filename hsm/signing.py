"""Key pairs as the worker holds them: the private handle, and the public half to check each signature with."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from pkcs11 import MGF, Attribute, Mechanism

from hsm.algorithms import SCHEMES
from hsm.ckr import Fault
from hsm.frames import Status
from hsm.keys import Algorithm
from hsm.verify import CHECKS, PSS_SALT, PublicKey, key_id, spki_of, what_is_signed

_PARAMETERS: Mapping[Mechanism, Any] = {
    Mechanism.RSA_PKCS_PSS: (Mechanism.SHA256, MGF.SHA256, PSS_SALT),
}
"""What a mechanism must be told beside its name."""


class SigningKey:
    """Signs a message, or its digest where the algorithm has one, and lets no signature out that does not verify."""

    def __init__(
        self, algorithm: Algorithm, sign: Callable[[bytes], bytes], public: PublicKey, identity: bytes | None = None
    ) -> None:
        """`identity` is the CKA_ID under which the token has both halves."""
        self.algorithm = algorithm
        self._identity = identity
        self.spki = spki_of(public)
        self._prepared = what_is_signed(algorithm)
        self._sign = sign
        self._holds = partial(CHECKS[algorithm], public)

    def sign(self, message: bytes) -> bytes:
        """Sign and verify; a signature that does not hold is a fault of the token."""
        prepared = self._prepared(message)
        signature = self._sign(prepared)
        if not self._holds(prepared, signature):
            raise self._does_not_verify()
        return signature

    def _does_not_verify(self) -> Fault:
        """The token's fault, unless the public half is another than the id was made of: then the key alone is bad."""
        if self._identity is not None and key_id(self.spki) != self._identity:
            return Fault(
                Status.KEY_REFUSED,
                f"Expected the public half of key {self._identity.hex()}, got that of another. Somebody changed the "
                "token: restore it from a backup, and find out who.",
            )
        return Fault(
            Status.TOKEN_DOWN,
            f"Expected an {self.algorithm} signature that verifies, got one that does not. Take the token out of "
            "service.",
        )


def by_token(private: Any, mechanism: Mechanism) -> Callable[[bytes], bytes]:
    """Signing with a private key of the token, by a mechanism that it lists."""
    if mechanism in _PARAMETERS:
        return partial(private.sign, mechanism=mechanism, mechanism_param=_PARAMETERS[mechanism])
    return partial(private.sign, mechanism=mechanism)


def public_key(algorithm: Algorithm, found: Any) -> PublicKey:
    """The public key that a token's public key object describes."""
    try:
        return _PUBLIC[SCHEMES[algorithm].key_type](algorithm, found)
    except ValueError as error:
        raise Fault(
            Status.POLICY, f"Expected a public {algorithm} key, got one that is none ({error}). Make the key anew."
        ) from error


def _point(algorithm: Algorithm, found: Any) -> PublicKey:
    """Of CKA_EC_POINT: an OCTET STRING by the standard, the bare point from some modules."""
    point: bytes = found[Attribute.EC_POINT]
    size, load = _POINTS[algorithm]
    bare = point[-size:]
    if point not in (bare, _octet_string(bare)):
        raise Fault(
            Status.POLICY,
            f"Expected an uncompressed {algorithm} point, got {len(point)} bytes. "
            "The module's encoding is not supported.",
        )
    return load(bare)


def _octet_string(content: bytes) -> bytes:
    """DER of an OCTET STRING of less than 128 bytes."""
    return bytes([0x04, len(content)]) + content


def _rsa(_: Algorithm, found: Any) -> PublicKey:
    modulus, exponent = found[Attribute.MODULUS], found[Attribute.PUBLIC_EXPONENT]
    return rsa.RSAPublicNumbers(int.from_bytes(exponent), int.from_bytes(modulus)).public_key()


def _ml_dsa(algorithm: Algorithm, found: Any) -> PublicKey:
    """Of CKA_VALUE, the encoded public key of FIPS 204 section 7.2 (PKCS#11 v3.2)."""
    load = mldsa.MLDSA44PublicKey if algorithm is Algorithm.ML_DSA_44 else mldsa.MLDSA65PublicKey
    return load.from_public_bytes(found[Attribute.VALUE])


_POINTS: Mapping[Algorithm, tuple[int, Callable[[bytes], PublicKey]]] = {
    Algorithm.ES256: (65, partial(ec.EllipticCurvePublicKey.from_encoded_point, ec.SECP256R1())),
    Algorithm.ES384: (97, partial(ec.EllipticCurvePublicKey.from_encoded_point, ec.SECP384R1())),
    Algorithm.EDDSA: (32, ed25519.Ed25519PublicKey.from_public_bytes),
}
"""Bytes of a point, and what reads it."""

_PUBLIC: Mapping[str, Callable[[Algorithm, Any], PublicKey]] = {
    "EC": _point,
    "EC_EDWARDS": _point,
    "RSA": _rsa,
    "ML_DSA": _ml_dsa,
}
