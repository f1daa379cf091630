"""Collected client data (WebAuthn L3 section 5.8.1): what the browser says of the ceremony.

The authenticator signs its hash, so it is kept and checked as received.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from idverify.auth import base64url, strict_json
from idverify.errors import CeremonyMalformed

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class ClientData:
    """The members that a relying party must look at; all others may come and are ignored."""

    type: str
    challenge: bytes
    origin: str
    cross_origin: bool
    top_origin: str | None


def read_client_data(encoded: bytes) -> ClientData:
    """Sections 7.1 and 7.2, steps 5 and 8: UTF-8 decode, which drops one leading byte order mark, then JSON.

    Raises ``CeremonyMalformed`` (``client-data``).
    """
    try:
        members = strict_json.read_object(encoded.removeprefix(_BYTE_ORDER_MARK))
        return ClientData(
            type=_text(members, "type"),
            challenge=base64url.decode(_text(members, "challenge")),
            origin=_text(members, "origin"),
            cross_origin=_truth(members, "crossOrigin"),
            top_origin=_text(members, "topOrigin") if "topOrigin" in members else None,
        )
    except ValueError as wrong:
        raise CeremonyMalformed("client-data", f"clientDataJSON must be client data of WebAuthn: {wrong}.") from None


def _text(members: dict[str, Any], name: str) -> str:
    value = members.get(name)
    if type(value) is not str:
        raise ValueError(f"{name} must be text")
    return value


def _truth(members: dict[str, Any], name: str) -> bool:
    value = members.get(name, False)
    if type(value) is not bool:
        raise ValueError(f"{name} must be true or false")
    return value
