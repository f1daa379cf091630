"""What a session's cookie holds, and the token that its forms carry.

At rest there is only a hash of the one, which is another after every confirmed act, and the key of the other, which
stays: forms that are open in other tabs hold until the session ends.

>>> csrf_matches(csrf_token(bytes(32)), csrf_token(bytes(32)))
True
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from idverify.auth import base64url
from idverify.errors import NotAuthenticated
from idverify.ports import Entropy

TOKEN_BYTES: Final = 32
CSRF_KEY_BYTES: Final = 32
_CSRF: Final = b"idverify/csrf/v1"


def make(entropy: Entropy) -> str:
    """A fresh token of 43 characters: 256 random bits need no slow hash."""
    return base64url.encode(entropy(TOKEN_BYTES))


def token_hash(token: str) -> bytes:
    """SHA-256 of the token's bytes, 32 bytes. Raises ``NotAuthenticated`` for what cannot be one."""
    return hashlib.sha256(_bytes_of(token)).digest()


def csrf_token(csrf_key: bytes) -> str:
    """What every form of a session carries, of the key that the session has for it. No request has the key itself."""
    return base64url.encode(hmac.digest(csrf_key, _CSRF, "sha256"))


def csrf_matches(expected: str, given: str) -> bool:
    """Whether ``given`` is the session's own; in constant time."""
    return hmac.compare_digest(expected.encode(), given.encode(errors="replace"))


def _bytes_of(token: str) -> bytes:
    try:
        raw = base64url.decode(token)
    except ValueError:
        raw = b""
    if len(raw) != TOKEN_BYTES:
        raise NotAuthenticated("The session is not known here, or is over. Sign in again.")
    return raw
