"""Base64url without padding (RFC 4648 section 5), with exactly one spelling for every string of bytes.

>>> encode(b"key"), decode("a2V5")
('a2V5', b'key')
"""

from __future__ import annotations

import binascii
from typing import Final

_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")


def encode(data: bytes) -> str:
    """The one spelling of ``data``."""
    return _spell(data).decode("ascii")


def decode(text: str) -> bytes:
    """The bytes that are spelled exactly ``text``. Raises ``ValueError``."""
    spelled = text.encode("ascii")
    data = binascii.a2b_base64(spelled.translate(_FROM_URL) + b"==")
    # Decoders skip foreign characters and ignore spare bits; spelling it again shows every such liberty.
    if _spell(data) != spelled:
        raise ValueError("expected base64url without padding or other characters")
    return data


def _spell(data: bytes) -> bytes:
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL, b"=")
