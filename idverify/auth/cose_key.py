"""Public keys of authenticators (RFC 9052 section 7), by our own table of algorithms.

The table is also what we offer, so a key of any other algorithm was not asked for (WebAuthn L3 section 7.1 step 20).
A key has to be well formed when it is registered: nobody shall learn at their first sign-in that it verifies nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, padding, rsa
from fido2.cose import CoseKey

from idverify.auth import strict_cbor
from idverify.auth.edwards import ED448, ED25519, EdwardsCurve, is_fit
from idverify.errors import CeremonyMalformed, KeyNotAllowed

MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 4096  # no authenticator has larger ones, and what a stranger's key costs us must have an end

_KTY, _ALG = 1, 3
_OKP, _EC2, _RSA, _AKP = 1, 2, 3, 7  # IANA: COSE Key Types


Verify = Callable[[bytes, bytes], None]
"""Given a signature and a message, raises ``InvalidSignature`` unless they belong together."""


class _PublicKey(Protocol):
    def verify(self, signature: bytes, message: bytes, /) -> None: ...


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A key that was found well formed. ``algorithm`` is its COSE algorithm identifier."""

    algorithm: int
    _verify: Verify

    def holds(self, signature: bytes, message: bytes) -> bool:
        """Whether ``signature`` is one of ``message`` by this key."""
        try:
            self._verify(signature, message)
        except InvalidSignature:
            return False
        return True


@lru_cache(maxsize=4096)  # who signs in comes back; to rebuild the key costs a third of its verification
def verifying_key(cose_key: bytes) -> VerifyingKey:
    """The key that ``cose_key`` spells.

    Raises ``KeyNotAllowed`` (``algorithm``, ``key-strength``) and ``CeremonyMalformed`` (``cose-key``).
    """
    try:
        members = strict_cbor.decode(cose_key)
    except ValueError as wrong:
        raise _malformed(f"{wrong}") from None
    if type(members) is not dict or type(members.get(_ALG)) is not int:
        raise _malformed("it must be a map with an algorithm")
    algorithm = ALGORITHMS.get(members[_ALG])
    if algorithm is None:
        raise KeyNotAllowed("algorithm", "This security key uses an algorithm that is not taken here. Use another.")
    return VerifyingKey(members[_ALG], algorithm(members))


def _malformed(why: str) -> CeremonyMalformed:
    return CeremonyMalformed("cose-key", f"The public key must be a COSE key in its one spelling: {why}.")


def _parameters(members: Mapping[Any, Any], kty: int, curve: int | None, *strings: int) -> tuple[bytes, ...]:
    """The byte strings under labels ``strings``. WebAuthn L3 section 6.5.1: the required parameters and no other."""
    fixed = {_KTY: kty} if curve is None else {_KTY: kty, -1: curve}
    if set(members) != {*fixed, _ALG, *strings} or any(members[label] != value for label, value in fixed.items()):
        raise _malformed("it must have exactly the parameters, and the curve, of its algorithm")
    values = tuple(members[label] for label in strings)
    if not all(type(value) is bytes for value in values):
        raise _malformed("its parameters must be byte strings")
    return values


def _ecdsa(curve: ec.EllipticCurve, label: int, hash_: hashes.HashAlgorithm, members: Mapping[Any, Any]) -> Verify:
    """RFC 9053 section 2.1 with the curve that WebAuthn L3 section 5.8.5 ties to the algorithm."""
    coordinates = _parameters(members, _EC2, label, -2, -3)
    size = (curve.key_size + 7) // 8
    if any(len(coordinate) != size for coordinate in coordinates):
        raise _malformed(f"its coordinates must be {size} bytes each")
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\x04" + b"".join(coordinates))
    except ValueError:
        raise _malformed("its coordinates are no point of its curve") from None
    scheme = ec.ECDSA(hash_)
    return lambda signature, message: key.verify(signature, message, scheme)


def _eddsa(curve: EdwardsCurve, label: int, load: Callable[[bytes], _PublicKey], members: Mapping[Any, Any]) -> Verify:
    """RFC 9053 section 2.2; -8 means Ed25519 (WebAuthn L3 section 5.8.5)."""
    (point,) = _parameters(members, _OKP, label, -2)
    if not is_fit(curve, point):
        raise _malformed("its point is not on its curve, or of small order")
    return load(point).verify


def _rsa(members: Mapping[Any, Any]) -> Verify:
    """RFC 8230, RFC 8812 section 2; sizes and exponent by FIPS 186-5 section 5.1."""
    n, e = (int.from_bytes(number, "big") for number in _parameters(members, _RSA, None, -1, -2))
    if not MIN_RSA_BITS <= n.bit_length() <= MAX_RSA_BITS or not 2**16 < e < 2**256:
        raise KeyNotAllowed("key-strength", "This security key's RSA key has no size that is taken here. Use another.")
    if n % 2 == 0 or e % 2 == 0:
        raise _malformed("modulus and exponent must be odd")
    key = rsa.RSAPublicNumbers(e, n).public_key()
    return lambda signature, message: key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())


def _ml_dsa(load: Callable[[bytes], _PublicKey], members: Mapping[Any, Any]) -> Verify:
    """RFC 9964: ML-DSA for COSE."""
    (public,) = _parameters(members, _AKP, None, -1)
    try:
        return load(public).verify
    except ValueError:
        raise _malformed("its public key has not the length of its algorithm") from None


_READERS: Final[Mapping[int, Callable[[Mapping[Any, Any]], Verify]]] = {
    -7: partial(_ecdsa, ec.SECP256R1(), 1, hashes.SHA256()),  # ES256
    -8: partial(_eddsa, ED25519, 6, ed25519.Ed25519PublicKey.from_public_bytes),  # EdDSA
    -35: partial(_ecdsa, ec.SECP384R1(), 2, hashes.SHA384()),  # ES384
    -36: partial(_ecdsa, ec.SECP521R1(), 3, hashes.SHA512()),  # ES512
    -53: partial(_eddsa, ED448, 7, ed448.Ed448PublicKey.from_public_bytes),  # Ed448
    -48: partial(_ml_dsa, mldsa.MLDSA44PublicKey.from_public_bytes),  # ML-DSA-44
    -49: partial(_ml_dsa, mldsa.MLDSA65PublicKey.from_public_bytes),  # ML-DSA-65
    -50: partial(_ml_dsa, mldsa.MLDSA87PublicKey.from_public_bytes),  # ML-DSA-87
    -257: _rsa,  # RS256
}
_MISSING: Final = {-48, -49, -50} - set(CoseKey.supported_algorithms())  # not every OpenSSL has ML-DSA

# In the order in which we like them: first what every authenticator has. IANA: COSE Algorithms.
ALGORITHMS: Final[Mapping[int, Callable[[Mapping[Any, Any]], Verify]]] = MappingProxyType(
    {number: read for number, read in _READERS.items() if number not in _MISSING}
)
