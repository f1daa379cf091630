"""The right edge of a tree: the hashes that have not yet filled a tile, one run per tile level.

Tiles hold 256 hashes of one level (C2SP tlog-tiles). Appending fills them from the left, and a full tile's
root is one hash of the level above, so the edge is all a growing tree has to remember.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from idverify.ledger.merkle import fold, parents

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT

Layers = Sequence[Sequence[bytes]]
"""`layers[h][i]` is the root over the 2^h hashes of a tile that start at i * 2^h."""


@dataclass(frozen=True, slots=True)
class RightEdge:
    """`levels[n]` are the hashes of the incomplete tile at tile level n; `size` counts the leaves of the tree."""

    size: int = 0
    levels: tuple[tuple[bytes, ...], ...] = ()

    def extend(self, leaf_hashes: Sequence[bytes]) -> tuple["RightEdge", Mapping[tuple[int, int], bytes]]:
        """The edge after these leaves, and the tiles they filled: (tile level, index) -> 8192 bytes."""
        tiles: dict[tuple[int, int], bytes] = {}
        levels: list[tuple[bytes, ...]] = []
        arriving = leaf_hashes
        while arriving or len(levels) < len(self.levels):
            level = len(levels)
            waiting = self.levels[level] if level < len(self.levels) else ()
            hashes = [*waiting, *arriving]
            arriving = []
            for start in range(0, len(hashes) - TILE_WIDTH + 1, TILE_WIDTH):
                full = hashes[start : start + TILE_WIDTH]
                index = (self.size >> TILE_HEIGHT * (level + 1)) + len(arriving)
                tiles[level, index] = b"".join(full)
                arriving.append(layers(full)[TILE_HEIGHT][0])
            levels.append(tuple(hashes[len(arriving) * TILE_WIDTH :]))
        return RightEdge(self.size + len(leaf_hashes), tuple(levels)), tiles

    def root(self) -> bytes:
        """The RFC 6962 root over all `size` leaves."""
        return fold(self.peaks())

    def peaks(self) -> list[bytes]:
        """The complete subtrees that make up the tree, one for each bit set in `size`, largest first."""
        return [peak for hashes in reversed(self.levels) for peak in _peaks(hashes)]


def layers(hashes: Sequence[bytes]) -> Layers:
    """A tile of 1 to 256 hashes and every complete subtree above them."""
    built = [list(hashes)]
    while len(below := built[-1]) > 1:
        built.append(parents(below))
    return built


def split_hashes(data: bytes) -> list[bytes]:
    """Concatenated hashes, one by one."""
    return [data[start : start + 32] for start in range(0, len(data), 32)]


def _peaks(hashes: Sequence[bytes]) -> list[bytes]:
    """The complete subtrees that make up a partial tile: one for each bit set in its width, largest first."""
    built = layers(hashes)
    width = len(hashes)
    return [built[height][-1] for height in reversed(range(TILE_HEIGHT)) if width >> height & 1]
