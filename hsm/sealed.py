"""Keys that no token can make yet: made in the signer process, their seed wrapped by a key of the token.

Such a key is weaker than one of the token's: its seed is in the memory of the signer process while it is used. It is
in nothing else: what is kept is the wrapped seed, which is worth nothing without the token, and is labelled, so that
no process is given it as a secret that it had wrapped. Whoever lists keys marks it as software (`SealedKey.to_json`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import mldsa

from hsm.errors import HsmPolicy
from hsm.keys import Algorithm
from hsm.verify import algorithm_of, key_id

SEED_SIZE = 32
"""Bytes of randomness from which such a key follows (FIPS 204 section 3.6.3)."""

LABEL = b"hsm-seed"
"""What stands before a seed where it is wrapped. Those that were sealed before there were labels have none."""

SEALED_SIZES = (SEED_SIZE + 8, len(LABEL) + SEED_SIZE + 8)
"""Bytes of a sealed seed (RFC 5649: 8 more than what is wrapped), without its label and with it."""

FROM_SEED: Mapping[Algorithm, Callable[[bytes], mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey]] = {
    Algorithm.ML_DSA_44: mldsa.MLDSA44PrivateKey.from_seed_bytes,
    Algorithm.ML_DSA_65: mldsa.MLDSA65PrivateKey.from_seed_bytes,
}
"""The algorithms that may be in software; any other is for the token."""


@dataclass(frozen=True, slots=True)
class SealedKey:
    """A key pair in software. `public_key` is SubjectPublicKeyInfo DER, `sealed` the seed under `wrapping_key`."""

    public_key: bytes
    wrapping_key: bytes
    sealed: bytes

    @property
    def id(self) -> bytes:
        """As of any key pair: the first 8 bytes of SHA-256 over its SubjectPublicKeyInfo."""
        return key_id(self.public_key)

    @property
    def algorithm(self) -> Algorithm:
        """What it signs with; `HsmPolicy` when the public key is of none that may be in software."""
        try:
            algorithm = algorithm_of(serialization.load_der_public_key(self.public_key))
        except ValueError:
            algorithm = None
        if algorithm is None or algorithm not in FROM_SEED:
            raise HsmPolicy(
                f"Expected a public key of {' or '.join(FROM_SEED)}, got another. Other keys are made in the token."
            )
        return algorithm

    def to_json(self) -> dict[str, str | bool]:
        """In JSON's types, bytes as hexadecimal; `software` says what it is."""
        return {
            "id": self.id.hex(),
            "algorithm": self.algorithm.value,
            "software": True,
            "public_key": self.public_key.hex(),
            "wrapping_key": self.wrapping_key.hex(),
            "sealed": self.sealed.hex(),
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """The reverse of `to_json`; `KeyError`, `TypeError` or `ValueError` on anything else."""
        return cls(*(bytes.fromhex(entry[name]) for name in ("public_key", "wrapping_key", "sealed")))
