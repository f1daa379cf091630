"""Authenticator data (WebAuthn L3 section 6.1): 37 bytes, and what their flags announce."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from idverify.auth import strict_cbor
from idverify.errors import CeremonyMalformed

_FIXED: Final = 37  # rpIdHash 32, flags 1, signCount 4
_ATTESTED: Final = 18  # aaguid 16, credentialIdLength 2


class Flag(IntEnum):
    """The flags by the names that section 6.1 gives them; the other two bits are reserved."""

    UP = 0x01
    UV = 0x04
    BE = 0x08
    BS = 0x10
    AT = 0x40
    ED = 0x80


@dataclass(frozen=True, slots=True)
class AttestedCredentialData:
    """Section 6.5.1. ``cose_key`` is the credentialPublicKey as received."""

    aaguid: bytes
    credential_id: bytes
    cose_key: bytes


@dataclass(frozen=True, slots=True)
class AuthenticatorData:
    """``attested`` is set in registrations alone. Extension outputs are well-formed, and of no use here."""

    rp_id_hash: bytes
    flags: int
    sign_count: int
    attested: AttestedCredentialData | None

    def has(self, flag: Flag) -> bool:
        """Whether the authenticator set ``flag``."""
        return bool(self.flags & flag)


def read_authenticator_data(data: bytes) -> AuthenticatorData:
    """Take authenticator data apart, to its last byte. Raises ``CeremonyMalformed`` (``authenticator-data``)."""
    try:
        return _read(data)
    except ValueError as wrong:
        raise CeremonyMalformed(
            "authenticator-data", f"Authenticator data must be as WebAuthn says: {wrong}."
        ) from None


def _read(data: bytes) -> AuthenticatorData:
    if len(data) < _FIXED:
        raise ValueError(f"expected at least {_FIXED} bytes, got {len(data)}")
    flags, attested, rest = data[32], None, data[_FIXED:]
    if flags & Flag.AT:
        attested, rest = _read_attested(rest)
    if flags & Flag.ED:
        _require_extensions(strict_cbor.decode(rest))
    elif rest:
        raise ValueError(f"{len(rest)} bytes follow that no flag announces")
    return AuthenticatorData(data[:32], flags, int.from_bytes(data[33:_FIXED], "big"), attested)


def _read_attested(data: bytes) -> tuple[AttestedCredentialData, bytes]:
    start = _ATTESTED + int.from_bytes(data[16:_ATTESTED], "big")
    _, length = strict_cbor.decode_first(data[start:])
    end = start + length
    return AttestedCredentialData(data[:16], data[_ATTESTED:start], data[start:end]), data[end:]


def _require_extensions(outputs: Any) -> None:
    if type(outputs) is not dict or not all(type(name) is str for name in outputs):
        raise ValueError("extension outputs must be a map from names")
