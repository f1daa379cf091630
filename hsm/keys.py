"""What a key is, as told to callers: its algorithm, its public half, and where it was born."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Algorithm(StrEnum):
    """The only things a key may be for (`hsm.algorithms` says what each is); names of JOSE, and of RFC 5649."""

    ES256 = "ES256"  # ECDSA, P-256, SHA-256
    ES384 = "ES384"  # ECDSA, P-384, SHA-384
    EDDSA = "EdDSA"  # Ed25519
    PS256 = "PS256"  # RSASSA-PSS, 3072 bits, SHA-256
    ML_DSA_44 = "ML-DSA-44"  # FIPS 204
    ML_DSA_65 = "ML-DSA-65"
    A256KWP = "A256KWP"  # AES-256 key wrap with padding, RFC 5649
    A256GCM = "A256GCM"  # AES-256-GCM
    HS256 = "HS256"  # HMAC-SHA-256


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """One key of the token.

    `id` is CKA_ID: the first 8 bytes of SHA-256 over the SubjectPublicKeyInfo for pairs, 8 random bytes for
    secret keys, empty when a generation was cut off half way. `public_key` is SubjectPublicKeyInfo DER, None for
    secret keys. `local`, `never_extractable` and `always_sensitive` are the module's word on CKA_LOCAL,
    CKA_NEVER_EXTRACTABLE and CKA_ALWAYS_SENSITIVE (PKCS#11 v2.40 section 4.9), `made_by` on CKA_KEY_GEN_MECHANISM: its
    name without CKM_, None where the module does not say or the key was made elsewhere.
    """

    id: bytes
    label: str
    algorithm: Algorithm
    public_key: bytes | None
    local: bool
    never_extractable: bool
    always_sensitive: bool
    made_by: str | None = None

    @property
    def born_here(self) -> bool:
        """Whether the token made this key and never let it out."""
        return self.local and self.stays_inside

    @property
    def stays_inside(self) -> bool:
        """Whether the token has never let this key out, wherever it was made."""
        return self.never_extractable and self.always_sensitive

    def to_json(self) -> dict[str, str | bool | None]:
        """The same facts in JSON's types, bytes as hexadecimal."""
        return {
            "id": self.id.hex(),
            "label": self.label,
            "algorithm": self.algorithm.value,
            "public_key": self.public_key.hex() if self.public_key is not None else None,
            "local": self.local,
            "never_extractable": self.never_extractable,
            "always_sensitive": self.always_sensitive,
            "made_by": self.made_by,
        }


def encode_keys(keys: Iterable[KeyInfo]) -> bytes:
    """Keys as they travel between the signer process and its client."""
    return json.dumps([key.to_json() for key in keys]).encode()


def decode_keys(encoded: bytes) -> list[KeyInfo]:
    """The reverse of `encode_keys`."""
    return [
        KeyInfo(
            id=bytes.fromhex(entry["id"]),
            label=entry["label"],
            algorithm=Algorithm(entry["algorithm"]),
            public_key=bytes.fromhex(entry["public_key"]) if entry["public_key"] is not None else None,
            local=entry["local"],
            never_extractable=entry["never_extractable"],
            always_sensitive=entry["always_sensitive"],
            made_by=entry["made_by"],
        )
        for entry in json.loads(encoded)
    ]
