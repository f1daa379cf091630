"""What we ask a browser for: the JSON forms of WebAuthn L3 section 5.1.8 and 5.1.9.

Pages pass them to ``PublicKeyCredential.parseCreationOptionsFromJSON`` and ``parseRequestOptionsFromJSON``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from idverify.auth import base64url
from idverify.auth.cose_key import ALGORITHMS
from idverify.auth.key_policy import KeyPolicy

CEREMONY_SECONDS: Final = 300  # section 15.1: no shorter, for people who need time (WCAG 2.2 criterion 2.2.1)

Known = tuple[bytes, Sequence[str]]
"""A credential id with its transports."""


def creation_options(
    rp_id: str,
    rp_name: str,
    user_handle: bytes,
    user_name: str,
    challenge: bytes,
    exclude: Sequence[Known],
    policy: KeyPolicy,
    *,
    shared_computer: bool = False,
) -> dict[str, Any]:
    """``PublicKeyCredentialCreationOptionsJSON`` for one more key; keys in ``exclude`` will say that they are known.

    On a shared computer it must be a key that its owner takes along, or the next visitor would find it there.
    """
    return {
        "rp": {"id": rp_id, "name": rp_name},
        "user": {"id": base64url.encode(user_handle), "name": user_name, "displayName": user_name},
        "challenge": base64url.encode(challenge),
        "pubKeyCredParams": [{"type": "public-key", "alg": algorithm} for algorithm in ALGORITHMS],
        "timeout": CEREMONY_SECONDS * 1000,
        "excludeCredentials": _descriptors(exclude),
        "authenticatorSelection": {
            "residentKey": policy.resident_key,
            "requireResidentKey": policy.resident_key == "required",  # for clients of Level 1
            "userVerification": "required",
            **({"authenticatorAttachment": "cross-platform"} if shared_computer else {}),
        },
        "hints": ["security-key"] if shared_computer else list(policy.hints),
        "attestation": policy.attestation,
    }


def request_options(
    rp_id: str, challenge: bytes, allow: Sequence[Known] = (), seconds: int = CEREMONY_SECONDS
) -> dict[str, Any]:
    """``PublicKeyCredentialRequestOptionsJSON``; with nothing in ``allow``, any key that knows an account of ours."""
    return {
        "challenge": base64url.encode(challenge),
        "timeout": seconds * 1000,
        "rpId": rp_id,
        "allowCredentials": _descriptors(allow),
        "userVerification": "required",
    }


def _descriptors(known: Sequence[Known]) -> list[dict[str, Any]]:
    return [
        {"type": "public-key", "id": base64url.encode(credential_id), "transports": list(transports)}
        for credential_id, transports in known
    ]
