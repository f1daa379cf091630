"""Sequencing: what an entry gets, and what one row remembers."""

from hashlib import sha256

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idverify.ledger.entry import Draft, Entry, EntryType
from idverify.ledger.errors import MalformedError, SequenceError
from idverify.ledger.merkle import EMPTY_ROOT, complete_subtrees, leaf_hash
from idverify.ledger.sequencer import TreeState, decode_bundle, encode_bundle, genesis, sequence, sequence_all
from tests.simulators.ledger_memory import NOW, ORIGIN, LedgerMemory, draft
from tests.unit.ledger.test_merkle import mth


def test_genesis_names_the_origin() -> None:
    """Two logs never share a chain: the first `prev` is a hash of the log's name."""
    state = genesis(ORIGIN)

    assert sha256(b"idverify-ledger/v1\nlog.example/1").digest() == state.head
    assert state.root() == EMPTY_ROOT


def test_entries_are_chained_and_are_the_leaves() -> None:
    """Each `prev` is the leaf hash of the entry before, and the root is that of the RFC over those hashes."""
    memory = LedgerMemory()
    for size in range(1, 140):
        memory.append(1)
        entry = Entry.decode(memory.log[-1])
        expected_prev = memory.leaves[-2] if size > 1 else genesis(ORIGIN).head

        assert (entry.index, entry.prev) == (size - 1, expected_prev)
        assert memory.leaves[-1] == leaf_hash(memory.log[-1]) == memory.state.head
        assert memory.state.root() == mth(memory.leaves)


def test_time_is_coarse_and_never_runs_backwards() -> None:
    """A clock that jumps back leaves entries at the time of the one before."""
    state, times = genesis(ORIGIN), []
    for number, now in enumerate([NOW + 59, NOW + 61, NOW - 3600, NOW + 180]):
        state, entry, _ = sequence(state, draft(number), now)
        times.append(Entry.decode(entry).time)

    assert times == [NOW, NOW + 60, NOW + 60, NOW + 180]


def test_rolling_back_is_keeping_the_old_state() -> None:
    """Sequencing changes nothing, so the same entry comes out again."""
    state, _, _ = sequence(genesis(ORIGIN), draft(0), NOW)

    assert sequence(state, draft(1), NOW) == sequence(state, draft(1), NOW)


def test_a_log_starts_once_and_at_its_start() -> None:
    """Whatever is to be first, or start a second time, is refused."""
    start = Draft(EntryType.LOG_START, bytes(16), bytes(32))
    with pytest.raises(SequenceError, match="LOG_START is entry 0"):
        sequence(genesis(ORIGIN), draft(1), NOW)
    state, _, _ = sequence(genesis(ORIGIN), start, NOW)
    with pytest.raises(SequenceError, match="LOG_START is entry 0"):
        sequence(state, start, NOW)


@given(before=st.integers(0, 300), runs=st.lists(st.tuples(st.integers(0, 40), st.integers(-90, 90)), max_size=6))
def test_a_run_is_what_its_entries_make_one_by_one(before: int, runs: list[tuple[int, int]]) -> None:
    """However drafts are cut into runs, each gets what the definition gives it, and so does the state."""
    memory = LedgerMemory()
    memory.append(before)
    state, head, time, leaves, now = memory.state, memory.state.head, memory.state.time, memory.leaves, NOW
    for count, passed in runs:
        now += passed
        drafts = [draft(number) for number in range(len(leaves), len(leaves) + count)]
        state, entries, leaf_hashes = sequence_all(state, drafts, now)
        for one, entry, leaf in zip(drafts, entries, leaf_hashes, strict=True):
            time = max(time, now - now % 60)
            assert entry == Entry(one.type, len(leaves), time, head, one.handle, one.digest).encode()
            assert leaf == leaf_hash(entry)
            head = leaf
            leaves.append(leaf)

        peaks = (mth(leaves[at << level : (at + 1) << level]) for level, at in complete_subtrees(0, len(leaves)))
        assert state == TreeState(len(leaves), tuple(peaks), head, time)


