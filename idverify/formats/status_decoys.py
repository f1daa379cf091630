"""Decoys of a status list: entries of nobody, so that what a list says cannot be counted (draft section 12.4).

Whoever reads a list sees how many entries are not VALID, and by two lists how many changed. Decoys stand among them:
some thousands from the first day, and a few more or others with every change and at moments when nothing changed. All
of it follows from a list's secret seed and from how often decoys have *moved*, so no index of a decoy is ever given to
anybody, and any process makes the same list. Decision 0017 says what this hides, and what it does not.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from idverify.formats.status_list import StatusValue

SEED_BYTES: Final = 32
RESERVED_SHARE: Final = 8
"""One index in so many is a decoy's, from the day on which the list is opened."""
SUSPENDED_FOR: Final = 64
"""Moves for which a suspended decoy stays so; then it is reinstated or revoked, as people are."""
_SUSPENDED_BELOW: Final = 32  # of 256
_DRAWN_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Decoys:
    """The decoys of one list in the order in which they appear; ``kinds`` is a byte for what becomes of each."""

    indices: tuple[int, ...]
    kinds: bytes

    def most(self) -> int:
        """How many moves there can be."""
        return len(self.indices)

    def shown(self, moves: int) -> Iterator[tuple[int, StatusValue]]:
        """Index and value of every decoy that appeared, after so many moves."""
        for place in range(moves):
            yield self.indices[place], self._value(place, moves)

    def moved(self, before: int, after: int) -> Iterator[tuple[int, StatusValue]]:
        """Index and new value of those that change on the way from one number of moves to a greater one."""
        for place in range(max(0, before - SUSPENDED_FOR), after):
            value = self._value(place, after)
            if place >= before or value is not self._value(place, before):
                yield self.indices[place], value

    def _value(self, place: int, moves: int) -> StatusValue:
        kind = self.kinds[place]
        if kind >= _SUSPENDED_BELOW:
            return StatusValue.INVALID
        if moves - place <= SUSPENDED_FOR:
            return StatusValue.SUSPENDED
        return StatusValue.VALID if kind % 2 else StatusValue.INVALID


NO_DECOYS: Final = Decoys((), b"")


def decoys_of(seed: bytes, size: int) -> Decoys:
    """The decoys of a list of ``size`` entries (a power of two): a fixed random sample of its indices."""
    wanted = size // RESERVED_SHARE
    draws = wanted + wanted // 12 + 64  # as many as it takes where one index in RESERVED_SHARE is wanted, and few more
    while True:
        drawn = array("I", hashlib.shake_256(b"indices" + seed).digest(draws * _DRAWN_BYTES))
        indices = tuple(dict.fromkeys(map((size - 1).__and__, drawn)))[:wanted]
        if len(indices) == wanted:
            return Decoys(indices, hashlib.shake_256(b"kinds" + seed).digest(wanted))
        draws *= 2
