"""Which deployment a log belongs to: fixed at the first entry, never taken from a port or a request."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Self

from idverify.ledger import cbor
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.errors import MalformedError

_MAX_IDENTITY: Final = 8192
NAMES: Final = ("origin", "iss", "rp_id", "status_base")
"""The names that every identity has, in the order in which they are listed."""
_PREVIOUS: Final = "previous"


@dataclass(frozen=True, slots=True)
class LogIdentity:
    """The names a deployment can never change; published beside the log, their digest is in entry 0.

    `origin` names the log (tlog-checkpoint), `iss` the issuer, `rp_id` the WebAuthn relying party,
    `status_base` the URL under which status lists are published. `previous` is the last known checkpoint of the log
    that this one follows, None for the first: whoever holds a later one can show that it was left out.
    """

    origin: str
    iss: str
    rp_id: str
    status_base: str
    previous: Checkpoint | None = None

    def encode(self) -> bytes:
        """Deterministic CBOR map of the four names, and of `previous` where there is one: the bytes to publish."""
        names = {name: getattr(self, name) for name in NAMES}
        return cbor.encode(names if self.previous is None else names | {_PREVIOUS: _head(self.previous)})

    def digest(self) -> bytes:
        """SHA-256 of `encode()`, 32 bytes: the `digest` of the `LOG_START` entry."""
        return sha256(self.encode()).digest()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the published bytes.

        Raises `MalformedError`: not exactly a map of the four names to text, and of `previous` to a checkpoint of
        another log.
        """
        value = cbor.decode(data, "log identity", limit=_MAX_IDENTITY)
        if not isinstance(value, dict) or value.keys() - {_PREVIOUS} != set(NAMES):
            raise MalformedError(f"log identity: expected a map with the keys {sorted(NAMES)}")
        names = {name: value[name] for name in NAMES}
        if not all(isinstance(name, str) and name for name in names.values()):
            raise MalformedError("log identity: expected every value to be non-empty text")
        previous = _checkpoint(value[_PREVIOUS]) if _PREVIOUS in value else None
        if previous is not None and previous.origin == names["origin"]:
            raise MalformedError("log identity: expected the log before to be another one")
        return cls(**names, previous=previous)


def _head(checkpoint: Checkpoint) -> dict[str, str | int | bytes]:
    return {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root}


def _checkpoint(value: Any) -> Checkpoint:
    match value:
        case {"origin": str(origin), "size": int(size), "root": bytes(root)} if len(value) == 3:
            return Checkpoint(origin, size, root)
    raise MalformedError("log identity: expected previous to be a map of origin, size and root")
