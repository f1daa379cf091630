"""The audit: every byte that is stored is hashed again, and the first bad entry is named."""

import asyncio
import copy
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idverify.ledger import (
    Checkpoint,
    Draft,
    Entry,
    EntryType,
    LogIdentity,
    MalformedError,
    Progress,
    Report,
    fsck,
    sequence,
)
from idverify.ledger.audit import MAX_FINDINGS, RULES
from idverify.ledger.chain import Link, examine, follow
from idverify.ledger.entry import ENTRY_SIZE
from idverify.ledger.log_signers import LogSigners
from idverify.ledger.merkle import leaf_hash
from idverify.ledger.publisher import Publisher
from idverify.ledger.sequencer import genesis
from tests.simulators.ledger_memory import HOLDER, NOW, ORIGIN, LedgerMemory, SoftwareSigner, publishing

SIGNER = SoftwareSigner()


async def publish(memory: LedgerMemory, *sizes: int) -> LedgerMemory:
    """Grow the log to each of `sizes` and sign it there."""
    publisher = publishing(memory, SIGNER)
    for size in sizes:
        memory.append(size - memory.state.size, NOW + 60 * size)
        await publisher.publish_once()
    return memory


@pytest.fixture(scope="module")
def sound() -> LedgerMemory:
    """A log of 610 entries, 600 of them signed for, in four checkpoints."""
    memory = asyncio.run(publish(LedgerMemory(), 1, 255, 300, 600))
    memory.append(10, NOW + 60 * 600)
    return memory


@pytest.fixture
def memory(sound: LedgerMemory) -> LedgerMemory:
    """A copy to be damaged."""
    return copy.deepcopy(sound)


def audit(memory: LedgerMemory, origin: str = ORIGIN, identity: LogIdentity | None = None) -> Report:
    *_, report = fsck(memory, SIGNER.verifier, origin, identity=identity)
    assert isinstance(report, Report)
    assert {finding.rule for finding in report.findings} <= RULES.keys()
    return report


def rules(report: Report) -> list[tuple[int | None, str]]:
    return [(finding.index, finding.rule) for finding in report.findings]


@pytest.mark.parametrize("bundle_size", [1, 7, 256, 1000])
def test_a_sound_log_holds(memory: LedgerMemory, bundle_size: int) -> None:
    """However the entries are bundled, the audit agrees, and says how far the promise reaches."""
    memory.bundle_size = bundle_size
    report = audit(memory)

    assert report.findings == ()
    assert report.holds
    assert report.first_bad_index is None
    assert (report.size, report.root, report.signed_size) == (610, memory.state.root(), 600)


def test_progress_is_told_while_reading(memory: LedgerMemory) -> None:
    """Each bundle is reported; the report comes last."""
    memory.bundle_size = 256
    steps = list(fsck(memory, SIGNER.verifier, ORIGIN))

    assert [Progress(256, 3), Progress(512, 4), Progress(610, 4)] == steps[:-1]


def test_an_empty_log_holds() -> None:
    """Nothing is there and nothing was promised."""
    assert audit(LedgerMemory()).holds


@given(index=st.integers(0, 609), place=st.integers(0, ENTRY_SIZE - 1), flip=st.integers(1, 255))
def test_any_changed_byte_of_any_entry_is_named(sound: LedgerMemory, index: int, place: int, flip: int) -> None:
    """Change one byte anywhere: the audit names exactly that entry as the first bad one."""
    memory = copy.copy(sound)
    memory.log = list(sound.log)
    data = bytearray(memory.log[index])
    data[place] ^= flip
    memory.log[index] = bytes(data)
    report = audit(memory)

    assert report.first_bad_index == index
    assert (index, "leaf_hash") in rules(report)


@given(index=st.integers(0, 608), place=st.integers(0, ENTRY_SIZE - 1), flip=st.integers(1, 255))
def test_a_changed_entry_whose_leaf_hash_was_changed_too_is_still_found(
    sound: LedgerMemory, index: int, place: int, flip: int
) -> None:
    """Whoever covers up in the row is betrayed by the next entry."""
    memory = copy.copy(sound)
    memory.log, memory.leaves = list(sound.log), list(sound.leaves)
    data = bytearray(memory.log[index])
    data[place] ^= flip
    memory.log[index] = bytes(data)
    memory.leaves[index] = leaf_hash(bytes(data))

    assert audit(memory).first_bad_index in {index, index + 1}


def test_one_changed_byte_is_told_once(memory: LedgerMemory) -> None:
    """The entry, the one behind it, the first root and the tile it spoils: four checkpoints do not make four more."""
    memory.log[0] = memory.log[0][:-1] + b"x"

    assert rules(audit(memory)) == [(0, "leaf_hash"), (1, "prev"), (None, "root"), (None, "tile")]