@pytest.mark.parametrize("at", [0, 1, 4])
def test_a_run_with_one_draft_out_of_place_is_refused_whole(at: int) -> None:
    """Wherever in a run a second start of the log stands, it is found."""
    memory = LedgerMemory()
    memory.append(3)
    drafts = [draft(number) for number in range(3, 8)]
    drafts[at] = Draft(EntryType.LOG_START, bytes(16), bytes(32))
    with pytest.raises(SequenceError, match=f"entry {3 + at}: LOG_START is entry 0"):
        sequence_all(memory.state, drafts, NOW)


@pytest.mark.parametrize("now", [-60, 2**32 + 44])
def test_a_time_that_has_no_encoding_is_refused(now: int) -> None:
    """Neither before 1970 nor past what 32 bits hold."""
    with pytest.raises(SequenceError, match="cannot append"):
        sequence_all(TreeState(0, (), bytes(32), -60), [draft(0)], now)


def test_the_last_index_ends_the_log() -> None:
    """A run that would number an entry 2^64 is refused, one that stops before it is not."""
    peaks = tuple(bytes(32) for _ in range((2**64 - 2).bit_count()))
    state = TreeState(2**64 - 2, peaks, bytes(32), 0)

    assert sequence_all(state, [draft(1), draft(2)], NOW)[0].size == 2**64
    with pytest.raises(SequenceError, match="0 to 2\\^64 - 1"):
        sequence_all(state, [draft(1), draft(2), draft(3)], NOW)


@given(size=st.integers(0, 40))
def test_a_state_survives_its_row(size: int) -> None:
    """Encoding and decoding a state are inverse."""
    memory = LedgerMemory()
    memory.append(size)

    assert memory.state == TreeState.decode(memory.state.encode())


@pytest.mark.parametrize(
    "value",
    [
        [1, 2, [], bytes(32), 0],
        [1, 1, [bytes(31)], bytes(32), 0],
        [1, 1, ["h" * 32], bytes(32), 0],
        [1, 1, [bytes(32)], bytes(31), 0],
        [1, 1, [bytes(32)], bytes(32), 1],
        [1, -1, [bytes(32)], bytes(32), 0],
        [1, 1, [bytes(32)], bytes(32), 2**32 + 44],
        [2, 0, [], bytes(32), 0],
        [True, 0, [], bytes(32), 0],
        [1, False, [], bytes(32), 0],
        [1, 0, [], bytes(32)],
        {},
    ],
)
def test_a_state_that_could_not_be_is_refused(value: object) -> None:
    """A frontier that does not fit the size, other sizes, types or versions are not a state."""
    with pytest.raises(MalformedError):
        TreeState.decode(cbor2.dumps(value))


_ALIKE = st.integers(0, 112).flatmap(lambda size: st.lists(st.binary(min_size=size, max_size=size), max_size=20))


@given(_ALIKE | st.lists(st.binary(max_size=2), max_size=20) | st.lists(st.binary(max_size=512), max_size=20))
def test_bundles_keep_their_entries(entries: list[bytes]) -> None:
    """Encoding and decoding a bundle are inverse, whether its entries are of one size, nearly so, or of any."""
    assert entries == decode_bundle(encode_bundle(entries))


@pytest.mark.parametrize("data", [b"\0", b"\0\2a", b"\0\1ab", b"\2\1" + bytes(513)])
def test_bundles_that_do_not_add_up_are_refused(data: bytes) -> None:
    """A cut length, a cut entry, a left-over byte and an oversized entry are errors, not shorter lists."""
    with pytest.raises(MalformedError, match="does not fit"):
        decode_bundle(data)


def test_an_oversized_entry_is_not_bundled() -> None:
    """What no reader would accept is not written; the largest entry is."""
    assert decode_bundle(encode_bundle([bytes(512)])) == [bytes(512)]
    with pytest.raises(MalformedError, match="at most 512 bytes, got one of 513"):
        encode_bundle([bytes(513)])
