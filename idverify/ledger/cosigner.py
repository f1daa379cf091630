"""Cosigning with a key in software: a witness's, or the post-quantum one a log signs with beside its token.

The key is one line of text, in the form that golang.org/x/mod/sumdb/note gives private keys:
`PRIVATE+KEY+<name>+<key id>+<base64 of type and seed>`. It holds all there is to know, the name included.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from idverify.ledger.cosignature import (
    COSIGNATURE_V1,
    ML_DSA_44,
    CosignatureV1Verifier,
    CosignatureVerifier,
    MlDsa44Verifier,
    stamp,
)
from idverify.ledger.errors import MalformedError
from idverify.ledger.lines import base64_text, parse_base64
from idverify.ledger.note import NoteSignature

SEED_SIZE: Final = 32
_PREFIX: Final = "PRIVATE+KEY+"

Sign = Callable[[bytes], bytes]


def _ed25519(name: str, seed: bytes) -> tuple[CosignatureVerifier, Sign]:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return CosignatureV1Verifier(name, key.public_key().public_bytes_raw()), key.sign


def _ml_dsa_44(name: str, seed: bytes) -> tuple[CosignatureVerifier, Sign]:
    key = MLDSA44PrivateKey.from_seed_bytes(seed)
    return MlDsa44Verifier(name, key.public_key().public_bytes_raw()), key.sign


KEY_FOR_TYPE: Final[Mapping[int, Callable[[str, bytes], tuple[CosignatureVerifier, Sign]]]] = {
    COSIGNATURE_V1: _ed25519,
    ML_DSA_44: _ml_dsa_44,
}
"""Signature type byte -> the key that a seed of 32 bytes makes."""


@dataclass(frozen=True, slots=True)
class Cosigner:
    """A private key and the `verifier` of what it signs."""

    verifier: CosignatureVerifier
    sign: Sign

    @classmethod
    def from_seed(cls, signature_type: int, name: str, seed: bytes) -> Self:
        """The cosigner that 32 random bytes make.

        Raises `MalformedError`: another size, a type of `KEY_FOR_TYPE` was not named, or the name cannot stand in a
        note.
        """
        if signature_type not in KEY_FOR_TYPE or len(seed) != SEED_SIZE:
            types = ", ".join(f"{kind:02x}" for kind in KEY_FOR_TYPE)
            raise MalformedError(f"cosigner: expected type {types} and {SEED_SIZE} bytes, got {len(seed)} bytes")
        return cls(*KEY_FOR_TYPE[signature_type](name, seed))

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read what `skey` writes. No error quotes the key.

        Raises `MalformedError`: anything else, also a key id that does not fit name and key.
        """
        parts = line.removeprefix(_PREFIX).split("+", 2)
        if not line.startswith(_PREFIX) or len(parts) != 3:
            raise MalformedError(f"private key: expected {_PREFIX}<name>+<key id>+<key>")
        name, stated_id, encoded = parts
        try:
            key = parse_base64(encoded, "private key")
        except MalformedError:
            raise MalformedError("private key: expected canonical base64 behind the key id") from None
        cosigner = cls.from_seed(key[0] if key else 0, name, key[1:])
        if stated_id != cosigner.verifier.key_id.hex():
            raise MalformedError(f"private key: the key id {stated_id[:16]!r} does not fit name and key")
        return cosigner

    def cosign(self, text: bytes, time: int) -> NoteSignature:
        """The cosignature on a note text at unix time `time`.

        Raises `MalformedError`: the text is not one that this type of key can sign.
        """
        signature = self.sign(self.verifier.message(text, time))
        return NoteSignature(self.verifier.name, self.verifier.key_id, stamp(time, signature))


def skey(signature_type: int, name: str, seed: bytes) -> str:
    """The line that `Cosigner.parse` reads: whoever has it can cosign under this name."""
    verifier = Cosigner.from_seed(signature_type, name, seed).verifier
    return f"{_PREFIX}{name}+{verifier.key_id.hex()}+{base64_text(bytes([signature_type]) + seed)}"
