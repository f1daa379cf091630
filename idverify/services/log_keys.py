"""The keys with which the log signs its checkpoints, as the database names them: which there are, and what each signs.

A token signs with Ed25519, or with ECDSA where it has no EdDSA. Beside it stands a post-quantum key that no token holds
yet: its seed rests sealed by a wrapping key of the token that the row names. Every token has such a pair: where one
does not answer, another signs, and readers know the keys of all of them before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from idverify.core.key_order import ACTIVE, REVOKED
from idverify.ledger.cosignature import MlDsa44Verifier
from idverify.ledger.ecdsa import EcdsaVerifier
from idverify.ledger.note import Ed25519Verifier, NoteVerifier

CHECKPOINT_SIGNER: Final = "checkpoint-signer"
CHECKPOINT_COSIGNER: Final = "checkpoint-cosigner"


def _ed25519(origin: str, spki: bytes) -> NoteVerifier:
    key = load_der_public_key(spki)
    assert isinstance(key, Ed25519PublicKey)
    return Ed25519Verifier(origin, key.public_bytes_raw())


def _ml_dsa_44(origin: str, spki: bytes) -> NoteVerifier:
    key = load_der_public_key(spki)
    assert isinstance(key, MLDSA44PublicKey)
    return MlDsa44Verifier(origin, key.public_bytes_raw())


# Algorithm of a signing key -> the verifier of its checkpoints, from the log's origin and the key's SPKI.
VERIFIERS: Final[Mapping[str, Callable[[str, bytes], NoteVerifier]]] = {
    "EdDSA": _ed25519,
    "ES256": EcdsaVerifier,
    "ML-DSA-44": _ml_dsa_44,
}
ROLES: Final = (CHECKPOINT_SIGNER, CHECKPOINT_COSIGNER)


@dataclass(frozen=True, slots=True)
class LogKey:
    """One of them. ``public_key`` is DER SPKI; ``sealed`` is the wrapped seed of a software key.

    One that is not ``active`` signs nothing more; what it signed holds.
    """

    key_id: bytes
    algorithm: str
    public_key: bytes
    sealed: bytes | None
    active: bool = True

    def verifier(self, origin: str) -> NoteVerifier:
        """What checks its signatures on checkpoints of the log ``origin``."""
        return VERIFIERS[self.algorithm](origin, self.public_key)


def log_keys(rows: list[Any]) -> tuple[LogKey, ...]:
    """The log's keys among the rows of ``signing_key``: those in tokens first, of a kind those that sign, oldest first.

    Whatever one of them signed holds, unless it was revoked.
    """
    held = [row for row in rows if row["role"] in ROLES and row["state"] != REVOKED]
    held.sort(key=_order)
    return tuple(
        LogKey(row["key_id"], row["algorithm"], row["public_key"], row["sealed"], active=row["state"] == ACTIVE)
        for row in held
    )


def _order(row: Any) -> tuple[int, bool, int, bytes]:
    return ROLES.index(row["role"]), row["state"] != ACTIVE, row["created_at"], row["key_id"]
