"""The audit of a published tree: every file is led to the signed root, and the first bad entry is named."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idverify.ledger import Checkpoint, Draft, EntryType, decode_bundle, encode_bundle
from idverify.ledger.audit import MAX_FINDINGS
from idverify.ledger.audit_state import AuditState
from idverify.ledger.description import LogDescription
from idverify.ledger.edge import layers, split_hashes
from idverify.ledger.entry import ENTRY_SIZE
from idverify.ledger.errors import MalformedError, SignatureError, StorageError
from idverify.ledger.file_tree import FileTree
from idverify.ledger.merkle import leaf_hash
from idverify.ledger.published import CHECKPOINT, DESCRIPTION, QUORUM, bundle_path
from idverify.ledger.tiles import Tile
from idverify.ledger.tree_audit import TREE_RULES, TreeReport, audit_tree
from tests.simulators.ledger_memory import NOW, ORIGIN, LedgerMemory, SoftwareSigner
from tests.simulators.published_tree import (
    DESCRIPTION_OF_LOG,
    IDENTITY,
    POLICY,
    SIGNER,
    TreeInMemory,
    another_story,
    log_of,
    open_note,
    tree_of,
)
from tests.simulators.witness_group import WitnessGroup

EVERY_CLASS = [1, 2, 3, 255, 256, 257, 300, 511, 512, 513, 600]
"""Sizes with and without partial and full tiles, and a tile of one hash at every level."""


def audit(tree: TreeInMemory, known: AuditState | None = None) -> TreeReport:
    *_, report = audit_tree(tree, POLICY, known)
    assert isinstance(report, TreeReport)
    assert {finding.rule for finding in report.findings} <= TREE_RULES.keys()
    return report


def rules(report: TreeReport) -> list[tuple[int | None, str]]:
    return [(finding.index, finding.rule) for finding in report.findings]


@pytest.fixture
def tree() -> TreeInMemory:
    """A tree of 600 entries, to be damaged."""
    return tree_of(log_of(600))


def hash_tiles(tree: TreeInMemory) -> list[str]:
    return [path for path in tree.files if path.startswith("tile/") and "entries" not in path]


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize("size", [0, *EVERY_CLASS, 65_536, 65_793, 70_000])
def test_a_sound_tree_holds(size: int) -> None:
    """Whatever tiles the size makes full or partial, and with nothing but the key, the tree holds."""
    report = audit(tree_of(log_of(size)))

    assert report.findings == ()
    assert (report.size, report.signed_size, report.root) == (size, size, log_of(size).state.root())


def test_progress_is_told_while_reading(tree: TreeInMemory) -> None:
    """Each bundle is a step; the state it leaves is that of the full bundles."""
    *steps, _ = audit_tree(tree, POLICY)

    reached = [step.entries for step in steps if isinstance(step, AuditState)]

    assert reached == [256, 512, 512]


def refuses_every_flip(size: int) -> int:
    """Flip every hash of every tile: neither the client nor the audit takes it. Returns how many there were."""
    tree = tree_of(log_of(600), size)
    flips = 0
    for path in hash_tiles(tree):
        tile = Tile.parse(path)
        for place in range(0, 32 * tile.width, 32):
            damaged = tree.copy()
            damaged.files[path] = flipped(tree.files[path], place + flips % 32)
            flips += 1
            with pytest.raises(StorageError):
                read_leaves_below(damaged, tile, place // 32)
            assert rules(audit(damaged)) == [(None, "tile")], (size, path, place)
    return flips


def read_leaves_below(tree: TreeInMemory, tile: Tile, position: int) -> None:
    """What a client does that wants the first entry below a hash of a tile."""
    signed = open_note(tree.files[CHECKPOINT])
    first = (256 * tile.index + position) << (8 * tile.level)
    FileTree.load(tree, signed).node(0, first)


@pytest.mark.parametrize("size", EVERY_CLASS)
def test_every_hash_of_every_tile_is_authenticated(size: int) -> None:
    """No stored hash is believed for its own sake (golang.org/issue/80744)."""
    assert refuses_every_flip(size) == size + size // 256


@pytest.mark.long
def test_every_hash_of_every_tile_of_every_tree_is_authenticated(
    record_property: Callable[[str, object], None],
) -> None:
    """The same for every tree of 1 to 600 entries."""
    begin = time.perf_counter()
    flips = sum(map(refuses_every_flip, range(1, 601)))
    record_property("flips", flips)
    record_property("seconds", round(time.perf_counter() - begin, 1))

    assert flips == sum(size + size // 256 for size in range(1, 601))


def test_a_tile_forged_with_its_child_is_refused() -> None:
    """A leaf, its tile, and the tile above agree with each other, and not with the root (CVE-2026-56865)."""
    tree = tree_of(log_of(70_000))
    leaf = tree.files["tile/0/007"] = flipped(tree.files["tile/0/007"], 0)
    parent = split_hashes(tree.files["tile/1/000"])
    parent[7] = layers(split_hashes(leaf))[8][0]
    tree.files["tile/1/000"] = b"".join(parent)
    signed = FileTree.load(tree, open_note(tree.files[CHECKPOINT]))

    with pytest.raises(StorageError, match=r"tile/1/000 does not lead to the signed root"):
        signed.node(0, 7 * 256)
    assert (None, "tile") in rules(audit(tree))
    assert any("tile/1/000" in finding.detail for finding in audit(tree).findings)


def test_entries_forged_with_their_tiles_are_found() -> None:
    """Whoever changes an entry and every tile above it, and mends the chain to the end, is left with another root."""
    forged = copy.deepcopy(log_of(600))
    for number in range(5, 600):
        forged.log[number] = forged.log[number][:16] + forged.leaves[number - 1] + forged.log[number][48:-1] + b"x"
        forged.leaves[number] = leaf_hash(forged.log[number])
    tree = tree_of(forged)
    tree.files[CHECKPOINT] = tree_of(log_of(600)).files[CHECKPOINT]

    assert (None, "root") in rules(audit(tree))


def test_an_entry_forged_with_its_tile_is_found_in_its_bundle() -> None:
    """An entry and its tile agree, the tile above does not: the bundle is named, and the entry behind it."""
    tree = tree_of(log_of(600))
    entries = decode_bundle(tree.files["tile/entries/001"])
    entries[3] = flipped(entries[3], 101)
    tree.files["tile/entries/001"] = encode_bundle(entries)
    tree.files["tile/0/001"] = b"".join(map(leaf_hash, entries))
    report = audit(tree)

    assert (None, "root") in rules(report)
    assert any("256 to 511" in finding.detail for finding in report.findings)
    assert report.first_bad_index == 256 + 4


@settings(max_examples=200)
@given(index=st.integers(0, 599), place=st.integers(0, ENTRY_SIZE - 1), flip=st.integers(1, 255))
def test_any_changed_byte_of_any_entry_is_named(index: int, place: int, flip: int) -> None:
    """Change one byte anywhere: exactly that entry is named, and nothing else."""
    tree = tree_of(log_of(600))
    with entries_at(tree, index) as entries:
        data = bytearray(entries[index % 256])
        data[place] ^= flip
        entries[index % 256] = bytes(data)

    assert rules(audit(tree)) == [(index, "leaf_hash")]


class entries_at:  # noqa: N801 - reads as what it is
    """The entries of the bundle that holds an index, written back at the end."""

    def __init__(self, tree: TreeInMemory, index: int) -> None:
        self.tree = tree
        self.path = bundle_path(Tile(0, index // 256, 88 if index >= 512 else 256))

    def __enter__(self) -> list[bytes]:
        self.entries = decode_bundle(self.tree.files[self.path])
        return self.entries

    def __exit__(self, *_: object) -> None:
        self.tree.files[self.path] = encode_bundle(self.entries)


@pytest.mark.parametrize("index", [0, 1, 255, 256, 300, 511, 512, 598])
def test_a_deleted_entry_is_named(tree: TreeInMemory, index: int) -> None:
    """One finding, at the first entry that is not the one signed for."""
    with entries_at(tree, index) as entries:
        del entries[index % 256]

    assert rules(audit(tree)) == [(index, "bundle")]


@pytest.mark.parametrize("index", [0, 1, 255, 256, 300, 512, 599])
def test_an_inserted_entry_is_named(tree: TreeInMemory, index: int) -> None:
    """An entry too many is named where it stands."""
    with entries_at(tree, index) as entries:
        entries.insert(index % 256, entries[-1][:-1] + b"x")

    assert rules(audit(tree)) == [(index, "bundle")]


@pytest.mark.parametrize(("one", "other"), [(0, 1), (3, 200), (256, 257), (300, 511), (512, 599)])
def test_entries_out_of_order_are_named(tree: TreeInMemory, one: int, other: int) -> None:
    """Both places are named, and no other."""
    with entries_at(tree, one) as entries:
        entries[one % 256], entries[other % 256] = entries[other % 256], entries[one % 256]

    assert rules(audit(tree)) == [(one, "leaf_hash"), (other, "leaf_hash")]


@settings(max_examples=100)
@given(bundle=st.integers(0, 2), data=st.data())
def test_a_cut_bundle_is_named_where_it_was_cut(bundle: int, data: st.DataObject) -> None:
    """Cut a file anywhere: the entry that the cut goes through, or that comes next, is named."""
    tree = tree_of(log_of(600))
    path = bundle_path(Tile(0, bundle, 88 if bundle == 2 else 256))
    length = data.draw(st.integers(0, len(tree.files[path]) - 1))
    tree.files[path] = tree.files[path][:length]

    assert rules(audit(tree)) == [(256 * bundle + length // (2 + ENTRY_SIZE), "bundle")]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("checkpoint", (None, "checkpoint")),
        ("tile/0/000", (None, "tile")),
        ("tile/0/001", (None, "tile")),
        ("tile/0/002.p/88", (None, "tile")),
        ("tile/1/000.p/2", (None, "tile")),
        ("tile/entries/000", (0, "bundle")),
        ("tile/entries/001", (256, "bundle")),
        ("tile/entries/002.p/88", (512, "bundle")),
    ],
)
def test_a_missing_file_is_a_finding(tree: TreeInMemory, path: str, expected: tuple[int | None, str]) -> None:
    """Each file that is gone is named, and nothing else is blamed for it."""
    del tree.files[path]

    assert rules(audit(tree)) == [expected]


@pytest.mark.parametrize("path", ["tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2"])
@pytest.mark.parametrize("cut", [-1, -32, 32])
def test_a_tile_of_another_length_is_a_finding(tree: TreeInMemory, path: str, cut: int) -> None:
    """A tile has exactly as many bytes as its path says."""
    data = tree.files[path]
    tree.files[path] = data[:cut] if cut < 0 else data + bytes(cut)

    assert rules(audit(tree)) == [(None, "tile")]


@pytest.mark.parametrize("path", ["tile/entries/000", "tile/entries/001", "tile/entries/002.p/88"])
@pytest.mark.parametrize("behind", [b"\0", b"\0\x66", b"\xff" * 1000])
def test_what_stands_behind_the_entries_of_a_bundle_is_a_finding(tree: TreeInMemory, path: str, behind: bytes) -> None:
    """It leads to no hash, so nobody signed it: no byte of a file may be left unexamined (golang.org/issue/80745)."""
    tree.files[path] += behind

    assert rules(audit(tree)) == [(None, "bundle")]


def test_bundle_and_tile_both_gone_are_named_once_each(tree: TreeInMemory) -> None:
    """With neither entries nor hashes left, both files are named; what comes behind is still examined."""
    del tree.files["tile/entries/000"], tree.files["tile/0/000"]
    with entries_at(tree, 300) as entries:
        entries[300 % 256] = bytes(ENTRY_SIZE)
    found = rules(audit(tree))

    assert {(0, "bundle"), (None, "tile"), (300, "leaf_hash")} <= set(found)
    assert audit(tree).first_bad_index == 0


def test_a_full_file_stands_in_for_a_partial_one(tree: TreeInMemory) -> None:
    """A log may drop partial files once the full ones are there: their beginning is what was signed."""
    grown = tree_of(log_of(70_000))
    shrunk = TreeInMemory({path: data for path, data in grown.files.items() if ".p/" not in path})
    shrunk.files[CHECKPOINT] = tree.files[CHECKPOINT]

    assert audit(shrunk).holds
    shrunk.files["tile/0/002"] = flipped(shrunk.files["tile/0/002"], 32 * 87)
    assert rules(audit(shrunk)) == [(None, "tile")]


def signed_by_operator(change: Callable[[list[bytes]], None]) -> TreeInMemory:
    """What only whoever holds the key can make: a properly signed tree over entries that break a rule."""
    log = copy.deepcopy(log_of(600))
    change(log.log)
    log.leaves = [leaf_hash(entry) for entry in log.log]
    return tree_of(log)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda log: log.__setitem__(599, bytes(ENTRY_SIZE)), [(599, "entry")]),
        (lambda log: log.__setitem__(599, log[599][:16] + bytes(32) + log[599][48:]), [(599, "prev")]),
        (lambda log: log.__setitem__(599, log[599][:11] + b"\x00" + log[599][12:]), [(599, "index")]),
        (lambda log: log.__setitem__(599, log[599][:12] + bytes(4) + log[599][16:]), [(599, "time")]),
        (lambda log: log.__setitem__(300, log[300][:-1] + b"x"), [(301, "prev")]),
        (lambda log: log.__setitem__(5, b""), [(5, "entry"), (6, "prev")]),
    ],
)
def test_what_the_log_signed_must_be_sound_too(
    change: Callable[[list[bytes]], None], expected: list[tuple[int, str]]
) -> None:
    """A signature makes no chain of what is none: the operator is held to the rules as much as a thief."""
    assert rules(audit(signed_by_operator(change))) == expected


def states(tree: TreeInMemory) -> Iterator[AuditState]:
    return (step for step in audit_tree(tree, POLICY) if isinstance(step, AuditState))


@pytest.mark.parametrize("size", [600, 70_000])
def test_an_audit_is_taken_up_where_it_was_left(size: int) -> None:
    """From any point on the way, under a tree that has grown since, the rest is examined and nothing twice."""
    grown = tree_of(log_of(70_000))
    for known in list(states(tree_of(log_of(70_000), size)))[:: 1 if size == 600 else 90]:
        grown.asked = 0
        report = audit(grown, known)
        assert report.holds
        assert report.state is not None
        assert report.state.size == 70_000
        assert grown.asked < 2 * (70_000 - known.entries) // 256 + 280


@pytest.mark.parametrize("closing", [200, 255])
def test_an_audit_that_is_taken_up_knows_that_the_log_was_closed(closing: int) -> None:
    """What is signed behind the closing entry is found, also by whoever audited up to it and goes on from there."""
    log = LedgerMemory()
    log.append(closing)
    log.add(Draft(EntryType.SHARD_CLOSE, bytes(16), bytes(32)))
    log.append(300 - log.state.size)
    expected = [(index, "closed") for index in range(closing + 1, 300)]
    known = audit(tree_of(log, 256)).state

    assert known is not None
    assert (known.entries, known.closed) == (256, True)
    assert audit(tree_of(log, closing + 1)).holds
    assert rules(audit(tree_of(log))) == expected
    assert rules(audit(tree_of(log), AuditState.decode(known.encode()))) == expected


def test_a_lost_entry_does_not_open_a_closed_log_again() -> None:
    """Behind an entry whose bytes are gone the audit still knows that there was to be none."""
    log = LedgerMemory()
    log.append(253)
    log.add(Draft(EntryType.SHARD_CLOSE, bytes(16), bytes(32)))
    log.append(2)
    tree = tree_of(log)
    with entries_at(tree, 254) as entries:
        entries[254] = bytes(ENTRY_SIZE)

    assert rules(audit(tree)) == [(254, "leaf_hash"), (255, "closed")]


def test_what_was_found_before_the_break_stays_found(tree: TreeInMemory) -> None:
    """Mending the file while the audit pauses does not undo the finding."""
    sound = tree.copy()
    with entries_at(tree, 3) as entries:
        entries[3] = bytes(ENTRY_SIZE)
    first = next(states(tree))

    assert rules(audit(sound, first)) == [(3, "leaf_hash")]


def test_a_state_that_claims_more_than_was_signed_for_skips_nothing(tree: TreeInMemory) -> None:
    """Its note is of 100 entries: whatever else it says, all of them are examined."""
    note = tree_of(log_of(600), 100).files[CHECKPOINT]
    with entries_at(tree, 3) as entries:
        entries[3] = bytes(ENTRY_SIZE)

    for claimed in (256, 512, 1024):
        assert rules(audit(tree, AuditState(note, 2000, claimed, NOW))) == [(3, "leaf_hash")]


def test_damage_behind_the_break_is_named(tree: TreeInMemory) -> None:
    """The second half is examined as it is when it is read."""
    first = next(states(tree))
    with entries_at(tree, 300) as entries:
        entries[300 - 256] = bytes(ENTRY_SIZE)

    assert rules(audit(tree, first)) == [(300, "leaf_hash")]


def test_a_smaller_tree_than_before_is_a_rollback(tree: TreeInMemory) -> None:
    """A log that shows less than it did has lost entries, or hides them; what was known is kept."""
    before = audit(tree).state
    assert before is not None
    report = audit(tree_of(log_of(600), 500), before)

    assert rules(report) == [(None, "rollback")]
    assert report.state is not None
    assert report.state.note == before.note


@pytest.mark.parametrize("size", [600, 601, 700])
def test_a_fork_is_proven_by_two_notes(tree: TreeInMemory, size: int) -> None:
    """Of one size or of two, a tree that does not extend the last one leaves a proof that convinces a stranger."""
    before = audit(tree).state
    report = audit(another_story(size), before)

    assert rules(report) == [(None, "fork")]
    assert report.equivocation is not None
    first, second = report.equivocation.verify(POLICY)
    assert (first.size, second.size) == (600, size)
    assert report.equivocation.first == tree.files[CHECKPOINT]
    assert report.state == before


def test_the_quorum_checkpoint_is_held_against_the_latest(tree: TreeInMemory) -> None:
    """A smaller one is a prefix; else it is a fork, one ahead of the latest a rollback, one unsigned a finding."""
    tree.files[QUORUM] = tree_of(log_of(600), 500).files[CHECKPOINT]
    assert audit(tree).holds
    tree.files[QUORUM] = another_story(500).files[CHECKPOINT]
    assert rules(audit(tree)) == [(None, "fork")]
    tree.files[QUORUM] = tree_of(log_of(700)).files[CHECKPOINT]
    assert rules(audit(tree)) == [(None, "rollback")]
    tree.files[QUORUM] = SoftwareSigner(seed=bytes([7] * 32)).note(open_note(tree.files[CHECKPOINT]))
    assert rules(audit(tree)) == [(None, "checkpoint")]


async def test_a_policy_that_asks_for_witnesses_is_not_met_by_none(tree: TreeInMemory) -> None:
    """A log that shows no checkpoint of the quorum has shown its auditor nothing that others saw, too."""
    group = WitnessGroup(3, quorum=2)
    *_, alone = audit_tree(tree, group.policy)
    lines = await group.cosign(tree.files[CHECKPOINT], _no_proof)
    tree.files[QUORUM] = tree.files[CHECKPOINT] + b"".join(line.line().encode() for line in lines)
    *_, seen = audit_tree(tree, group.policy)

    assert isinstance(alone, TreeReport)
    assert rules(alone) == [(None, "checkpoint")]
    assert isinstance(seen, TreeReport)
    assert seen.holds


async def _no_proof(size: int) -> list[bytes]:
    raise AssertionError(size)


@pytest.mark.parametrize(
    ("change", "index"),
    [({}, None), ({"rp_id": "evil.example"}, 0), ({"origin": "other.example/1"}, None)],
    ids=["as it is", "another name", "another log"],
)
def test_entry_0_commits_to_the_published_identity(
    tree: TreeInMemory, change: dict[str, str], index: int | None
) -> None:
    """What `log.json` says of the deployment is what the log began with."""
    from dataclasses import replace

    described = replace(LogDescription.decode(DESCRIPTION_OF_LOG), identity=replace(IDENTITY, **change))
    tree.files[DESCRIPTION] = described.encode()

    assert rules(audit(tree)) == ([(index, "identity")] if change else [])
    tree.files[DESCRIPTION] = b"{}"
    assert rules(audit(tree)) == [(None, "identity")]


def test_a_description_that_was_changed_is_found_by_whoever_follows(tree: TreeInMemory) -> None:
    """`log.json` is read at every look, also where entry 0 was examined long ago."""
    from dataclasses import replace

    tree.files[DESCRIPTION] = DESCRIPTION_OF_LOG
    before = audit(tree).state
    assert before is not None
    described = replace(LogDescription.decode(DESCRIPTION_OF_LOG), identity=replace(IDENTITY, rp_id="evil.example"))
    tree.files[DESCRIPTION] = described.encode()

    assert rules(audit(tree, before)) == [(0, "identity")]
    tree.files[DESCRIPTION] = DESCRIPTION_OF_LOG
    assert audit(tree, before).holds


@pytest.mark.parametrize(
    "note", [b"", b"\n\n", b"x" * 300_000, SoftwareSigner(seed=bytes([7] * 32)).note(Checkpoint(ORIGIN, 1, bytes(32)))]
)
def test_a_checkpoint_that_nobody_signed_is_a_finding(tree: TreeInMemory, note: bytes) -> None:
    """Nothing below an unsigned checkpoint is even looked at."""
    tree.files[CHECKPOINT] = note
    report = audit(tree)

    assert rules(report) == [(None, "checkpoint")]
    assert report.state is None
    assert tree.asked == 1


@pytest.mark.parametrize("size", [2**63, 2**64 - 1])
def test_a_size_beyond_reason_costs_little(tree: TreeInMemory, size: int) -> None:
    """A log that signs for 2^63 entries and has none of them is refused in a moment."""
    tree.files[CHECKPOINT] = SIGNER.note(Checkpoint(ORIGIN, size, bytes(32)))
    begin = time.process_time()
    report = audit(tree)

    assert len(report.findings) == MAX_FINDINGS
    assert time.process_time() - begin < 10


def test_a_state_of_another_key_is_refused(tree: TreeInMemory) -> None:
    """What somebody else put in the state file is not taken up."""
    stranger = SoftwareSigner(seed=bytes([7] * 32))
    state = AuditState(stranger.note(open_note(tree.files[CHECKPOINT])), 600, 512, NOW)

    with pytest.raises(SignatureError):
        audit(tree, state)


@pytest.mark.parametrize("path", ["", "log", "tile/0/0", "tile/entries/0", "tile/entries/000.p/256", "../checkpoint"])
def test_there_are_no_other_paths(path: str) -> None:
    """A path that no published tree has is never asked for."""
    from idverify.ledger.files import size_limit

    with pytest.raises(MalformedError):
        size_limit(path)
