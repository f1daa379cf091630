"""What pages tell browsers of keys, for ``static/signals.js`` (WebAuthn L3 section 5.1.10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from idverify.auth import base64url
from idverify.web.pages.explanation import Explanation

Signals = Mapping[str, Mapping[str, Any]]
"""Names of functions of ``PublicKeyCredential``, each with its argument."""


def unknown_credential(rp_id: str, credential_id: bytes) -> Signals:
    """That a key opens nothing. Only for whoever proved to hold it, or just made it: others would learn of it."""
    return {"signalUnknownCredential": {"rpId": rp_id, "credentialId": base64url.encode(credential_id)}}


def of_trouble(rp_id: str, trouble: Explanation | None) -> Signals | None:
    """What a browser should forget after what went wrong, if anything."""
    return None if trouble is None or trouble.forget is None else unknown_credential(rp_id, trouble.forget)


def accepted_credentials(rp_id: str, user_handle: bytes, credential_ids: Iterable[bytes]) -> Signals:
    """That these keys open an account, and no others. Only for its owner, signed in."""
    return {
        "signalAllAcceptedCredentials": {
            "rpId": rp_id,
            "userId": base64url.encode(user_handle),
            "allAcceptedCredentialIds": [base64url.encode(credential_id) for credential_id in credential_ids],
        }
    }
