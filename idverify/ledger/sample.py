"""Which entries a random audit opens: drawn by the tree itself, so that nobody chooses and everybody can recompute.

Whoever runs the log cannot steer the draw once the root is signed, and whoever is shown the opened entries can draw
again and see that none was left out. Before it is signed they can try roots until one suits them: docs/ledger-format.md
section 15.

>>> sample(bytes(32), 1000, 3)
[204, 26, 771]
"""

from hashlib import sha256
from typing import Final

from idverify.ledger.errors import MalformedError
from idverify.ledger.lines import U64_MAX

_DOMAIN: Final = b"idverify-audit-sample/v1"
_VALUES: Final = U64_MAX + 1


def sample(root: bytes, size: int, count: int) -> list[int]:
    """`count` different indices below `size`, in the order drawn; all of them, if there are no more.

    Draw c = 0, 1, 2, ... is the first 8 bytes of SHA-256(`root` || "idverify-audit-sample/v1" || u64 c), big-endian. A
    draw at or above the largest multiple of `size` up to 2^64 is passed over, so that every index is as likely as any
    other; so is one whose index was drawn before.

    Raises `MalformedError`: `root` is not 32 bytes, or a number is negative.
    """
    if len(root) != 32 or size < 0 or count < 0:
        raise MalformedError("sample: expected a root of 32 bytes, and a size and a count from 0")
    drawn: dict[int, None] = {}
    counter = 0
    while len(drawn) < min(count, size):
        draw = int.from_bytes(sha256(root + _DOMAIN + counter.to_bytes(8, "big")).digest()[:8], "big")
        counter += 1
        if draw < _VALUES - _VALUES % size:
            drawn[draw % size] = None
    return list(drawn)
