"""Images as people send them: which kinds, told by their first bytes, and how large. Nothing here decodes one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

MAX_IMAGE: Final = 12 * 1024 * 1024
"""Bytes."""

# What the bytes begin with, and the one decoder that sees them
_KINDS: Final[tuple[tuple[Callable[[bytes], bool], str], ...]] = (
    (lambda image: image.startswith(b"\x89PNG\r\n\x1a\n"), "PNG"),
    (lambda image: image.startswith(b"\xff\xd8\xff"), "JPEG"),
    (lambda image: image[:4] == b"RIFF" and image[8:12] == b"WEBP", "WEBP"),
    (lambda image: image.startswith((b"II*\0", b"MM\0*")), "TIFF"),
)
KINDS: Final = tuple(kind for _, kind in _KINDS)


def kind_of(image: bytes) -> str | None:
    """Which of ``KINDS`` the bytes begin as."""
    return next((kind for begins, kind in _KINDS if begins(image)), None)
