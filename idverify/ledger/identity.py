"""Which deployment a log belongs to: fixed at the first entry, never taken from a port or a request."""

from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Self

from idverify.ledger import cbor
from idverify.ledger.errors import MalformedError

_MAX_IDENTITY = 8192
_FIELDS = {"origin", "iss", "rp_id", "status_base"}


@dataclass(frozen=True, slots=True)
class LogIdentity:
    """The names a deployment can never change; published beside the log, their digest is in entry 0.

    `origin` names the log (tlog-checkpoint), `iss` the issuer, `rp_id` the WebAuthn relying party,
    `status_base` the URL under which status lists are published.
    """

    origin: str
    iss: str
    rp_id: str
    status_base: str

    def encode(self) -> bytes:
        """Deterministic CBOR map of the four names: the bytes to publish."""
        return cbor.encode(asdict(self))

    def digest(self) -> bytes:
        """SHA-256 of `encode()`, 32 bytes: the `digest` of the `LOG_START` entry."""
        return sha256(self.encode()).digest()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the published bytes.

        Raises `MalformedError`: not exactly a map of the four names to text.
        """
        value = cbor.decode(data, "log identity", limit=_MAX_IDENTITY)
        if not isinstance(value, dict) or value.keys() != _FIELDS:
            raise MalformedError(f"log identity: expected a map with the keys {sorted(_FIELDS)}")
        if not all(isinstance(name, str) and name for name in value.values()):
            raise MalformedError("log identity: expected every value to be non-empty text")
        return cls(**value)
