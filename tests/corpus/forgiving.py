"""What stands in place of a strict part while it is knocked out: what most libraries would have there."""

from __future__ import annotations

import base64

from cryptography.x509 import Certificate

from idverify.formats import x509


def base64url(encoded: bytes, _what: str) -> bytes:
    """Base64 as most libraries read it."""
    return base64.b64decode(encoded.translate(bytes.maketrans(b"-_", b"+/")) + b"==")


def path_to_root(chain: tuple[bytes, ...], roots: tuple[bytes, ...]) -> list[Certificate]:
    """A path that nobody walked."""
    return [x509.read_certificate(der) for der in (*chain, roots[0])]
