"""Tiles: their names, what fills them, and that a tampered one is never believed."""

from collections.abc import Mapping
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idverify.ledger.edge import RightEdge, layers, split_hashes
from idverify.ledger.errors import MalformedError, ProofError, StorageError
from idverify.ledger.merkle import leaf_hash, verify_consistency, verify_inclusion
from idverify.ledger.tiles import Tile, TileTree
from tests.simulators.ledger_memory import LedgerMemory
from tests.unit.ledger.test_merkle import mth

LEAVES = [leaf_hash(b"%d" % number) for number in range(70_000)]


def stored(size: int) -> LedgerMemory:
    """A storage with the leaf hashes and tiles of a tree over the first `size` test leaves."""
    _, tiles = grown(size)
    return LedgerMemory(leaves=LEAVES[:size], tiles=dict(tiles))


def root(size: int) -> bytes:
    return grown(size)[0].root()


@cache
def grown(size: int) -> tuple[RightEdge, Mapping[tuple[int, int], bytes]]:
    return RightEdge().extend(LEAVES[:size])


def flipped(data: bytes, place: int = 0) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(0, 273, 112), "tile/0/273.p/112"),
        (Tile(63, 999, 1), "tile/63/999.p/1"),
        (Tile(2, 1000), "tile/2/x001/000"),
    ],
)
def test_paths_are_those_of_tlog_tiles(tile: Tile, path: str) -> None:
    """Writing and parsing a path are inverse; the second example is the specification's."""
    assert path == tile.path()
    assert tile == Tile.parse(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/0",
        "tile/00/000",
        "tile/64/000",
        "tile/0/x000/001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/001/002",
        "tile/0/000/",
        "tile/0/../000",
        "tile/0/000\n",
        "tile/0/" + "x999/" * 10 + "999",
    ],
)
def test_other_paths_are_refused(path: str) -> None:
    """Each tile has one path."""
    with pytest.raises(MalformedError, match=r"^tile"):
        Tile.parse(path)


def test_tiles_of_the_specifications_example() -> None:
    """70,000 entries: 273 full tiles and 112 hashes, one full tile above and 17, then one hash (tlog-tiles)."""
    edge, tiles = RightEdge().extend(LEAVES)

    assert [len(hashes) for hashes in edge.levels] == [112, 17, 1]
    assert {(0, index) for index in range(273)} | {(1, 0)} == set(tiles)
    assert {8192} == {len(tile) for tile in tiles.values()}


@given(st.lists(st.integers(0, 300), max_size=8))
def test_growing_in_steps_is_growing_at_once(steps: list[int]) -> None:
    """However the leaves arrive, edge, tiles and root are the same."""
    edge, tiles = RightEdge(), {}
    for step in steps:
        edge, filled = edge.extend(LEAVES[edge.size : edge.size + step])
        assert not tiles.keys() & filled.keys()
        tiles.update(filled)
    at_once, expected = RightEdge().extend(LEAVES[: sum(steps)])

    assert expected == tiles
    assert at_once.root() == edge.root() == mth(LEAVES[: sum(steps)])
    assert at_once.size == edge.size


