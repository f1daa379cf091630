"""The rows that a benchmark prints: a rate, the limit measured next to it, and whether their ratio is good enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict


class Row(TypedDict):
    """One measured figure against its limit; `holds` when `ratio` reaches `target`."""

    name: str
    rate: float
    unit: str
    limit: float
    limit_is: str
    ratio: float
    target: float
    holds: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """What one piece of work cost us and what its primitives cost, seconds, measured one right after the other."""

    ours: float
    least: float

    @property
    def ratio(self) -> float:
        """The share of the primitives' speed that we kept."""
        return self.least / self.ours


def row(name: str, unit: str, limit_is: str, target: float, pairs: Sequence[Pair]) -> Row:
    """The row of the pair in the middle: one that a noisy neighbour disturbed says nothing."""
    middle = sorted(pairs, key=lambda pair: pair.ratio)[len(pairs) // 2]
    return {
        "name": name,
        "rate": 1 / middle.ours,
        "unit": unit,
        "limit": 1 / middle.least,
        "limit_is": limit_is,
        "ratio": middle.ratio,
        "target": target,
        "holds": middle.ratio >= target,
    }
