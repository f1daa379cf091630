"""What an entry says, sealed so that only a holder of the salt can read it.

The log holds `HMAC-SHA256(salt, record)` and nothing else of the record. A plain hash of a passport number
can be found by trying all of them; a keyed one with 32 random bytes cannot. Deleting the salt turns the entry
into random bytes while every proof over it stays valid: that is how a person is erased from a log that never
forgets.
"""

import hmac
from dataclasses import dataclass
from typing import Final, Self

from idverify.ledger import cbor
from idverify.ledger.errors import MalformedError
from idverify.ledger.lines import U64_MAX

SALT_SIZE: Final = 32
RECORD_VERSION: Final = 1
MAX_RECORD: Final = 8192


@dataclass(frozen=True, slots=True)
class Record:
    """The private content of an entry.

    `type` is the true type, such as `credential.issued`. `object_digest` is the SHA-256 of the issuer-signed
    bytes, or of the object recorded (32 bytes). `kid` is the id of the key that signed, `status` the (list
    URI, index) of a credential, `reason` a stable word, `decision` the id of the decision behind the entry.
    """

    type: str
    object_digest: bytes
    kid: bytes | None = None
    status: tuple[str, int] | None = None
    reason: str | None = None
    decision: bytes | None = None

    def __post_init__(self) -> None:
        """Refuse values of another shape, whoever made them."""
        expected = {
            "type: 1 to 64 characters": _is_text(self.type, 1, 64),
            "object digest: 32 bytes": _is_bytes(self.object_digest, 32, 32),
            "kid: 1 to 64 bytes or null": self.kid is None or _is_bytes(self.kid, 1, 64),
            "status: [URI, index] or null": self.status is None or _is_status(self.status),
            "reason: at most 256 characters or null": self.reason is None or _is_text(self.reason, 0, 256),
            "decision: 1 to 64 bytes or null": self.decision is None or _is_bytes(self.decision, 1, 64),
        }
        wrong = [rule for rule, holds in expected.items() if not holds]
        if wrong:
            raise MalformedError(f"record: expected {'; '.join(wrong)}")

    def encode(self) -> bytes:
        """Deterministic CBOR `[1, type, object digest, kid, status, reason, decision]`."""
        status = None if self.status is None else list(self.status)
        return cbor.encode(
            [RECORD_VERSION, self.type, self.object_digest, self.kid, status, self.reason, self.decision]
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a record of at most `MAX_RECORD` bytes.

        Raises `MalformedError`: not exactly what `encode` writes.
        """
        match cbor.decode(data, "record", limit=MAX_RECORD):
            case [int(version), kind, digest, kid, status, reason, decision] if version == RECORD_VERSION:
                reference = tuple(status) if isinstance(status, list) else status
                return cls(kind, digest, kid, reference, reason, decision)
        raise MalformedError(f"record: expected an array of 7 elements that starts with {RECORD_VERSION}")


def commitment(salt32: bytes, record: Record) -> bytes:
    """HMAC-SHA256 of the encoded record under a salt of 32 random bytes: an entry's `digest` (32 bytes)."""
    if len(salt32) != SALT_SIZE:
        raise MalformedError(f"salt: expected {SALT_SIZE} bytes, got {len(salt32)}")
    return hmac.digest(salt32, record.encode(), "sha256")


def opens(salt32: bytes, record: Record, digest: bytes) -> bool:
    """Whether salt and record are what `digest` commits to; in constant time."""
    return hmac.compare_digest(commitment(salt32, record), digest)


def _is_bytes(value: object, least: int, most: int) -> bool:
    return isinstance(value, bytes) and least <= len(value) <= most


def _is_text(value: object, least: int, most: int) -> bool:
    return isinstance(value, str) and least <= len(value) <= most


def _is_status(value: object) -> bool:
    match value:
        case (str(uri), int(index)) if not isinstance(index, bool):
            return 0 < len(uri) <= 1024 and 0 <= index <= U64_MAX
    return False
