"""One key's entry in the inventory."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from hsm.keys import Algorithm, KeyInfo
from hsm.lifecycle import Stage


@dataclass(frozen=True)
class Entry:
    """One key, known by its `label`, which no other ever has.

    `dates` are when it came to each stage (Unix seconds). `id`, `public_key` (SubjectPublicKeyInfo DER) and
    `provenance`, the token's word on its birth, are None until it is generated. `certificate` is DER. `sealed` marks
    a key in software whose secret a wrapping key of the token seals: the token does not vouch for its birth.
    `replaces` is the label of the one it is to follow, `transcript` the SHA-256 of its ceremony's, and `quorum` how
    many witnesses that takes once it has begun.
    """

    label: str
    role: str
    algorithm: Algorithm
    stage: Stage
    dates: dict[Stage, int] = field(default_factory=dict)
    id: bytes | None = None
    public_key: bytes | None = None
    provenance: dict[str, bool | str | None] | None = None
    certificate: bytes | None = None
    sealed: bool = False
    replaces: str | None = None
    transcript: bytes | None = None
    quorum: int | None = None

    @property
    def thumbprint(self) -> bytes | None:
        """SHA-256 of the public key; None for a secret key and one not made yet."""
        return sha256(self.public_key).digest() if self.public_key is not None else None

    @cached_property
    def validity(self) -> tuple[int, int] | None:
        """First and last second of the certificate, None where there is none."""
        if self.certificate is None:
            return None
        read = x509.load_der_x509_certificate(self.certificate)
        return int(read.not_valid_before_utc.timestamp()), int(read.not_valid_after_utc.timestamp())

    def at(self, stage: Stage, when: int, **changes: Any) -> Self:
        """The same key at a later stage."""
        return replace(self, stage=stage, dates=self.dates | {stage: when}, **changes)

    def with_certificate(self, certificate: bytes | None) -> Self:
        """The same key with this certificate, DER, or with none."""
        return replace(self, certificate=certificate)

    def made(self, key: KeyInfo, when: int) -> Self:
        """The same key once the token has it."""
        return self.at(
            Stage.GENERATED,
            when,
            id=key.id,
            algorithm=key.algorithm,
            public_key=key.public_key,
            provenance=provenance_of(key),
        )

    def to_json(self) -> dict[str, Any]:
        """In JSON's types: bytes as hexadecimal, times as RFC 3339, the certificate as PEM."""
        return {
            "label": self.label,
            "role": self.role,
            "algorithm": self.algorithm.value,
            "stage": self.stage.value,
            "dates": {stage.value: rfc3339(when) for stage, when in self.dates.items()},
            "id": _hex(self.id),
            "public_key": _hex(self.public_key),
            "thumbprint": _hex(self.thumbprint),
            "provenance": self.provenance,
            "certificate": None if self.certificate is None else pem(self.certificate),
            "sealed": self.sealed,
            "replaces": self.replaces,
            "transcript": _hex(self.transcript),
            "quorum": self.quorum,
        }

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> Self:
        """The reverse of `to_json`; `KeyError`, `TypeError` or `ValueError` on anything else."""
        certificate = entry["certificate"]
        return cls(
            label=entry["label"],
            role=entry["role"],
            algorithm=Algorithm(entry["algorithm"]),
            stage=Stage(entry["stage"]),
            dates={Stage(stage): unix(when) for stage, when in entry["dates"].items()},
            id=_bytes(entry["id"]),
            public_key=_bytes(entry["public_key"]),
            provenance=entry["provenance"],
            certificate=None if certificate is None else _der(certificate),
            sealed=entry["sealed"],
            replaces=entry["replaces"],
            transcript=_bytes(entry["transcript"]),
            quorum=entry.get("quorum"),  # none in those of before it was kept
        )


def provenance_of(key: KeyInfo) -> dict[str, bool | str | None]:
    """The token's word on where a key was born and whether it ever left."""
    return {
        "local": key.local,
        "never_extractable": key.never_extractable,
        "always_sensitive": key.always_sensitive,
        "made_by": key.made_by,
    }


def rfc3339(when: int) -> str:
    """Unix seconds as text in UTC."""
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def unix(text: str) -> int:
    """The reverse of `rfc3339`."""
    return int(datetime.fromisoformat(text).timestamp())


def pem(certificate: bytes) -> str:
    """A DER certificate as text."""
    read = x509.load_der_x509_certificate(certificate)
    return read.public_bytes(serialization.Encoding.PEM).decode()


def _der(text: str) -> bytes:
    return x509.load_pem_x509_certificate(text.encode()).public_bytes(serialization.Encoding.DER)


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _bytes(value: str | None) -> bytes | None:
    return None if value is None else bytes.fromhex(value)
