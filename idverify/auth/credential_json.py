"""``PublicKeyCredential.toJSON()`` (WebAuthn L3 section 5.1): the members that we use, each with its type and size.

Sizes are capped before anything is decoded. Members that we do not use may come and are ignored, and so are the copies
that a browser makes of parts of the attestation object: only what the authenticator itself wrote counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from idverify.auth import base64url
from idverify.errors import CeremonyMalformed

MAX_CREDENTIAL_ID: Final = 1023  # section 7.1 step 25
MAX_CLIENT_DATA: Final = 8 * 1024
MAX_ATTESTATION_OBJECT: Final = 32 * 1024
MAX_AUTHENTICATOR_DATA: Final = 8 * 1024
MAX_SIGNATURE: Final = 5 * 1024  # ML-DSA-87: 4627 bytes
MAX_USER_HANDLE: Final = 64  # section 5.4.3
MAX_TRANSPORTS: Final = 8

_TRANSPORT: Final = re.compile(r"[a-z0-9-]{1,32}")


@dataclass(frozen=True, slots=True)
class RegistrationResponse:
    """A credential whose ``response`` is an ``AuthenticatorAttestationResponse``."""

    credential_id: bytes
    client_data: bytes
    attestation_object: bytes
    transports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AssertionResponse:
    """A credential whose ``response`` is an ``AuthenticatorAssertionResponse``."""

    credential_id: bytes
    client_data: bytes
    authenticator_data: bytes
    signature: bytes
    user_handle: bytes | None


def credential_id_of(response: Mapping[str, Any]) -> bytes:
    """The id of a credential, 1 to 1023 bytes. Raises ``CeremonyMalformed``."""
    _require_mapping(response, "response")
    if response.get("type") != "public-key":
        raise CeremonyMalformed("json-type", "The type of a credential must be public-key.")
    credential_id = _bytes(response, "rawId", MAX_CREDENTIAL_ID)
    if response.get("id") != response["rawId"]:
        raise CeremonyMalformed("json-id", "The id of a credential must be its rawId.")
    return credential_id


def read_registration(response: Mapping[str, Any]) -> RegistrationResponse:
    """Raises ``CeremonyMalformed`` (``json-`` and the name of the first member that is not as it must be)."""
    credential_id, inner = credential_id_of(response), _inner(response)
    return RegistrationResponse(
        credential_id,
        _bytes(inner, "clientDataJSON", MAX_CLIENT_DATA),
        _bytes(inner, "attestationObject", MAX_ATTESTATION_OBJECT),
        _transports(inner.get("transports", [])),
    )


def read_assertion(response: Mapping[str, Any]) -> AssertionResponse:
    """Raises ``CeremonyMalformed`` (``json-`` and the name of the first member that is not as it must be)."""
    credential_id, inner = credential_id_of(response), _inner(response)
    said_whose = inner.get("userHandle") is not None
    return AssertionResponse(
        credential_id,
        _bytes(inner, "clientDataJSON", MAX_CLIENT_DATA),
        _bytes(inner, "authenticatorData", MAX_AUTHENTICATOR_DATA),
        _bytes(inner, "signature", MAX_SIGNATURE),
        _bytes(inner, "userHandle", MAX_USER_HANDLE) if said_whose else None,
    )


def _inner(response: Mapping[str, Any]) -> Mapping[str, Any]:
    return _require_mapping(response.get("response"), "response")


def _require_mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise CeremonyMalformed(f"json-{name}", f"{name} must be an object, as PublicKeyCredential.toJSON() makes it.")
    return value


def _bytes(members: Mapping[str, Any], name: str, most: int) -> bytes:
    text = members.get(name)
    data = b""
    if type(text) is str and len(text) <= (4 * most + 2) // 3:
        try:
            data = base64url.decode(text)
        except ValueError:
            data = b""
    if not data:
        raise CeremonyMalformed(f"json-{name}", f"{name} must be 1 to {most} bytes as base64url text without padding.")
    return data


def _transports(values: Any) -> tuple[str, ...]:
    listed = type(values) is list and len(values) <= MAX_TRANSPORTS
    if not listed or not all(type(value) is str and _TRANSPORT.fullmatch(value) for value in values):
        raise CeremonyMalformed(
            "json-transports", f"transports must be a list of at most {MAX_TRANSPORTS} short names."
        )
    return tuple(dict.fromkeys(values))
