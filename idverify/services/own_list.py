"""One status list of ours in memory: which indices are taken, and what each says, packed as it is published."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from idverify.formats.status_decoys import NO_DECOYS, decoys_of
from idverify.formats.status_list import StatusList, StatusValue
from idverify.stores.queries import STATUS_PART_BITS

SIZE: Final = 2**20
BITS: Final = 2
MOST_TAKEN: Final = SIZE * 3 // 4
OPEN_NEXT_AT: Final = SIZE * 5 // 8
"""So many indices are taken, decoys' among them, when the next list is opened."""

Mark = tuple[int, int, int]
"""How many rows a part has, the sum of their values, and that of value times index (``queries.STATUS_MARKS``)."""


class OwnList:
    """The list at ``uri``. ``generation`` counts what became of it, ``shown`` how much of that is published."""

    def __init__(self, uri: str, number: int, seed: bytes | None) -> None:
        self.uri, self.number, self.seed = uri, number, seed
        self.decoys = NO_DECOYS if seed is None else decoys_of(seed, SIZE)
        self.generation = self.shown = 0
        self.moves = 0
        self._rows: dict[int, int] = {}
        self._marks: dict[int, Mark] = {}
        self._packed = bytearray(SIZE * BITS // 8)
        self._taken = bytearray(SIZE)  # a byte of 0 or 1 for each index
        self._own = 0
        self._counted = 0
        for index in self.decoys.indices:
            self._taken[index] = 1

    @property
    def taken(self) -> int:
        """How many indices nobody can get any more, as far as this process knows."""
        return max(self._own, self._counted) + len(self.decoys.indices)

    def unlike(self, marks: Mapping[int, Mark]) -> list[int]:
        """The parts of which there are other rows than this list knows."""
        return [part for part, mark in marks.items() if self._marks.get(part) != mark]

    def take(self, index: int) -> bool:
        """Take an index; ``False`` if it is taken, or a decoy's."""
        if self._taken[index]:
            return False
        self._taken[index] = 1
        self._own += 1
        return True

    def is_taken(self, index: int) -> bool:
        """Whether nobody can get this index any more."""
        return self._taken[index] == 1

    def count(self, taken: int) -> None:
        """Learn from the database how many were taken, by other processes too."""
        self._counted = taken

    def read(self, rows: Iterable[Any]) -> None:
        """Take over rows of ``status_entry``. Whose copy is erased, keeps the index: they stay taken."""
        for row in rows:
            self.take(row["status_index"])
            self.say(row["status_index"], row["value"])

    def say(self, index: int, value: int) -> None:
        """What a row says of one index."""
        part, more = index >> STATUS_PART_BITS, value - self._rows.get(index, 0)
        counted, summed, placed = self._marks.get(part, (0, 0, 0))
        self._marks[part] = counted + (index not in self._rows), summed + more, placed + more * index
        self._rows[index] = value
        _put(self._packed, index, value)

    def move_to(self, moves: int) -> None:
        """Let the decoys be as they are after so many moves; they never go back."""
        if moves > self.moves:
            for index, value in self.decoys.moved(self.moves, moves):
                _put(self._packed, index, value)
            self.moves = moves

    def packed(self, moves: int) -> StatusList:
        """The list as it is now, with decoys that have moved so often."""
        copy = bytearray(self._packed)
        for index, value in self.decoys.moved(self.moves, moves):
            _put(copy, index, value)
        return StatusList(BITS, bytes(copy))


def _put(packed: bytearray, index: int, value: int | StatusValue) -> None:
    place, slot = divmod(index, 8 // BITS)
    offset = slot * BITS
    packed[place] = packed[place] & ~(3 << offset) | value << offset
