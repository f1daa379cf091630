"""Decoys follow from a seed: the same for every process, never more than their share, and withdrawn for good."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idverify.formats.status_decoys import RESERVED_SHARE, SUSPENDED_FOR, decoys_of
from idverify.formats.status_list import StatusValue

SIZE = 4096
DECOYS = decoys_of(b"a seed", SIZE)


def test_decoys_are_a_sample_of_the_indices() -> None:
    """One index in eight, each once, and another sample for another seed."""
    assert len(set(DECOYS.indices)) == DECOYS.most() == SIZE // RESERVED_SHARE
    assert all(0 <= index < SIZE for index in DECOYS.indices)
    assert decoys_of(b"a seed", SIZE) == DECOYS
    assert decoys_of(b"another", SIZE).indices != DECOYS.indices


@given(before=st.integers(0, DECOYS.most()), more=st.integers(0, DECOYS.most()))
def test_moving_is_what_showing_shows(before: int, more: int) -> None:
    """Whoever saw the list after some moves and is told what moved since knows it as it is now."""
    after = min(before + more, DECOYS.most())
    seen = dict(DECOYS.shown(before)) | dict(DECOYS.moved(before, after))
    assert seen == dict(DECOYS.shown(after))


def test_decoys_come_to_what_people_come_to() -> None:
    """Withdrawn ones stay so; suspended ones are reinstated or withdrawn, some of each."""
    seen: dict[int, set[StatusValue]] = {}
    for moves in range(DECOYS.most()):
        for index, value in DECOYS.moved(moves, moves + 1):
            before = seen.setdefault(index, set())
            assert StatusValue.INVALID not in before
            before.add(value)
    suspended = [values for values in seen.values() if StatusValue.SUSPENDED in values]
    assert 0.05 < len(suspended) / DECOYS.most() < 0.25
    assert any(StatusValue.VALID in values for values in suspended)
    assert any(StatusValue.INVALID in values for values in suspended)


@pytest.mark.parametrize("moves", [0, 1, SUSPENDED_FOR, SUSPENDED_FOR + 1])
def test_nothing_moves_where_nothing_is_to_move(moves: int) -> None:
    """No time, no move."""
    assert list(DECOYS.moved(moves, moves)) == []
