"""Which entries a random audit opens: drawn by the signed root and a seed, so that everybody can recompute it.

Whoever is shown the opened entries can draw again and see that none was left out. The seed is the auditor's, who
chooses it once the root is published; without one, whoever runs the log can try roots before they sign, until one suits
them: docs/ledger-format.md section 15.

>>> sample(bytes(32), 1000, 3)
[300, 621, 888]
"""

from hashlib import sha256
from typing import Final

from idverify.ledger.errors import MalformedError
from idverify.ledger.lines import U64_MAX

_DOMAIN: Final = b"idverify-audit-sample/v2"
SEED_SIZE: Final = 32
_VALUES: Final = U64_MAX + 1


def sample(root: bytes, size: int, count: int, seed: bytes = b"") -> list[int]:
    """`count` different indices below `size`, in the order drawn; all of them, if there are no more.

    Draw c = 0, 1, 2, ... is the first 8 bytes of SHA-256(`root` || "idverify-audit-sample/v2" || `seed` || u64 c),
    big-endian. A draw at or above the largest multiple of `size` up to 2^64 is passed over, so that every index is as
    likely as any other; so is one whose index was drawn before.

    Raises `MalformedError`: `root` is not 32 bytes, `seed` neither 32 nor none, or a number is negative.
    """
    if len(root) != 32 or size < 0 or count < 0:
        raise MalformedError("sample: expected a root of 32 bytes, and a size and a count from 0")
    if len(seed) not in {0, SEED_SIZE}:
        raise MalformedError(f"sample: expected a seed of {SEED_SIZE} bytes or none, got {len(seed)}")
    drawn: dict[int, None] = {}
    counter = 0
    while len(drawn) < min(count, size):
        draw = int.from_bytes(sha256(root + _DOMAIN + seed + counter.to_bytes(8, "big")).digest()[:8], "big")
        counter += 1
        if draw < _VALUES - _VALUES % size:
            drawn[draw % size] = None
    return list(drawn)
