"""Walking through the published entries, bundle by bundle, and saying of each file whether it is what was signed.

Where a bundle and its tile disagree, whichever leads to the signed root is right. The walk goes on with that one, so
that one changed entry is one finding.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import zip_longest
from typing import Final

from idverify.ledger.chain import Link, examine, follow
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.edge import TILE_HEIGHT, TILE_WIDTH, RightEdge, layers, split_hashes
from idverify.ledger.errors import StorageError
from idverify.ledger.file_tree import FileTree, edge_tiles
from idverify.ledger.files import LogFiles, read_tile, whole_entries, whole_tile
from idverify.ledger.merkle import leaf_hashes
from idverify.ledger.published import bundle_path
from idverify.ledger.sequencer import genesis
from idverify.ledger.tiles import Tile

Find = Callable[[int | None, str, str], None]
"""Takes a finding: index of the entry to blame or None, rule, what was expected and came."""

Filled = Mapping[tuple[int, int], bytes]

_UNKNOWN: Final = bytes(32)
"""Stands where neither an entry nor its hash is left."""


class Walk:
    """All entries under `signed`, from `link` on. `tree` is None where its right edge does not lead to the root."""

    def __init__(self, files: LogFiles, signed: Checkpoint, tree: FileTree | None, find: Find) -> None:
        self.link = Link(0, genesis(signed.origin).head, 0)
        self.edge = RightEdge()
        self._files = files
        self._signed = signed
        self._tree = tree
        self._find = find

    def start_at(self, index: int, time: int, *, closed: bool) -> None:
        """Take `index` entries, full bundles all, as examined before: the last at `time`, one of them `closed` the log.

        Where tiles above are bad the walk starts at the beginning, and will name them.
        """
        if self._tree is None or not index:
            return
        try:
            edge, prev = self._tree.prefix_edge(index), self._tree.node(0, index - 1)
        except StorageError:
            return
        self.edge, self.link = edge, Link(index, prev, time, closed)

    def bundles(self) -> Iterator[list[bytes]]:
        """Examine one bundle after the other; yields the entries of each, as far as they can be read."""
        size = self._signed.size
        reads = self._files.read_many(paths(self.link.index, size))
        while (first := self.link.index) < size:
            tile = Tile(0, first // TILE_WIDTH, min(TILE_WIDTH, size - first))
            bundle = next(reads)
            entries = whole_entries(self._files, tile, bundle)
            self._examine_length(tile, bundle, entries or [])
            stored = whole_tile(self._files, tile, next(reads))
            filled = self._examine(tile, entries, stored)
            for above in _filled_above(tile):
                self._compare(above, next(reads), filled[above.level, above.index])
            yield entries or []

    def examine_edge(self) -> None:
        """Once all bundles are walked: the entries lead to the root, and the partial tiles are theirs."""
        signed = self._signed
        if self.edge.root() != signed.root:
            detail = f"the {signed.size} entries do not lead to the root {signed.root.hex()} that was signed for them"
            self._find(None, "root", detail)
        for tile in edge_tiles(signed.size):
            self._compare(tile, read_tile(self._files, tile), b"".join(self.edge.levels[tile.level]))

    def _examine(self, tile: Tile, read: list[bytes] | None, stored: bytes | None) -> Filled:
        entries = read or []
        computed = leaf_hashes(entries)
        edge, filled = self.edge.extend(computed)
        if len(computed) == tile.width and stored == (joined := b"".join(computed)):
            signed = self._signed_value(tile)
            value = joined if tile.width < TILE_WIDTH else _newest_root(edge, filled)
            if signed in {None, value} and (link := follow(self.link, entries, computed)):
                self.link, self.edge = link, edge
                return filled
        right = self._right_hashes(tile, entries, computed, stored)
        if stored is None or stored != b"".join(right):
            self._compare(tile, stored, b"".join(right))
        if len(entries) != tile.width:
            self._blame_count(tile, computed, right, "there is no such file" if read is None else f"got {len(entries)}")
        self._continue_chain(entries, computed, right)
        self.edge, filled = self.edge.extend(right)
        return filled

    def _right_hashes(
        self, tile: Tile, entries: list[bytes], computed: list[bytes], stored: bytes | None
    ) -> list[bytes]:
        """Those of the stored and the computed hashes that lead to the root.

        Where the tiles above cannot tell, an unbroken chain speaks for the entries.
        """
        signed, last = self._signed_value(tile), self.link.index + tile.width - 1
        hashes = split_hashes(stored or b"") if stored and len(stored) == 32 * tile.width else []
        candidates = [each for each in (hashes, computed) if len(each) == tile.width]
        if signed is None and computed in candidates and follow(self.link, entries, computed):
            return computed
        for candidate in candidates:
            if signed == _value(candidate):
                return candidate
        if signed and candidates:
            self._find(None, "root", f"neither the entries {self.link.index} to {last} nor their tile lead to the root")
        return candidates[0] if candidates else [*computed, *[_UNKNOWN] * tile.width][: tile.width]

    def _examine_length(self, tile: Tile, bundle: bytes | None, entries: list[bytes]) -> None:
        """Behind the entries nothing stands: it would lead to no hash, and a reader could take it for an entry."""
        expected = 2 * tile.width + sum(map(len, entries))
        if bundle is not None and len(entries) == tile.width and len(bundle) != expected:
            self._find(None, "bundle", f"{bundle_path(tile)}: expected {expected} bytes, got {len(bundle)}")

    def _blame_count(self, tile: Tile, computed: list[bytes], right: list[bytes], came: str) -> None:
        """One finding for a bundle with entries missing or too many: at the first that is not the right one."""
        pairs = zip_longest(computed, right)
        index = self.link.index + next(at for at, (ours, theirs) in enumerate(pairs) if ours != theirs)
        path = bundle_path(tile)
        self._find(index, "bundle", f"{path}: expected {tile.width} entries, {came}")

    def _continue_chain(self, entries: list[bytes], computed: list[bytes], right: list[bytes]) -> None:
        """Examine each entry that is the right one, and blame each that is not, unless their number was blamed."""
        if computed == right and (link := follow(self.link, entries, computed)):
            self.link = link
            return
        for at, expected in enumerate(right):
            index = self.link.index
            if computed[at : at + 1] == [expected]:
                self.link, broken = examine(self.link, entries[at], expected)
                for rule, detail in broken:
                    self._find(index, rule, detail)
                continue
            if len(computed) == len(right):
                self._find(index, "leaf_hash", f"expected {expected.hex()}, the entry has {computed[at].hex()}")
            self.link = replace(self.link, index=index + 1, prev=expected)

    def _signed_value(self, tile: Tile) -> bytes | None:
        """What a tile of leaf hashes must lead to, as `_value` has it; None where the tiles above are bad."""
        if self._tree is None:
            return None
        if tile.width < TILE_WIDTH:
            return b"".join(self._tree.edge.levels[0])
        try:
            return self._tree.node(TILE_HEIGHT, tile.index)
        except StorageError:
            return None

    def _compare(self, tile: Tile, stored: bytes | None, expected: bytes) -> None:
        if stored is None:
            self._find(None, "tile", f"{tile.path()} is missing")
        elif len(stored) != len(expected):
            self._find(None, "tile", f"{tile.path()}: expected {len(expected)} bytes, got {len(stored)}")
        elif stored != expected:
            at = next(at for at in range(0, len(expected), 32) if stored[at : at + 32] != expected[at : at + 32])
            self._find(None, "tile", f"{tile.path()}: hash {at // 32} is not that of the entries below it")


def paths(start: int, size: int) -> Iterator[str]:
    """The files that hold the entries `start`, the first of a bundle, to `size - 1`, and the full tiles they fill."""
    for index in range(start // TILE_WIDTH, -(-size // TILE_WIDTH)):
        tile = Tile(0, index, min(TILE_WIDTH, size - index * TILE_WIDTH))
        yield bundle_path(tile)
        yield tile.path()
        yield from (above.path() for above in _filled_above(tile))


def _filled_above(tile: Tile) -> Iterator[Tile]:
    """The full tiles that this one completes, lowest first."""
    level, count = 1, tile.index + 1
    while tile.width == TILE_WIDTH and count % TILE_WIDTH == 0:
        count //= TILE_WIDTH
        yield Tile(level, count - 1)
        level += 1


def _newest_root(edge: RightEdge, filled: Filled) -> bytes:
    """The root of the full tile that ends at the edge: the last hash one level up, which may have filled a tile."""
    above = edge.levels[1]
    return above[-1] if above else next(data for (level, _), data in filled.items() if level == 1)[-32:]


def _value(hashes: list[bytes]) -> bytes:
    """What tells tiles apart: the root of a full one, the hashes of a partial one."""
    return layers(hashes)[TILE_HEIGHT][0] if len(hashes) == TILE_WIDTH else b"".join(hashes)
