"""Signature type 02: ECDSA over a note text, for tokens that cannot sign with Ed25519."""

from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from idverify.ledger.errors import MalformedError
from idverify.ledger.keys import require_key_name

ECDSA: Final = 0x02

_CURVES: Final = (ec.SECP256R1, ec.SECP384R1)


@dataclass(frozen=True, slots=True)
class EcdsaVerifier:
    """ECDSA on P-256 or P-384 with SHA-256, the signature in DER; `public_key` is the SubjectPublicKeyInfo in DER."""

    name: str
    public_key: bytes

    signature_type: ClassVar[int] = ECDSA

    def __post_init__(self) -> None:
        """Refuse names and keys that no note could carry, and a second spelling of a key."""
        require_key_name(self.name)
        key = _load(self.public_key)
        if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != self.public_key:
            raise MalformedError("ECDSA key: expected a SubjectPublicKeyInfo with the whole point, got another form")

    @property
    def key_id(self) -> bytes:
        """SHA-256(SubjectPublicKeyInfo)[:4]: neither name nor type go in (signed-note, signature types)."""
        return sha256(self.public_key).digest()[:4]

    def verify(self, text: bytes, signature: bytes) -> bool:
        """FIPS 186-5 verification."""
        try:
            _load(self.public_key).verify(signature, text, ec.ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True


def _load(public_key: bytes) -> ec.EllipticCurvePublicKey:
    try:
        key = load_der_public_key(public_key)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedError("ECDSA key: expected a SubjectPublicKeyInfo in DER") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, _CURVES):
        raise MalformedError("ECDSA key: expected a point of P-256 or P-384")
    return key
