"""Content negotiation: which of our media types the header ``Accept`` prefers (RFC 9110 section 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_RANGE: Final = re.compile(r"\s*([^\s;,]+/[^\s;,]+)\s*((?:;[^,]*)?)")
_QUALITY: Final = re.compile(r";\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*(?:;|$)", re.IGNORECASE)
_MOST: Final = 1000  # of characters: a browser sends a hundred


def best(accept: Sequence[str], offered: Sequence[str]) -> str | None:
    """The one of ``offered`` that is preferred, the first of those that are liked equally; ``None``: none is wanted.

    >>> best(["text/html, */*;q=0.1"], ["application/jwt", "application/cwt"])
    'application/jwt'
    """
    asked = ",".join(accept)[:_MOST]
    if not asked.strip():
        return offered[0]
    ranges = [(name.lower(), _quality(parameters)) for name, parameters in _RANGE.findall(asked)]
    liked = {media_type: _liking(media_type, ranges) for media_type in offered}
    most = max(offered, key=lambda media_type: liked[media_type])
    return most if liked[most] > 0 else None


def _quality(parameters: str) -> float:
    found = _QUALITY.search(parameters)
    return 1.0 if found is None else min(1.0, float(found[1]))


def _liking(media_type: str, ranges: Sequence[tuple[str, float]]) -> float:
    """That of the most specific range that the type is in."""
    for name in (media_type, media_type.partition("/")[0] + "/*", "*/*"):
        qualities = [quality for one, quality in ranges if one == name]
        if qualities:
            return max(qualities)
    return 0.0
