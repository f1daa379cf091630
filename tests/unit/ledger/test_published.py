"""What a log shows: every tile and bundle of every size leads to the signed root, and nothing else is there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from idverify.ledger.checkpoint import open_checkpoint
from idverify.ledger.edge import TILE_WIDTH, RightEdge, split_hashes
from idverify.ledger.errors import MalformedError, ProofError, SignatureError, StorageError
from idverify.ledger.merkle import leaf_hash, verify_consistency, verify_inclusion
from idverify.ledger.published import (
    PublishedLog,
    SignedTree,
    Snapshot,
    StoredSnapshots,
    bundle_path,
    parse_path,
    paths,
    render,
)
from idverify.ledger.sequencer import decode_bundle
from idverify.ledger.tiles import Tile, TileTree
from tests.simulators.ledger_memory import LedgerMemory, SoftwareSigner, publishing

SIZES = [*range(1, 601), 65_535, 65_536, 65_537]


@pytest.fixture(scope="module")
def memory() -> LedgerMemory:
    """A log of 65,537 entries with its full tiles."""
    log = LedgerMemory()
    log.append(65_537)
    log.tiles = dict(RightEdge().extend(log.leaves)[1])
    return log


async def tree_of(memory: LedgerMemory, size: int) -> TileTree:
    return await TileTree.load(memory, size, RightEdge().extend(memory.leaves[:size])[0].root())


async def published(memory: LedgerMemory) -> PublishedLog:
    """The log as its publisher shows it."""
    publisher = publishing(memory, SoftwareSigner())
    await publisher.publish_once()
    return PublishedLog(memory, publisher.snapshot, b"{}")


async def files(memory: LedgerMemory, size: int, since: int = 0) -> AsyncIterator[tuple[str, bytes]]:
    tree = await tree_of(memory, size)
    for path in paths(size, since):
        content = await render(memory, tree, path)
        assert content is not None, path
        yield path, content


def test_the_tiles_of_seventy_thousand_entries_are_those_of_the_specification() -> None:
    """tlog-tiles: 273 full tiles of level 0 and one of 112, one full of level 1 and one of 17, one of width 1."""
    tiles = [parse_path(path) for path in paths(70_000) if "entries" not in path]

    assert sum(tile.level == 0 and tile.width == 256 for tile in tiles) == 273
    assert [tile for tile in tiles if tile.level or tile.width < 256] == [
        Tile(0, 273, 112),
        Tile(1, 0),
        Tile(1, 1, 17),
        Tile(2, 0, 1),
    ]


def test_no_path_has_width_0() -> None:
    """A tree of 256 entries is a full tile of level 0 and one of level 1 with a single hash: nothing is empty."""
    assert list(paths(256)) == ["tile/0/000", "tile/entries/000", "tile/1/000.p/1"]
    assert list(paths(0)) == []


@pytest.mark.parametrize("since", [0, 1, 255, 256, 257, 511, 512, 599])
def test_what_a_step_adds_is_what_was_not_there(since: int) -> None:
    """From one size to a later one, exactly the files are new that the earlier one did not need."""
    for size in range(since, 601):
        assert set(paths(size, since)) == set(paths(size)) - set(paths(since))


@pytest.mark.parametrize("sizes", [SIZES[start : start + 100] for start in range(0, len(SIZES), 100)])
async def test_every_tile_and_bundle_leads_to_the_root(memory: LedgerMemory, sizes: list[int]) -> None:
    """From the bundles alone the tree grows to the signed root, and every tile is the one it grows through."""
    for size in sizes:
        shown = dict([one async for one in files(memory, size)])
        entries = [
            entry
            for path, content in sorted(shown.items(), key=lambda item: parse_path(item[0]).index)
            if path.startswith("tile/entries/")
            for entry in decode_bundle(content)
        ]
        edge, full = RightEdge().extend(list(map(leaf_hash, entries)))
        tiles = {Tile(level, index).path(): content for (level, index), content in full.items()}
        for level, hashes in enumerate(edge.levels):
            if hashes:
                tiles[Tile(level, edge.size >> 8 * (level + 1), len(hashes)).path()] = b"".join(hashes)

        assert len(entries) == size
        assert edge.root() == (await tree_of(memory, size)).root()
        assert {path: content for path, content in shown.items() if "entries" not in path} == tiles


async def test_every_width_a_published_size_ever_needed_stays(memory: LedgerMemory) -> None:
    """Partial tiles and bundles of earlier sizes are prefixes of what is there now, full tiles included."""
    tree = await tree_of(memory, 65_537)
    for path in ("tile/0/255", "tile/1/000", "tile/entries/255"):
        full = await render(memory, tree, path)
        assert full is not None
        for width in range(1, TILE_WIDTH):
            partial = await render(memory, tree, f"{path}.p/{width}")
            assert partial is not None
            assert full.startswith(partial)
            assert len(decode_bundle(partial) if "entries" in path else split_hashes(partial)) == width


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/001.p/45",
        "tile/0/001",
        "tile/0/002.p/1",
        "tile/1/000.p/2",
        "tile/1/000",
        "tile/2/000.p/1",
        "tile/63/000.p/1",
        "tile/entries/001.p/45",
        "tile/entries/001",
        "tile/entries/x018/x446/x744/x073/x709/x551/615",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/00/000",
        "tile/64/000",
        "tile/0/0",
        "tile/0/x000/000",
        "tile/0/000/",
        "/tile/0/000",
        "tile/entries/tile/0/000",
        "tile/entries/0/000",
        "tile/entries/",
        "tile/-1/000",
        "tile/entries/000\n",
        "tile/0/\u0660\u0660\u0660",
        "",
        "..",
        "checkpoint/",
        "log.JSON",
    ],
)
async def test_what_the_checkpoint_does_not_cover_is_not_there(memory: LedgerMemory, path: str) -> None:
    """Beyond the size of 300, and under any other spelling of a path, there is nothing."""
    tree = await tree_of(memory, 300)
    log = PublishedLog(memory, _showing(tree), b"{}")

    assert await log.read("tile/0/001.p/44")
    assert await log.read(path) is None


async def test_an_entry_that_is_not_the_signed_one_is_never_shown(memory: LedgerMemory) -> None:
    """A bundle whose entries do not lead to the root is an error, whichever entry it is and however it was cut."""
    tree = await tree_of(memory, 300)
    for index in (0, 255, 256, 299):
        for change in (b"another", memory.log[index + 1], b""):
            tampered = LedgerMemory(log=list(memory.log[:300]), leaves=memory.leaves, tiles=memory.tiles)
            tampered.log[index] = change
            tile = Tile(0, index // TILE_WIDTH, min(TILE_WIDTH, 300 - index // TILE_WIDTH * TILE_WIDTH))
            with pytest.raises(StorageError, match="do not lead to the signed root"):
                await render(tampered, tree, bundle_path(tile))


async def test_a_missing_entry_is_never_shown(memory: LedgerMemory) -> None:
    """A bundle that storage has only in part is an error, not a shorter bundle."""
    tree = await tree_of(memory, 300)
    short = LedgerMemory(log=list(memory.log[:299]), leaves=memory.leaves, tiles=memory.tiles)

    with pytest.raises(StorageError):
        await render(short, tree, "tile/entries/001.p/44")


async def test_a_tampered_tile_is_never_shown(memory: LedgerMemory) -> None:
    """A stored tile with one other bit is an error for its own path, and for that of its bundle."""
    tiles = {**memory.tiles, (0, 0): bytes([memory.tiles[0, 0][0] ^ 1]) + memory.tiles[0, 0][1:]}
    tampered = LedgerMemory(log=memory.log, leaves=memory.leaves, tiles=tiles)
    tree = await TileTree.load(tampered, 65_537, (await tree_of(memory, 65_537)).root())

    for path in ("tile/0/000", "tile/0/000.p/1", "tile/entries/000"):
        with pytest.raises(StorageError, match="does not lead to the signed root"):
            await render(tampered, tree, path)


async def test_heads_are_what_the_publisher_signed() -> None:
    """The checkpoint and the one that meets the policy are notes of the log; before the first there is no file."""
    memory = LedgerMemory()
    empty = await published(memory)
    before = [await empty.read(path) for path in ("checkpoint", "checkpoint.quorum", "tile/0/000.p/1", "log.json")]
    memory.append(300)
    log = await published(memory)
    note = await log.read("checkpoint")

    assert before == [None, None, None, b"{}"]
    assert note is not None
    assert open_checkpoint(note, [SoftwareSigner().verifier]).size == 300
    assert await log.read("checkpoint.quorum") == note


async def test_proofs_lead_to_the_checkpoint_that_meets_the_policy(memory: LedgerMemory) -> None:
    """An entry that only the latest checkpoint covers has no proof yet, and a proof holds no opening."""
    latest, quorum = SignedTree(await tree_of(memory, 300), b"latest"), SignedTree(await tree_of(memory, 257), b"q")
    log = PublishedLog(memory, _shows(Snapshot(latest, quorum)), b"{}")
    proof = await log.proof(256)

    assert proof is not None
    assert (proof.checkpoint_note, proof.extra) == (b"q", None)
    verify_inclusion(256, 257, memory.leaves[256], proof.hashes, quorum.tree.root())
    assert [await log.proof(index) for index in (257, 299, 300, -1)] == [None] * 4
    assert await PublishedLog(memory, _shows(Snapshot(latest, None)), b"{}").proof(0) is None
    assert await PublishedLog(memory, _shows(None), b"{}").proof(0) is None


@pytest.mark.parametrize(("size1", "size2"), [(1, 300), (255, 256), (256, 257), (300, 300), (200, 299), (1, 1)])
async def test_any_two_published_sizes_are_shown_consistent(memory: LedgerMemory, size1: int, size2: int) -> None:
    """Also between sizes that are smaller than the latest."""
    log = PublishedLog(memory, _showing(await tree_of(memory, 300)), b"{}")
    roots = [(await tree_of(memory, size)).root() for size in (size1, size2)]

    verify_consistency(size1, size2, *roots, await log.consistency(size1, size2))


@pytest.mark.parametrize(("size1", "size2"), [(1, 301), (301, 301), (2, 1), (-1, 1), (0, 301)])
async def test_no_consistency_beyond_what_is_published(memory: LedgerMemory, size1: int, size2: int) -> None:
    """A size that no checkpoint reaches, or an order that is none, is refused; from 0 the proof is empty."""
    log = PublishedLog(memory, _showing(await tree_of(memory, 300)), b"{}")

    assert await log.consistency(0, 300) == []
    with pytest.raises(ProofError, match="published size 300"):
        await log.consistency(size1, size2)
    with pytest.raises(ProofError, match="published size 0"):
        await PublishedLog(memory, _shows(None), b"{}").consistency(1, 1)


async def test_a_log_without_a_publisher_is_shown_as_it_is_stored() -> None:
    """A closed shard, or a command: the stored notes, and the one that meets the policy where witnesses are asked."""
    memory, signer = LedgerMemory(), SoftwareSigner()
    for count in (200, 100):
        memory.append(count)
        await publishing(memory, signer).publish_once()
    alone = StoredSnapshots(memory, [signer.verifier], witnessed=False)
    witnessed = StoredSnapshots(memory, [signer.verifier], witnessed=True)
    first = await witnessed()
    await memory.keep_quorum_checkpoint(200, memory.notes[0][1])
    shown, second = await alone(), await witnessed()

    assert await StoredSnapshots(LedgerMemory(), [signer.verifier], witnessed=False)() is None
    assert first is not None
    assert shown is not None
    assert second is not None
    assert second.quorum is not None
    assert first.quorum is None
    assert shown.quorum is shown.latest
    assert (second.latest.tree.size, second.quorum.tree.size) == (300, 200)
    assert second.latest is (await witnessed() or first).latest  # kept while it stays the same
    with pytest.raises(SignatureError):
        await StoredSnapshots(memory, [SoftwareSigner(seed=b"1" * 32).verifier], witnessed=False)()


@pytest.mark.parametrize("path", ["tile/entries/000", "tile/entries/x001/234.p/7", "tile/3/999"])
def test_paths_of_bundles_are_written_as_they_are_read(path: str) -> None:
    """A bundle bears the coordinates of the tile of its leaf hashes."""
    tile = parse_path(path)

    assert path == (bundle_path(tile) if "entries" in path else tile.path())
    with pytest.raises(MalformedError):
        parse_path(path + "/")


def _shows(snapshot: Snapshot | None) -> Callable[[], Awaitable[Snapshot | None]]:
    async def show() -> Snapshot | None:
        return snapshot

    return show


def _showing(tree: TileTree) -> Callable[[], Awaitable[Snapshot | None]]:
    signed = SignedTree(tree, b"note")
    return _shows(Snapshot(signed, signed))