def test_every_stored_leaf_hash_is_compared(memory: LedgerMemory) -> None:
    """Flip any stored leaf hash: the audit names its entry and no other."""
    for index in range(0, 610, 13):
        damaged = copy.copy(memory)
        damaged.leaves = list(memory.leaves)
        damaged.leaves[index] = bytes(32)
        assert [(index, "leaf_hash")] == rules(audit(damaged))


def test_every_hash_of_every_full_tile_is_compared(memory: LedgerMemory) -> None:
    """Flip any hash in any tile: the audit says which tile."""
    for place, tile in memory.tiles.items():
        for start in range(0, 8192, 32):
            damaged = copy.copy(memory)
            flipped = tile[:start] + bytes([tile[start] ^ 1]) + tile[start + 1 :]
            damaged.tiles = {**memory.tiles, place: flipped}
            assert rules(audit(damaged)) == [(None, "tile")]


def missing_tile(memory: LedgerMemory) -> None:
    del memory.tiles[0, 1]


def tile_too_many(memory: LedgerMemory) -> None:
    memory.tiles[0, 2] = bytes(8192)


def cut_tile(memory: LedgerMemory) -> None:
    memory.tiles[0, 1] = memory.tiles[0, 1][:-1]


def tail_lost(memory: LedgerMemory) -> None:
    del memory.log[590:]


def signature_changed(memory: LedgerMemory) -> None:
    size, note = memory.notes[1]
    memory.notes[1] = (size, note.replace(b"\n255\n", b"\n256\n"))


def note_unreadable(memory: LedgerMemory) -> None:
    memory.notes[1] = (255, b"")


def checkpoints_swapped(memory: LedgerMemory) -> None:
    memory.notes[1], memory.notes[2] = memory.notes[2], memory.notes[1]


def checkpoints_lost(memory: LedgerMemory) -> None:
    memory.notes.clear()


def leaf_hashes_lost(memory: LedgerMemory) -> None:
    memory.leaves.pop()


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (missing_tile, [(None, "tile")]),
        (tile_too_many, [(None, "tile")]),
        (cut_tile, [(None, "tile")]),
        (tail_lost, [(590, "truncated")]),
        (signature_changed, [(None, "checkpoint")]),
        (note_unreadable, [(None, "checkpoint")]),
        (checkpoints_swapped, [(None, "order")]),
        (checkpoints_lost, [(None, "unsigned")]),
        (leaf_hashes_lost, [(609, "bundle")]),
    ],
)
def test_damage_is_named(
    memory: LedgerMemory, damage: Callable[[LedgerMemory], None], expected: list[tuple[int | None, str]]
) -> None:
    """Each kind of damage has its rule, and brings no other."""
    memory.bundle_size = 1
    damage(memory)

    assert expected == rules(audit(memory))


def test_an_entry_taken_out_is_named(memory: LedgerMemory) -> None:
    """The entry that stands in its place has the wrong index and the wrong predecessor."""
    del memory.log[100]
    del memory.leaves[100]

    assert rules(audit(memory))[:3] == [(100, "index"), (100, "prev"), (101, "index")]


def test_two_entries_exchanged_are_named(memory: LedgerMemory) -> None:
    """Order is part of what was signed."""
    for rows in (memory.log, memory.leaves):
        rows[100], rows[101] = rows[101], rows[100]

    assert audit(memory).first_bad_index == 100


async def test_a_log_rewritten_without_the_key_is_found() -> None:
    """Entries, chain, leaf hashes and tiles all anew from entry 1 on: only the signatures say so."""
    original = await publish(LedgerMemory(), 1, 300)
    forged = LedgerMemory(notes=original.notes)
    forged.append(1, NOW + 60)
    forged.append(299, NOW)
    found = audit(forged).findings

    assert [finding.rule for finding in found if finding.rule != "tile"] == ["root"]
    assert "the entries 1 to 299 do not lead to the root" in found[0].detail


async def test_a_clock_set_back_in_the_chain_is_found() -> None:
    """An entry dated before the one ahead of it, otherwise perfect, is named."""
    memory = await publish(LedgerMemory(), 3)
    memory.state = replace(memory.state, time=0)
    memory.append(1, NOW - 600)

    assert rules(audit(memory)) == [(3, "time")]


def test_a_gap_between_bundles_ends_the_chain(memory: LedgerMemory) -> None:
    """A lost row is named at its first entry; what follows cannot be judged."""

    class Gap(LedgerMemory):
        def bundles(self) -> Iterator[tuple[int, bytes, list[bytes]]]:
            return (bundle for bundle in super().bundles() if bundle[0] != 70)

    report = audit(Gap(**memory.__dict__))

    assert rules(report)[:2] == [(70, "bundle"), (70, "truncated")]
    assert report.size == 70