@pytest.mark.parametrize("size", [1, 255, 256, 257, 511, 512, 600, 65_536, 65_537, 70_000])
async def test_every_proof_from_tiles_verifies(size: int) -> None:
    """Proofs built from full tiles and the edge lead to the root."""
    tree = await TileTree.load(stored(size), size, root(size))
    for index in {0, 1, size // 3, size // 2, size - 1} & set(range(size)):
        verify_inclusion(index, size, LEAVES[index], await tree.inclusion_proof(index), root(size))
    for size1 in {1, 2, 255, 256, 257, size // 2 + 1, size} & set(range(1, size + 1)):
        verify_consistency(size1, size, root(size1), root(size), await tree.consistency_proof(size1))


async def test_every_node_is_the_root_of_its_leaves() -> None:
    """Every complete subtree of a tree of three tiles reads as the RFC defines it."""
    tree = await TileTree.load(stored(600), 600, root(600))
    for level in range(10):
        for index in range(600 >> level):
            assert await tree.node(level, index) == mth(LEAVES[index << level : (index + 1) << level])


@pytest.mark.parametrize(("level", "index"), [(0, 600), (9, 1), (10, 0), (-1, 0), (0, -1)])
async def test_there_is_no_node_outside_the_tree(level: int, index: int) -> None:
    """A subtree that is not complete is not answered for."""
    tree = await TileTree.load(stored(600), 600, root(600))
    with pytest.raises(ProofError, match="complete subtree"):
        await tree.node(level, index)


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 512, 600])
async def test_every_stored_hash_is_authenticated(size: int) -> None:
    """Flip any hash that is stored: reading that leaf, or loading the tree, fails (golang.org/issue/80744)."""
    await assert_every_flip_is_refused(size)


@pytest.mark.long
async def test_every_stored_hash_of_every_tree_is_authenticated() -> None:
    """The same for every tree of up to 600 leaves."""
    for size in range(1, 601):
        await assert_every_flip_is_refused(size)


async def assert_every_flip_is_refused(size: int) -> None:
    for place in range(size):
        storage = stored(size)
        in_full_tile = place < size - size % 256
        if in_full_tile:
            storage.tiles[0, place >> 8] = flipped(storage.tiles[0, place >> 8], (place & 255) * 32)
        else:
            storage.leaves[place] = flipped(storage.leaves[place])
        with pytest.raises(StorageError):
            await (await TileTree.load(storage, size, root(size))).node(0, place)


async def test_a_forged_tile_needs_more_than_a_forged_parent() -> None:
    """A forged leaf with its tile and the tile above, all agreeing with each other, is still refused."""
    storage = stored(70_000)
    forged = flipped(storage.tiles[0, 7])
    parent = split_hashes(storage.tiles[1, 0])
    parent[7] = layers(split_hashes(forged))[8][0]
    storage.tiles[0, 7], storage.tiles[1, 0] = forged, b"".join(parent)
    with pytest.raises(StorageError, match="lead to"):
        await TileTree.load(storage, 70_000, root(70_000))


async def test_a_tile_tampered_with_after_loading_is_refused() -> None:
    """The same forgery, made while the service runs: the edge in memory is what the tiles are held against."""
    storage = stored(70_000)
    tree = await TileTree.load(storage, 70_000, root(70_000))
    forged = flipped(storage.tiles[0, 7])
    parent = split_hashes(storage.tiles[1, 0])
    parent[7] = layers(split_hashes(forged))[8][0]
    storage.tiles[0, 7], storage.tiles[1, 0] = forged, b"".join(parent)
    with pytest.raises(StorageError, match=r"tile/1/000 does not lead to the signed root"):
        await tree.inclusion_proof(7 * 256)


@pytest.mark.parametrize("data", [None, b"", bytes(8191), bytes(8193)])
async def test_a_missing_or_cut_tile_is_an_error(data: bytes | None) -> None:
    """No proof is made of what is not there."""
    storage = stored(600)
    tree = await TileTree.load(storage, 600, root(600))
    storage.tiles = {} if data is None else {**storage.tiles, (0, 1): data}
    with pytest.raises(StorageError, match="tile/0/001: expected 8192 bytes"):
        await tree.node(0, 300)


async def test_read_tiles_are_kept_within_bounds() -> None:
    """A warm tree asks storage for nothing; a long walk does not keep every tile."""
    storage = stored(70_000)
    tree = await TileTree.load(storage, 70_000, root(70_000))
    for index in range(0, 70_000, 256):
        await tree.node(0, index)
    kept = len(tree._cache)
    storage.tiles = {}

    assert kept == 256
    assert await tree.node(0, 69_800) == LEAVES[69_800]
    with pytest.raises(StorageError):
        await tree.node(0, 0)
