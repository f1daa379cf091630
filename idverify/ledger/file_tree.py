"""The tree under a signed checkpoint, read from published files: every hash is led up to the signed root.

The root is made of the partial tiles at the right edge alone, so they are read first, and stand or fall together. Every
full tile is held against its parent, that against its own, up to that edge (CVE-2026-56865: a tile that only agrees
with what is below it may be forged together with it).
"""

from collections.abc import Coroutine
from itertools import product
from typing import Any, Self, TypeVar, cast

from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.edge import TILE_HEIGHT, TILE_WIDTH, RightEdge, layers, split_hashes
from idverify.ledger.errors import StorageError
from idverify.ledger.files import LogFiles, read_entries, read_tile
from idverify.ledger.merkle import complete_subtrees, fold, leaf_hashes
from idverify.ledger.storage import LedgerStorage
from idverify.ledger.tiles import TILE_BYTES, Tile, TileTree

T = TypeVar("T")


class FileTree:
    """Authenticated reading of the tree that `checkpoint`, which the caller verified, speaks of.

    Methods raise `StorageError` where the files do not lead to the signed root, and `ProofError` for what the tree does
    not have.
    """

    def __init__(self, files: LogFiles, checkpoint: Checkpoint, edge: RightEdge) -> None:
        """A tree with an `edge` that leads to the signed root: `load` reads it."""
        self.checkpoint = checkpoint
        self.edge = edge
        self._tree = TileTree(cast("LedgerStorage", _FullTiles(files)), edge)

    @classmethod
    def load(cls, files: LogFiles, checkpoint: Checkpoint) -> Self:
        """Read the right edge. Raises `StorageError`: it is not there, or leads to another root."""
        edge = read_edge(files, checkpoint.size)
        if edge.root() != checkpoint.root:
            signed = f"{checkpoint.root.hex()} was signed for {checkpoint.size}"
            raise StorageError(f"the tiles at the right edge lead to {edge.root().hex()}, but {signed}")
        return cls(files, checkpoint, edge)

    def node(self, level: int, index: int) -> bytes:
        """The root over the leaves `index << level` up to `(index + 1) << level`."""
        return _finish(self._tree.node(level, index))

    def inclusion_proof(self, index: int) -> list[bytes]:
        """RFC 6962 section 2.1.1 for the leaf `index`."""
        return _finish(self._tree.inclusion_proof(index))

    def consistency_proof(self, size: int) -> list[bytes]:
        """RFC 6962 section 2.1.2 from the first `size` leaves to this tree."""
        return _finish(self._tree.consistency_proof(size))

    def prefix_root(self, size: int) -> bytes:
        """The root over the first `size` leaves."""
        return fold([self.node(level, index) for level, index in complete_subtrees(0, size)])

    def prefix_edge(self, size: int) -> RightEdge:
        """The right edge of the first `size` leaves."""
        levels: list[tuple[bytes, ...]] = []
        count = size
        while count:
            height, start = TILE_HEIGHT * len(levels), count - count % TILE_WIDTH
            levels.append(tuple(self.node(height, index) for index in range(start, count)))
            count >>= TILE_HEIGHT
        return RightEdge(size, tuple(levels))


def edge_tiles(size: int) -> list[Tile]:
    """The partial tiles of a tree of `size` leaves, one for each level that has one, leaves first."""
    levels = range(-(-size.bit_length() // TILE_HEIGHT))
    counts = [(level, size >> TILE_HEIGHT * level) for level in levels]
    return [Tile(level, count // TILE_WIDTH, count % TILE_WIDTH) for level, count in counts if count % TILE_WIDTH]


def read_edge(files: LogFiles, size: int) -> RightEdge:
    """The right edge of a tree of `size` leaves, unauthenticated. Raises `StorageError`: a tile is missing or cut."""
    levels: list[tuple[bytes, ...]] = [()] * -(-size.bit_length() // TILE_HEIGHT)
    for tile in edge_tiles(size):
        data = read_tile(files, tile)
        if data is None or len(data) != 32 * tile.width:
            came = "none" if data is None else f"{len(data)} bytes"
            raise StorageError(f"{tile.path()}: expected {32 * tile.width} bytes, got {came}")
        levels[tile.level] = tuple(split_hashes(data))
    return RightEdge(size, tuple(levels))


def mended_tree(files: LogFiles, checkpoint: Checkpoint) -> FileTree | None:
    """The tree whose right edge is made again from what is below it, where that and not the edge leads to the root.

    None where nothing does. For an auditor, who has to say which file is to blame; a client takes what it is served.
    """
    choices = []
    for level in range(-(-checkpoint.size.bit_length() // TILE_HEIGHT)):
        count = checkpoint.size >> TILE_HEIGHT * level
        tile = Tile(level, count // TILE_WIDTH, count % TILE_WIDTH)
        stored = tuple(split_hashes(read_tile(files, tile) or b"")) if tile.width else ()
        candidates = {stored, tuple(_from_below(files, tile)) if tile.width else ()}
        choices.append([each for each in candidates if len(each) == tile.width and all(len(one) == 32 for one in each)])
    edges = (RightEdge(checkpoint.size, levels) for levels in product(*choices))
    return next((FileTree(files, checkpoint, edge) for edge in edges if edge.root() == checkpoint.root), None)


def _from_below(files: LogFiles, tile: Tile) -> list[bytes]:
    """The hashes of a partial tile as its entries, or the full tiles below, have them; fewer where some are missing."""
    if tile.level == 0:
        return leaf_hashes(read_entries(files, tile) or [])[: tile.width]
    first = tile.index * TILE_WIDTH
    below = files.read_many(Tile(tile.level - 1, index).path() for index in range(first, first + tile.width))
    return [layers(split_hashes(data))[TILE_HEIGHT][0] for data in below if data and len(data) == TILE_BYTES]


class _FullTiles:
    """All of `LedgerStorage` that reading a tree with a known edge asks for."""

    def __init__(self, files: LogFiles) -> None:
        self._files = files

    async def full_tile(self, level: int, index: int) -> bytes | None:
        return self._files.read(Tile(level, index).path())


def _finish(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing, since files are read at once."""
    try:
        work.send(None)
    except StopIteration as done:
        return cast("T", done.value)
    work.close()
    raise StorageError("expected files to be read without waiting")
