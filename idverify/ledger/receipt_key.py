"""Keys that sign the roots of COSE Receipts: what each algorithm verifies with, and how its key is published.

The algorithm belongs to the key. A message that names another one is refused; none is ever chosen by a message.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from idverify.ledger.errors import MalformedError

ES256: Final = -7
EDDSA: Final = -8
ED25519: Final = -19
ML_DSA_44: Final = -48

_COORDINATE: Final = 32


class RootSigner(Protocol):
    """A key for the roots of published checkpoints, wherever it is kept."""

    @property
    def key(self) -> "ReceiptKey":
        """The public half."""

    async def sign(self, message: bytes) -> bytes:
        """The signature over `message` as COSE carries it: for ES256 `r || s`."""


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One row of `ALGORITHMS`: its JOSE name, the JWK members that say which key it is, and what it verifies."""

    name: str
    members: Mapping[str, str]
    verify: Callable[[bytes, bytes, bytes], None]
    coordinates: tuple[str, ...]
    size: int


def _es256(public: bytes, message: bytes, signature: bytes) -> None:
    if len(signature) != 2 * _COORDINATE:
        raise InvalidSignature
    r, s = (int.from_bytes(half, "big") for half in (signature[:_COORDINATE], signature[_COORDINATE:]))
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public)
    key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))


def _ed25519(public: bytes, message: bytes, signature: bytes) -> None:
    Ed25519PublicKey.from_public_bytes(public).verify(signature, message)


def _ml_dsa_44(public: bytes, message: bytes, signature: bytes) -> None:
    mldsa.MLDSA44PublicKey.from_public_bytes(public).verify(signature, message)


ALGORITHMS: Final[Mapping[int, Algorithm]] = {
    ES256: Algorithm("ES256", {"kty": "EC", "crv": "P-256"}, _es256, ("x", "y"), 2 * _COORDINATE),
    EDDSA: Algorithm("EdDSA", {"kty": "OKP", "crv": "Ed25519"}, _ed25519, ("x",), 32),
    ED25519: Algorithm("Ed25519", {"kty": "OKP", "crv": "Ed25519"}, _ed25519, ("x",), 32),
    ML_DSA_44: Algorithm("ML-DSA-44", {"kty": "AKP"}, _ml_dsa_44, ("pub",), 1312),
}
"""COSE algorithm -> how it is used (RFC 9053 sections 2.1 and 2.2, RFC 9864, RFC 9964)."""


@dataclass(frozen=True, slots=True)
class ReceiptKey:
    """A public key that a reader trusts for roots: `kid` names it, `algorithm` is one of `ALGORITHMS`.

    `public` is `x || y` for ES256, the 32 bytes of RFC 8032 for Ed25519, the 1312 of FIPS 204 for ML-DSA-44.
    """

    kid: bytes
    algorithm: int
    public: bytes

    def __post_init__(self) -> None:
        """Refuse a key that its algorithm has no use for."""
        if self.algorithm not in ALGORITHMS:
            raise MalformedError(f"receipt key: expected an algorithm of {list(ALGORITHMS)}, got {self.algorithm}")
        if not 1 <= len(self.kid) <= 64:
            raise MalformedError(f"receipt key: expected a kid of 1 to 64 bytes, got {len(self.kid)}")
        size = ALGORITHMS[self.algorithm].size
        if len(self.public) != size:
            raise MalformedError(f"receipt key: expected a public key of {size} bytes, got {len(self.public)}")

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's over `message`; a key that is no point of its curve verifies nothing."""
        try:
            ALGORITHMS[self.algorithm].verify(self.public, message, signature)
        except (InvalidSignature, ValueError):
            return False
        return True

    def jwk(self) -> dict[str, str]:
        """The key as a JWK (RFC 7517), as `log.json` carries it."""
        algorithm = ALGORITHMS[self.algorithm]
        step = len(self.public) // len(algorithm.coordinates)
        parts = (self.public[start : start + step] for start in range(0, len(self.public), step))
        public = {name: _base64url(part) for name, part in zip(algorithm.coordinates, parts, strict=True)}
        return {**algorithm.members, **public, "alg": algorithm.name, "kid": _base64url(self.kid)}

    @classmethod
    def from_jwk(cls, jwk: object) -> Self:
        """The key a JWK describes.

        Raises `MalformedError`: not exactly what `jwk` writes.
        """
        if not isinstance(jwk, dict) or not all(isinstance(value, str) for value in jwk.values()):
            raise MalformedError("receipt key: expected a JWK whose members are text")
        for number, algorithm in ALGORITHMS.items():
            if jwk.get("alg") == algorithm.name:
                public = b"".join(_decoded(jwk.get(name, "")) for name in algorithm.coordinates)
                key = cls(_decoded(jwk.get("kid", "")), number, public)
                if key.jwk() == jwk:
                    return key
        raise MalformedError(f"receipt key: expected a JWK of {[one.name for one in ALGORITHMS.values()]}")


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError(f"receipt key: expected base64url without padding, got {text[:80]!r}") from error
