"""A credential as text, in which JSON can carry it (OpenID4VCI 1.0 appendix A: the ``credential`` of an answer)."""

from __future__ import annotations

import base64
from typing import Final

# Formats whose documents are bytes: A.2.4 asks for base64url without padding
_BINARY: Final = frozenset({"mso_mdoc"})


def as_text(format_name: str, document: bytes) -> str:
    """What stands in the answer."""
    if format_name in _BINARY:
        return base64.urlsafe_b64encode(document).decode().rstrip("=")
    return document.decode()


def as_document(format_name: str, text: str) -> bytes:
    """The document again."""
    if format_name in _BINARY:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return text.encode()
