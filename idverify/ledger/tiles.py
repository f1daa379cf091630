"""The tree as tiles of 256 hashes (c2sp.org/tlog-tiles@v1): where a node lives, and reading it back with suspicion.

A tile read from storage is believed only when its root is the hash its parent tile holds, and that tile by
its own parent, up to the right edge, whose root a checkpoint signs. Comparing a tile with the tiles *below*
it is not enough: whoever forges a leaf forges its tile too (CVE-2026-56865).
"""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from idverify.ledger.edge import TILE_HEIGHT, TILE_WIDTH, Layers, RightEdge, layers, split_hashes
from idverify.ledger.errors import MalformedError, ProofError, StorageError
from idverify.ledger.lines import parse_decimal
from idverify.ledger.merkle import complete_subtrees, consistency_ranges, fold, inclusion_ranges
from idverify.ledger.storage import LedgerStorage

TILE_BYTES: Final = 32 * TILE_WIDTH
MAX_TILE_LEVEL: Final = 63

_CACHED_TILES: Final = 256
_PATH: Final = re.compile(r"tile/([0-9]{1,2})/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([0-9]{1,3}))?")


@dataclass(frozen=True, slots=True)
class Tile:
    """Coordinates of a tile: `index` counts tiles of one `level` from the left, `width` its hashes (256: full)."""

    level: int
    index: int
    width: int = TILE_WIDTH

    def path(self) -> str:
        """`tile/<L>/<N>[.p/<W>]`, N in groups of three digits, all but the last behind an `x`."""
        digits = f"{self.index:03d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[start : start + 3] for start in range(0, len(digits), 3)]
        number = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{self.level}/{number}{partial}"

    @classmethod
    def parse(cls, path: str) -> Self:
        """The tile a path names.

        Raises `MalformedError`: not exactly what `path` writes for levels 0 to 63 and widths 1 to 256.
        """
        if match := _PATH.fullmatch(path):
            level, number, width = match.groups()
            index = parse_decimal(re.sub(r"[x/]", "", number).lstrip("0") or "0", "tile index")
            tile = cls(int(level), index, int(width or TILE_WIDTH))
            if tile.level <= MAX_TILE_LEVEL and 0 < tile.width <= TILE_WIDTH and tile.path() == path:
                return tile
        raise MalformedError(f"tile path: expected tile/<level>/<index>[.p/<width>], got {path[:80]!r}")


class TileTree:
    """A tree of fixed size over full tiles in storage and its own right edge; growing makes another tree.

    Tiles once authenticated are kept, least recently used out first, and shared by the trees grown from this
    one: a full tile never changes.
    """

    def __init__(
        self, storage: LedgerStorage, edge: RightEdge, cache: OrderedDict[tuple[int, int], Layers] | None = None
    ) -> None:
        """A tree whose `edge` the caller vouches for; `load` makes one from storage and a signed root."""
        self._storage = storage
        self._edge = edge
        self._edge_layers = [layers(hashes) for hashes in edge.levels]
        self._root = edge.root()
        self._cache = OrderedDict() if cache is None else cache

    @classmethod
    async def load(cls, storage: LedgerStorage, size: int, root: bytes) -> Self:
        """The tree of `size` leaves with the signed `root`.

        Raises `StorageError`: the stored hashes do not lead to `root`.
        """
        levels: list[tuple[bytes, ...]] = []
        count = size
        while count:
            level, start = len(levels), count - count % TILE_WIDTH
            if level == 0:
                hashes = await storage.leaf_hashes(start, count)
            else:
                below = [await _read_tile(storage, level - 1, index) for index in range(start, count)]
                hashes = [layers(tile)[TILE_HEIGHT][0] for tile in below]
            levels.append(tuple(hashes))
            count >>= TILE_HEIGHT
        tree = cls(storage, RightEdge(size, tuple(levels)))
        if tree.root() != root:
            raise StorageError(f"stored hashes of size {size} lead to {tree.root().hex()}, signed was {root.hex()}")
        return tree

    @property
    def size(self) -> int:
        """Leaves in the tree."""
        return self._edge.size

    def root(self) -> bytes:
        """The RFC 6962 root."""
        return self._root

    def extend(self, leaf_hashes: Sequence[bytes]) -> tuple["TileTree", Mapping[tuple[int, int], bytes]]:
        """The tree after these leaves, and the tiles they filled, to be stored before it is read."""
        edge, tiles = self._edge.extend(leaf_hashes)
        return TileTree(self._storage, edge, self._cache), tiles

    async def node(self, level: int, index: int) -> bytes:
        """The root of the complete subtree over the leaves `index << level` up to `(index + 1) << level`.

        Raises `ProofError`: not complete in this tree. Raises `StorageError`: its tile is missing or was
        tampered with.
        """
        if level < 0 or index < 0 or (index + 1) << level > self.size:
            raise ProofError(f"expected a complete subtree of {self.size} leaves, got level {level}, index {index}")
        tile_level, height = divmod(level, TILE_HEIGHT)
        tile_index, offset = divmod(index, TILE_WIDTH >> height)
        return (await self._layers(tile_level, tile_index))[height][offset]

    async def inclusion_proof(self, index: int) -> list[bytes]:
        """RFC 6962 section 2.1.1 for the leaf `index`, leaf's sibling first."""
        return [await self._range_root(start, stop) for start, stop in inclusion_ranges(index, self.size)]

    async def consistency_proof(self, size1: int, size2: int | None = None) -> list[bytes]:
        """RFC 6962 section 2.1.2 from the first `size1` leaves to the first `size2`, or to this tree.

        Raises `ProofError`: not 0 < `size1` <= `size2` <= the size of this tree.
        """
        ranges = consistency_ranges(size1, self.size if size2 is None else size2)
        return [await self._range_root(start, stop) for start, stop in ranges]

    def width(self, level: int, index: int) -> int:
        """How many hashes the tile has in this tree: 256 when full, fewer at the right edge, 0 where there is none."""
        return max(0, min(TILE_WIDTH, (self.size >> TILE_HEIGHT * level) - TILE_WIDTH * index))

    async def hashes(self, tile: Tile) -> list[bytes] | None:
        """The first `tile.width` hashes of a tile, None where this tree does not have as many.

        Raises `StorageError`: the tile is missing or was tampered with.
        """
        if tile.width > self.width(tile.level, tile.index):
            return None
        return list((await self._layers(tile.level, tile.index))[0][: tile.width])

    async def _range_root(self, start: int, stop: int) -> bytes:
        return fold([await self.node(level, index) for level, index in complete_subtrees(start, stop)])

    async def _layers(self, level: int, index: int) -> Layers:
        if index == self.size >> TILE_HEIGHT * (level + 1):
            return self._edge_layers[level]
        if cached := self._cache.get((level, index)):
            self._cache.move_to_end((level, index))
            return cached
        built = layers(await _read_tile(self._storage, level, index))
        if built[TILE_HEIGHT][0] != await self.node(TILE_HEIGHT * (level + 1), index):
            raise StorageError(f"{Tile(level, index).path()} does not lead to the signed root: run the ledger audit")
        self._cache[level, index] = built
        if len(self._cache) > _CACHED_TILES:
            self._cache.popitem(last=False)
        return built


async def _read_tile(storage: LedgerStorage, level: int, index: int) -> list[bytes]:
    data = await storage.full_tile(level, index)
    if data is None or len(data) != TILE_BYTES:
        came = "none" if data is None else f"{len(data)} bytes"
        raise StorageError(f"{Tile(level, index).path()}: expected {TILE_BYTES} bytes, got {came}: rebuild the tiles")
    return split_hashes(data)
