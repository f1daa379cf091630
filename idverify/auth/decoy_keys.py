"""Keys of accounts that do not exist, so that asking for an account tells nobody whether there is one.

Whoever asks twice gets the same keys: they follow from a secret digest of what was asked for. How many there are, how
long their ids are and how they are reached is drawn as it is among real keys; a credential id is random bytes in both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import accumulate
from typing import Final, TypeVar

from idverify.auth.options import Known

T = TypeVar("T")
Weighted = Sequence[tuple[int, T]]
"""Values, each with its share of the sum of all."""

# How many keys somebody has. Staff begin with two (``key_policy``).
PUBLIC_KEYS: Final[Weighted[int]] = ((60, 1), (34, 2), (5, 3), (1, 4))
STAFF_KEYS: Final[Weighted[int]] = ((4, 1), (80, 2), (13, 3), (3, 4))

# Length of the id and transports, sorted as browsers list them (WebAuthn L3 section 5.2.1.1): passkeys of phones and
# password managers, of computers, keys that remember accounts, and keys that carry their secret in the id. Some
# browsers name no transports.
Make = tuple[int, tuple[str, ...]]
PUBLIC_MAKES: Final[Weighted[Make]] = (
    (14, (16, ("hybrid", "internal"))),
    (18, (20, ("hybrid", "internal"))),
    (16, (32, ("internal",))),
    (6, (32, ("hybrid", "internal"))),
    (8, (16, ("nfc", "usb"))),
    (14, (48, ("nfc", "usb"))),
    (8, (64, ("usb",))),
    (14, (64, ("nfc", "usb"))),
    (2, (64, ())),
)
STAFF_MAKES: Final[Weighted[Make]] = (
    (24, (16, ("nfc", "usb"))),
    (16, (32, ("usb",))),
    (44, (48, ("nfc", "usb"))),
    (14, (64, ("nfc", "usb"))),
    (2, (64, ())),
)
_DRAW_BYTES: Final = 4


def decoys(secret: bytes, *, staff: bool) -> list[Known]:
    """The keys that ``secret`` stands for; ``staff`` is whether somebody of them was asked for."""
    stream = _Stream(secret)
    counts, makes = (STAFF_KEYS, STAFF_MAKES) if staff else (PUBLIC_KEYS, PUBLIC_MAKES)
    drawn = [stream.draw(makes) for _ in range(stream.draw(counts))]
    return [(stream.take(length), transports) for length, transports in drawn]


class _Stream:
    """Bytes without end that follow from a secret (SHAKE256), read from the front."""

    def __init__(self, secret: bytes) -> None:
        self._secret, self._read = secret, 0

    def take(self, count: int) -> bytes:
        start, self._read = self._read, self._read + count
        return hashlib.shake_256(self._secret).digest(self._read)[start:]

    def draw(self, weighted: Weighted[T]) -> T:
        reached = list(accumulate(share for share, _ in weighted))
        place = int.from_bytes(self.take(_DRAW_BYTES), "big") % reached[-1]
        return next(value for (_, value), end in zip(weighted, reached, strict=True) if place < end)
