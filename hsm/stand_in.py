"""Signing by the token what `cryptography`'s builders make.

A builder signs at once, and the token answers later. So each is built twice: the first time a stand-in for the
private key notes what is to be signed, the second time it hands over the token's signature.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa

from hsm.algorithms import SCHEMES
from hsm.errors import HsmPolicy
from hsm.keys import Algorithm
from hsm.verify import PSS, algorithm_of, x509_signature

Sign = Callable[[bytes], Any]
"""Sign these bytes: `Hsm.sign` with its key."""

T = TypeVar("T", x509.Certificate, x509.CertificateSigningRequest, x509.CertificateRevocationList)
Build = Callable[..., T]
"""`sign` of one of `cryptography`'s builders."""

_HASHES: Final[Mapping[str | None, hashes.SHA256 | hashes.SHA384 | None]] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    None: None,
}


class _Noting:
    """What the stand-ins share: the bytes to be signed, and the signature once there is one."""

    def __init__(self, public: Any) -> None:
        self._public = public
        self.noted = b""
        self.signature = b"\0"

    def public_key(self) -> Any:
        return self._public

    @property
    def key_size(self) -> int:
        return int(self._public.key_size)

    def sign(self, data: Any, *_: Any) -> bytes:
        self.noted = bytes(data)
        return self.signature

    private_numbers = private_bytes = private_bytes_raw = __copy__ = __deepcopy__ = None  # which no builder asks for


class _Ec(_Noting, ec.EllipticCurvePrivateKey):  # type: ignore[misc]
    @property
    def curve(self) -> ec.EllipticCurve:
        curve: ec.EllipticCurve = self._public.curve
        return curve

    exchange = None  # type: ignore[assignment]


class _Ed25519(_Noting, ed25519.Ed25519PrivateKey):  # type: ignore[misc]
    pass


class _Rsa(_Noting, rsa.RSAPrivateKey):  # type: ignore[misc]
    decrypt = None  # type: ignore[assignment]


class _MlDsa44(_Noting, mldsa.MLDSA44PrivateKey):  # type: ignore[misc]
    sign_mu = None  # type: ignore[assignment]


class _MlDsa65(_Noting, mldsa.MLDSA65PrivateKey):  # type: ignore[misc]
    sign_mu = None  # type: ignore[assignment]


_STAND_INS: Final[Mapping[Algorithm, type[_Noting]]] = {
    Algorithm.ES256: _Ec,
    Algorithm.ES384: _Ec,
    Algorithm.EDDSA: _Ed25519,
    Algorithm.PS256: _Rsa,
    Algorithm.ML_DSA_44: _MlDsa44,
    Algorithm.ML_DSA_65: _MlDsa65,
}


async def signed(spki: bytes, sign: Sign, build: Build[T]) -> T:
    """What `build` makes, signed by the token's key that has this public half, with its algorithm of the table."""
    public, algorithm = ours(serialization.load_der_public_key(spki))
    stand_in, digest = _STAND_INS[algorithm](public), _HASHES[SCHEMES[algorithm].hash]
    how = {"rsa_padding": PSS} if algorithm is Algorithm.PS256 else {}
    build(stand_in, digest, **how)
    to_be_signed = stand_in.noted
    stand_in.signature = x509_signature(algorithm, await sign(to_be_signed))
    made = build(stand_in, digest, **how)
    if stand_in.noted != to_be_signed:
        raise HsmPolicy("Expected a builder that makes the same twice, got one that does not. Nothing was signed.")
    return made


def ours(public: Any) -> tuple[Any, Algorithm]:
    """A public key and its algorithm; `HsmPolicy` when it is of none in the table."""
    algorithm = algorithm_of(public)
    if algorithm is None:
        raise HsmPolicy(
            f"Expected a key of {', '.join(_STAND_INS)} as docs/providers.md has them, got another kind or size. "
            "Make such a key."
        )
    return public, algorithm
