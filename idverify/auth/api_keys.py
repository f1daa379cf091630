"""API keys: ``idv_<id>_<secret>``. Shown once when made; at rest there is only a hash.

>>> made = make(lambda n: bytes(n))
>>> parse(made.token).id == made.id
True
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from idverify.errors import NotAuthenticated

ID_BYTES: Final = 10
SECRET_BYTES: Final = 20
_FORM: Final = re.compile(r"idv_([a-z2-7]{16})_([a-z2-7]{32})")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as it is made: ``token`` for its owner, ``id`` and ``secret_hash`` (32 bytes) for the database."""

    token: str
    id: str
    secret_hash: bytes


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A key as somebody presents it; not believed until ``matches``."""

    id: str
    _secret: str

    def matches(self, secret_hash: bytes) -> bool:
        """Whether the secret is the one whose hash is kept; in constant time."""
        return hmac.compare_digest(_hash(self._secret), secret_hash)


def make(entropy: Callable[[int], bytes]) -> NewKey:
    """A fresh key: 160 random bits need no slow hash."""
    id_, secret = _base32(entropy(ID_BYTES)), _base32(entropy(SECRET_BYTES))
    return NewKey(f"idv_{id_}_{secret}", id_, _hash(secret))


def parse(token: str) -> PresentedKey:
    """Take a key apart. Raises ``NotAuthenticated`` if it has not the form of one."""
    form = _FORM.fullmatch(token)
    if form is None:
        raise NotAuthenticated("Send 'Authorization: Bearer idv_...' with an API key of this service.")
    return PresentedKey(form[1], form[2])


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).decode().lower()


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
