"""Somebody who reads the public log and guesses true types: naive Bayes over what an entry and its neighbours show."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from idverify.ledger.entry import Entry

AROUND = 4  # neighbours on each side
Example = tuple[str, tuple[tuple[str, int], ...]]
"""True type, and what is seen: (name of a feature, value)."""


@dataclass(frozen=True)
class Score:
    """How often the guesser was right, out of how many, among how many types that are equally frequent."""

    right: int
    asked: int
    types: int

    @property
    def accuracy(self) -> float:
        """Share of right guesses."""
        return self.right / self.asked

    @property
    def bound(self) -> float:
        """What blind guessing exceeds once in 30,000 times: chance, and four standard deviations of it."""
        chance = 1 / self.types
        return chance + 4 * math.sqrt(chance * (1 - chance) / self.asked)


def seen(entries: Sequence[bytes], at: int) -> tuple[tuple[str, int], ...]:
    """Everything that a reader of the log can tell of entry ``at``: its bytes, what stands around it, and when."""
    entry = Entry.decode(entries[at])
    return *_halves(entries[at]), *_around(entries, entry, at)


def _halves(entry: bytes) -> Iterator[tuple[str, int]]:
    """Each byte as two values of four bits, so that every value is seen often enough to learn something from it."""
    for place, value in enumerate(entry):
        yield f"high half of byte {place}", value >> 4
        yield f"low half of byte {place}", value & 15


def _around(entries: Sequence[bytes], entry: Entry, at: int) -> Iterator[tuple[str, int]]:
    for offset in range(-AROUND, AROUND + 1):
        if offset and 0 <= at + offset < len(entries):
            neighbour = Entry.decode(entries[at + offset])
            yield f"type {offset}", neighbour.type
            yield f"minutes {offset}", min(9, abs(neighbour.time - entry.time) // 60)


def guessing(examples: list[Example]) -> Score:
    """Learn from half of the examples, guess the other half. Every type must be equally frequent."""
    random.shuffle(examples)
    half = len(examples) // 2
    learnt = _Learnt(examples[:half])
    right = sum(learnt.guess(features) == kind for kind, features in examples[half:])
    return Score(right, len(examples) - half, len(learnt.types))


class _Learnt:
    """Frequencies of the values of telling features by type, each value counted once more than it was seen.

    A feature tells something if its values and the types go together more than chance explains (chi-square, three
    standard deviations beyond its mean): what is only noise would drown the rest.
    """

    def __init__(self, examples: list[Example]) -> None:
        self.types = Counter(kind for kind, _ in examples)
        counted: dict[str, Counter[tuple[str, int]]] = defaultdict(Counter)
        for kind, features in examples:
            for name, value in features:
                counted[name][kind, value] += 1
        self._telling = {name: found for name, found in counted.items() if self._tells(found)}
        self._values = {name: len({value for _, value in found}) for name, found in self._telling.items()}

    def _tells(self, found: Counter[tuple[str, int]]) -> bool:
        by_kind, by_value, total = Counter[str](), Counter[int](), found.total()
        for (kind, value), times in found.items():
            by_kind[kind] += times
            by_value[value] += times
        freedom = (len(by_kind) - 1) * (len(by_value) - 1)
        if not freedom:
            return False
        expected = ((kind, value, by_kind[kind] * by_value[value] / total) for kind in by_kind for value in by_value)
        statistic = sum((found[kind, value] - mean) ** 2 / mean for kind, value, mean in expected)
        return statistic - freedom > 3 * math.sqrt(2 * freedom)

    def guess(self, features: Sequence[tuple[str, int]]) -> str:
        """The likeliest type; any of them, if no feature tells anything."""
        telling = [one for one in features if one[0] in self._telling]
        return max(random.sample(list(self.types), len(self.types)), key=lambda kind: self._likelihood(kind, telling))

    def _likelihood(self, kind: str, features: Sequence[tuple[str, int]]) -> float:
        of_kind = self.types[kind]
        return math.log(of_kind) + sum(
            math.log((self._telling[name][kind, value] + 1) / (of_kind + self._values[name]))
            for name, value in features
        )
