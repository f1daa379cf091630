"""Bytes as they are sent to whoever may keep them: with a validator, and compressed where that is asked for."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Final

IMMUTABLE: Final = "public, max-age=31536000, immutable"

_GZIP: Final = re.compile(r"(?:^|,)\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[01][.0-9]*\s*)?(?:,|$)", re.IGNORECASE)
_TAG: Final = re.compile(r'"[^"]*"')
_DIGEST_HEX: Final = 32  # 128 bits: a name for a cache, not a proof


@dataclass(frozen=True, slots=True)
class Representation:
    """A body, plain and, where that is worth it, gzipped; ``name`` tells it from every other body at its address."""

    name: str
    content_type: str
    cache_control: str
    plain: bytes
    gzipped: bytes | None = None

    @classmethod
    def of(cls, content: bytes, content_type: str, cache_control: str, *, compressed: bool = False) -> Representation:
        """``content`` named by its digest. Compressing takes about a millisecond for each 25 KiB."""
        zipped = gzip.compress(content, 6, mtime=0) if compressed else None
        return cls(hashlib.sha256(content).hexdigest()[:_DIGEST_HEX], content_type, cache_control, content, zipped)

    @property
    def size(self) -> int:
        """Bytes that it takes to keep it."""
        return len(self.plain) + len(self.gzipped or b"")

    def answer(self, asked: Mapping[str, str]) -> tuple[int, bytes, dict[str, str]]:
        """(status, body, headers) for a request with these headers: 304 to whoever shows that they have it."""
        zipped = self.gzipped is not None and _GZIP.search(asked.get("Accept-Encoding", "")) is not None
        tag = f'"{self.name}-gzip"' if zipped else f'"{self.name}"'  # one tag per representation: RFC 9110, 8.8.3
        headers = {"ETag": tag, "Cache-Control": self.cache_control}
        if self.gzipped is not None:
            headers["Vary"] = "Accept-Encoding"
        if has_already(asked, tag):
            return 304, b"", headers
        headers["Content-Type"] = self.content_type
        if zipped:
            headers["Content-Encoding"] = "gzip"
        return 200, (self.gzipped or b"") if zipped else self.plain, headers


def has_already(asked: Mapping[str, str], tag: str) -> bool:
    """Whether ``If-None-Match`` names this tag, by weak comparison (RFC 9110 section 13.1.2)."""
    shown = asked.get("If-None-Match", "")
    return shown.strip() == "*" or tag in _TAG.findall(shown)


class Kept:
    """Representations that never change, the most recently used up to a number of bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = 0
        self._kept: OrderedDict[Hashable, Representation] = OrderedDict()

    @property
    def size(self) -> int:
        """Bytes that are kept now."""
        return self._bytes

    def get(self, key: Hashable) -> Representation | None:
        """What is kept under ``key``."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: Hashable, representation: Representation) -> None:
        """Keep it, and let go of what was used least."""
        if key in self._kept:
            self._bytes -= self._kept.pop(key).size
        self._kept[key] = representation
        self._bytes += representation.size
        while self._bytes > self._most:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= dropped.size
