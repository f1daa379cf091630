"""One list of ours in memory: what rows say, what decoys show, and which indices are left."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from idverify.formats import status_list
from idverify.services.own_list import BITS, SIZE, OwnList
from idverify.stores.queries import STATUS_PART_BITS

SEED = bytes(32)


def row(index: int, value: int) -> dict[str, int]:
    """A row of ``status_entry``."""
    return {"status_index": index, "value": value}


@given(st.lists(st.tuples(st.integers(0, SIZE - 1), st.integers(0, 2)), max_size=20))
def test_flipping_bits_is_packing_anew(flips: list[tuple[int, int]]) -> None:
    """A list that is changed entry by entry is the one that is packed from what was said last."""
    listed = OwnList("u", 1, None)
    for index, value in flips:
        listed.say(index, value)
    said = dict(flips)
    assert listed.packed(0) == status_list.pack(SIZE, BITS, said)
    parts: dict[int, dict[int, int]] = {}
    for index, value in said.items():
        parts.setdefault(index >> STATUS_PART_BITS, {})[index] = value
    marks = {
        part: (len(rows), sum(rows.values()), sum(index * value for index, value in rows.items()))
        for part, rows in parts.items()
    }
    assert listed.unlike(marks) == []
    assert listed.unlike({part: (counted + 1, 0, 0) for part, (counted, _, _) in marks.items()}) == list(marks)


def test_decoys_are_shown_and_never_given_away() -> None:
    """They stand in the list after as many moves as it is asked for, and their indices are taken from the first day."""
    listed = OwnList("u", 1, SEED)
    shown = dict(listed.decoys.shown(100))
    assert listed.packed(100) == status_list.pack(SIZE, BITS, shown)
    assert listed.packed(0) == status_list.pack(SIZE, BITS, {})
    assert not any(listed.take(index) for index in listed.decoys.indices)
    assert listed.taken == SIZE // 8


def test_decoys_never_go_back() -> None:
    """A list that showed a hundred moves shows no fewer, and the way there makes no difference."""
    one, other = OwnList("u", 1, SEED), OwnList("u", 1, SEED)
    for moves in (10, 70, 100, 50):
        one.move_to(moves)
    other.move_to(100)
    assert one.packed(100) == other.packed(100)
    assert one.moves == 100


def test_an_index_is_taken_once() -> None:
    """What rows name is taken, and what other processes took is counted."""
    listed = OwnList("u", 1, None)
    listed.read([row(5, 1), row(6, 0)])
    assert [listed.take(index) for index in (5, 6, 7, 7)] == [False, False, True, False]
    assert listed.taken == 3
    listed.count(10)
    assert listed.taken == 10
