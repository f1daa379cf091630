"""Where a redirect may lead: to a path of this very site, and nowhere else."""

from __future__ import annotations

import re
from typing import Final

MOST: Final = 300
# One slash, never two: "//host" and "/\host" are other sites to a browser. Characters of RFC 3986 section 3.3 and 3.4.
_LOCAL: Final = re.compile(r"/(?![/\\])[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*")


def local_path(given: str | None, otherwise: str) -> str:
    """The path that a client asked to be sent to, if it is one of ours; ``otherwise`` if it is not."""
    if given is None or len(given) > MOST or not _LOCAL.fullmatch(given):
        return otherwise
    return given