def test_a_bundle_that_cannot_be_read_is_a_finding(memory: LedgerMemory) -> None:
    """Lengths that do not add up are damage, not a failure of the audit."""

    class Torn(LedgerMemory):
        def bundles(self) -> Iterator[tuple[int, bytes, list[bytes]]]:
            yield next(super().bundles())
            raise MalformedError("bundle: entry 3 does not fit")

    assert rules(audit(Torn(**memory.__dict__)))[0] == (7, "bundle")


def test_an_empty_bundle_is_a_finding(memory: LedgerMemory) -> None:
    """A row without entries is damage; it ends the chain, and the audit goes on to its report."""

    class Empty(LedgerMemory):
        def bundles(self) -> Iterator[tuple[int, bytes, list[bytes]]]:
            return iter([(0, b"", [])])

    assert rules(audit(Empty(**memory.__dict__)))[:2] == [(0, "bundle"), (0, "truncated")]


async def test_a_tile_that_was_just_filled_is_missed() -> None:
    """The tile of the last 256 entries signed for is due as much as any other; one entry earlier, none is."""
    for size, expected in ((255, []), (256, [(None, "tile")])):
        memory = await publish(LedgerMemory(), size)
        memory.tiles.clear()
        assert rules(audit(memory)) == expected


def test_another_logs_name_is_found(memory: LedgerMemory) -> None:
    """A whole sound log under the wrong name: neither chain nor checkpoints belong to it."""
    found = rules(audit(memory, origin="other.example/1"))

    assert (0, "prev") in found
    assert (None, "checkpoint") in found


async def test_entry_0_is_held_against_the_published_identity() -> None:
    """A deployment cannot change its names under a running log."""
    identity = LogIdentity(ORIGIN, "https://id.example", "id.example", "https://status.example")
    memory = LedgerMemory()
    memory.state, entry, leaf = sequence(memory.state, Draft(EntryType.LOG_START, bytes(16), identity.digest()), NOW)
    memory.log, memory.leaves = [entry], [leaf]
    memory.bundle_size = 1
    await publish(memory, 3)

    assert audit(memory, identity=identity).holds
    assert rules(audit(memory, identity=replace(identity, rp_id="evil.example"))) == [(0, "identity")]
    memory.log[0] = memory.log[0][:-1]
    assert rules(audit(memory, identity=identity))[:2] == [(0, "leaf_hash"), (0, "entry")]


def test_findings_are_bounded(memory: LedgerMemory) -> None:
    """A ruined log does not fill the memory of the auditor."""
    memory.log = [bytes(ENTRY_SIZE)] * 610

    assert len(audit(memory).findings) == MAX_FINDINGS


def test_two_checkpoints_of_one_size_agree(memory: LedgerMemory) -> None:
    """The same tree signed twice is sound; another root for a size, though well signed, is found."""
    size, note = memory.notes[1]
    memory.notes.insert(2, (size, note))
    assert audit(memory).holds
    memory.notes[2] = (size, SIGNER.note(Checkpoint(ORIGIN, size, bytes(32))))
    assert rules(audit(memory)) == [(None, "root")]


def check_both(link: Link, entries: list[bytes]) -> bool:
    """Whether a run is sound, by the check of the whole run and by that of each entry; they have to agree."""
    hashes = list(map(leaf_hash, entries))
    at_once = follow(link, entries, hashes)
    broken = []
    for entry, computed in zip(entries, hashes, strict=True):
        link, found = examine(link, entry, computed)
        broken += found
    assert (at_once is None) == bool(broken)
    assert at_once in {None, link}
    return not broken


def rechained(link: Link, entries: list[bytearray]) -> list[bytes]:
    """The entries as someone would forge them: each `prev` fits whatever stands before it."""
    prev, made = link.prev, []
    for entry in entries:
        entry[16:48] = prev
        made.append(bytes(entry))
        prev = leaf_hash(made[-1])
    return made


def run_of(log: LedgerMemory, start: int, count: int) -> tuple[Link, list[bytearray]]:
    before = Entry.decode(log.log[start - 1]).time if start else 0
    link = Link(start, log.leaves[start - 1] if start else genesis(ORIGIN).head, before)
    return link, [bytearray(entry) for entry in log.log[start : start + count]]


FREE = {*range(51, 67), *range(70, 102)}
"""Handle and digest, whose bytes may be anything."""


