"""A source of choices that some bytes decide: a fuzzer that changes the bytes changes what is chosen."""

from __future__ import annotations

from random import Random
from typing import Self


class Choices(Random):
    """``random.Random`` over given bytes; once they are used up, over what they seed."""

    def __new__(cls, _given: bytes) -> Self:
        """Made like any object: ``Random`` would take the argument for its seed."""
        return super().__new__(cls)

    def __init__(self, given: bytes) -> None:
        super().__init__(given)
        self._given, self._at = given, 0

    def getrandbits(self, k: int, /) -> int:
        """``k`` bits."""
        end = self._at + (k + 7) // 8
        if end > len(self._given):
            return super().getrandbits(k)
        taken, self._at = self._given[self._at : end], end
        return int.from_bytes(taken, "big") & ((1 << k) - 1)

    def random(self) -> float:
        """From 0 up to 1."""
        return self.getrandbits(53) / (1 << 53)
