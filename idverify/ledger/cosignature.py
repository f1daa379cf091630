"""C2SP cosignatures (c2sp.org/tlog-cosignature): what a witness, or the log itself, says of a checkpoint, and when.

Both types put the time (u64, unix seconds) before the signature. Type 04 signs the whole text of the note under
the time; type 06 signs a structure of its own, which the text is read into. So a text that is not exactly a
checkpoint, or one with extension lines (which 06 would leave unsigned), verifies under no key of type 06.
"""

from dataclasses import dataclass
from struct import pack
from typing import ClassVar, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from idverify.ledger.errors import MalformedError
from idverify.ledger.keys import key_id, require_key_name
from idverify.ledger.lines import parse_head

COSIGNATURE_V1: Final = 0x04
ML_DSA_44: Final = 0x06
MAX_TIME: Final = 2**63 - 1

_TIME: Final = 8
_ED25519_KEY: Final = 32
_ML_DSA_44_KEY: Final = 1312  # FIPS 204 table 2
_SUBTREE: Final = b"subtree/v1\n\x00"
_MAX_OPAQUE: Final = 255


def stamp(time: int, signature: bytes) -> bytes:
    """A `timestamped_signature`: what follows the key id in the signature line."""
    return pack(">Q", _require_time(time)) + signature


def timestamp(stamped: bytes) -> int:
    """The unix time of a cosignature that has been verified; 0 says nothing of time, and no witness may say it."""
    return int.from_bytes(stamped[:_TIME], "big")


@dataclass(frozen=True, slots=True)
class CosignatureV1Verifier:
    """Signature type 04: Ed25519 over `cosignature/v1`, the time, and the note text.

    The name is not signed, so that one key must serve one cosigner only.
    """

    name: str
    public_key: bytes

    signature_type: ClassVar[int] = COSIGNATURE_V1

    def __post_init__(self) -> None:
        """Refuse names and keys that no note could carry."""
        require_key_name(self.name)
        _require_size("Ed25519 cosignature key", self.public_key, _ED25519_KEY)

    @property
    def key_id(self) -> bytes:
        """SHA-256(name || 0A || 04 || key)[:4]."""
        return key_id(self.name, COSIGNATURE_V1, self.public_key)

    def message(self, text: bytes, time: int) -> bytes:
        """The bytes to sign in order to cosign a note text at unix time `time`; `stamp` makes the rest of the line."""
        return f"cosignature/v1\ntime {_require_time(time)}\n".encode() + text

    def verify(self, text: bytes, signature: bytes) -> bool:
        """RFC 8032 verification."""
        if timestamp(signature) > MAX_TIME:
            return False
        try:
            key = Ed25519PublicKey.from_public_bytes(self.public_key)
            key.verify(signature[_TIME:], self.message(text, timestamp(signature)))
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class MlDsa44Verifier:
    """Signature type 06: ML-DSA-44 over a `cosigned_message` with the cosigner's name, the time, and the tree head."""

    name: str
    public_key: bytes

    signature_type: ClassVar[int] = ML_DSA_44

    def __post_init__(self) -> None:
        """Refuse names and keys that no note, or no message, could carry."""
        require_key_name(self.name)
        _opaque(self.name, "cosigner name")
        _require_size("ML-DSA-44 key", self.public_key, _ML_DSA_44_KEY)

    @property
    def key_id(self) -> bytes:
        """SHA-256(name || 0A || 06 || key)[:4]."""
        return key_id(self.name, ML_DSA_44, self.public_key)

    def message(self, text: bytes, time: int) -> bytes:
        """The bytes to sign in order to cosign a note text at unix time `time`; `stamp` makes the rest of the line.

        They speak of the whole tree: start is 0, end the size.

        Raises `MalformedError`: the text is not exactly a checkpoint.
        """
        origin, size, root = parse_head(text)
        name, log = _opaque(self.name, "cosigner name"), _opaque(origin, "checkpoint origin")
        return _SUBTREE + name + pack(">Q", _require_time(time)) + log + pack(">QQ", 0, size) + root

    def verify(self, text: bytes, signature: bytes) -> bool:
        """FIPS 204 verification, with an empty context."""
        if timestamp(signature) > MAX_TIME:
            return False
        try:
            message = self.message(text, timestamp(signature))
            MLDSA44PublicKey.from_public_bytes(self.public_key).verify(signature[_TIME:], message)
        except (MalformedError, InvalidSignature, ValueError):
            return False
        return True


CosignatureVerifier = CosignatureV1Verifier | MlDsa44Verifier
"""A `NoteVerifier` whose signatures have a `timestamp`."""


def _require_time(time: int) -> int:
    if not 0 <= time <= MAX_TIME:
        raise MalformedError(f"cosignature time: expected 0 to 2^63 - 1, got {time}")
    return time


def _require_size(what: str, key: bytes, size: int) -> None:
    if len(key) != size:
        raise MalformedError(f"{what}: expected {size} bytes, got {len(key)}")


def _opaque(text: str, what: str) -> bytes:
    """`opaque<1..2^8-1>` of RFC 8446 section 3.4: one byte of length, then the bytes."""
    data = text.encode()
    if not 0 < len(data) <= _MAX_OPAQUE:
        raise MalformedError(f"{what}: expected 1 to {_MAX_OPAQUE} bytes, got {len(data)}")
    return bytes([len(data)]) + data