@pytest.mark.parametrize("flip", [0x01, 0x04, 0x80])
@pytest.mark.parametrize("start", [0, 7])
@pytest.mark.parametrize("changed", [0, 1, 2])
def test_the_check_of_a_run_knows_every_rule(sound: LedgerMemory, start: int, changed: int, flip: int) -> None:
    """Change one byte of a run and mend the chain behind it: only handle and digest may change unnoticed."""
    for place in set(range(ENTRY_SIZE)) - set(range(16, 48)):
        link, run = run_of(sound, start, 3)
        run[changed][place] ^= flip
        still_a_type = place == 1 and (start, changed) != (0, 0) and 0 < run[changed][1] < 8

        assert check_both(link, rechained(link, run)) == (place in FREE or still_a_type)


@pytest.mark.parametrize(("changed", "minutes"), [(0, -20), (1, -20), (2, -20), (2, 20)])
def test_the_check_of_a_run_knows_the_order_of_time(sound: LedgerMemory, changed: int, minutes: int) -> None:
    """An entry may be later than the one before, never earlier: at the start of a run, within, and at its end."""
    link, run = run_of(sound, 400, 3)
    time = Entry.decode(bytes(run[changed])).time + 60 * minutes
    run[changed][12:16] = time.to_bytes(4, "big")

    assert check_both(link, rechained(link, run)) == (minutes > 0)


@pytest.mark.parametrize(("changed", "holds"), [(0, False), (1, False), (2, True)])
def test_the_check_of_a_run_knows_that_nothing_follows_the_closing_entry(
    sound: LedgerMemory, changed: int, *, holds: bool
) -> None:
    """The entry that closes a log is the last of a run, or the run is unsound; and so is every run behind it."""
    link, run = run_of(sound, 400, 3)
    run[changed][1] = EntryType.SHARD_CLOSE
    behind, after = run_of(sound, 403, 2)

    assert check_both(link, rechained(link, run)) == holds
    assert check_both(behind, list(map(bytes, after)))
    assert not check_both(replace(behind, closed=True), list(map(bytes, after)))


@pytest.mark.parametrize("bundle_size", [1, 2, 7])
def test_entries_behind_the_closing_one_are_named(bundle_size: int) -> None:
    """Whoever signs on after the log was closed is found, however the entries are bundled, readable or not."""
    memory = LedgerMemory(bundle_size=bundle_size)
    memory.append(3)
    memory.add(Draft(EntryType.SHARD_CLOSE, bytes(16), bytes(32)))
    asyncio.run(publishing(memory, SIGNER).publish_once())
    assert audit(memory).holds

    memory.append(2)
    asyncio.run(publishing(memory, SIGNER).publish_once())
    assert rules(audit(memory)) == [(4, "closed"), (5, "closed")]
    memory.log[4] = bytes(ENTRY_SIZE)
    assert {(4, "closed"), (4, "entry"), (5, "closed")} <= set(rules(audit(memory)))


def test_the_check_of_a_run_knows_where_entries_end(sound: LedgerMemory) -> None:
    """Two entries cut at the wrong byte, whose bytes together are still those of two good ones."""
    link, (first, second) = run_of(sound, 7, 2)
    second[16:48] = leaf_hash(bytes(first[:-1]))

    assert not check_both(link, [bytes(first[:-1]), bytes(first[-1:] + second)])


@given(
    changes=st.lists(st.tuples(st.integers(0, 19), st.integers(0, ENTRY_SIZE - 1), st.integers(1, 255)), max_size=2),
    start=st.integers(0, 10),
    mended=st.booleans(),
)
def test_the_two_checks_agree_on_any_run(
    sound: LedgerMemory, changes: list[tuple[int, int, int]], start: int, *, mended: bool
) -> None:
    """A run is followed at once exactly when no single entry of it breaks a rule."""
    link, run = run_of(sound, start, 20)
    for number, place, flip in changes:
        run[number][place] ^= flip

    assert check_both(link, rechained(link, run) if mended else list(map(bytes, run))) or changes


def test_a_further_signature_that_is_wrong_is_found_and_one_that_is_not_there_is_not() -> None:
    """A log that got a second key later: its checkpoints before bear one signature, and those since two that hold."""
    second = SoftwareSigner(seed=b"2" * 32)
    memory = LedgerMemory()
    memory.append(3)
    asyncio.run(publishing(memory, SIGNER).publish_once())
    memory.append(3)
    both = Publisher(memory, ORIGIN, LogSigners.each(SIGNER, second), now=lambda: NOW, holder=HOLDER)
    asyncio.run(both.publish_once())

    def rules() -> list[str]:
        *_, report = fsck(memory, SIGNER.verifier, ORIGIN, further=[second.verifier])
        assert isinstance(report, Report)
        return [finding.rule for finding in report.findings]

    assert rules() == []
    (size, note), first = memory.notes[1], memory.notes[0]
    memory.notes = [first, (size, note[:-20] + bytes([note[-20] ^ 1]) + note[-19:])]
    assert rules() == ["checkpoint"]
