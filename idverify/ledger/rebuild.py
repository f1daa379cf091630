"""Making a ledger again from its published entries: every hash is computed, none is copied.

The bundles and a signed checkpoint are all a backup needs. What comes out is yielded piece by piece, for a directory,
an object store or a database to keep; the caller makes it visible only when the last piece came, since only then is it
known that the entries lead to the signed root.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from idverify.ledger.chain import Link, examine, follow
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.edge import TILE_WIDTH, RightEdge
from idverify.ledger.errors import ProofError
from idverify.ledger.file_tree import edge_tiles
from idverify.ledger.files import LogFiles, whole_entries
from idverify.ledger.merkle import leaf_hashes
from idverify.ledger.published import bundle_path
from idverify.ledger.sequencer import TreeState, encode_bundle, genesis
from idverify.ledger.tiles import Tile


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The next entries, what they hash to, and the tiles they filled: (level, index) -> 8192 bytes."""

    first: int
    entries: Sequence[bytes]
    leaf_hashes: Sequence[bytes]
    tiles: Mapping[tuple[int, int], bytes]


@dataclass(frozen=True, slots=True)
class RebuiltTree:
    """What all entries came to: the state that the next entry continues, and the right edge."""

    state: TreeState
    edge: RightEdge


class LedgerSink(Protocol):
    """What a rebuilt ledger is written to; an empty ledger that nobody reads before `finish`."""

    def add(self, rebuilt: Rebuilt) -> None:
        """Keep entries, leaf hashes and full tiles."""

    def finish(self, state: TreeState, checkpoint: Checkpoint, note: bytes) -> None:
        """Keep the state and the signed checkpoint it was held against, and make all of it visible, or nothing."""


def rebuild(files: LogFiles, checkpoint: Checkpoint) -> Iterator[Rebuilt | RebuiltTree]:
    """Make the ledger of `checkpoint`, which the caller verified, from the published entries; the tree comes last.

    Raises `ProofError`: the entries are not those that were signed; it names the first that cannot be told to be.
    Raises what `files` raises.
    """
    link = Link(0, genesis(checkpoint.origin).head, 0)
    edge = RightEdge()
    data = files.read_many(map(bundle_path, _leaf_tiles(checkpoint.size)))
    for tile in _leaf_tiles(checkpoint.size):
        entries = whole_entries(files, tile, next(data)) or []
        if len(entries) != tile.width:
            raise ProofError(f"entry {link.index + len(entries)}: {bundle_path(tile)} does not have it")
        computed = leaf_hashes(entries)
        first, link = link.index, _continued(link, entries, computed)
        edge, filled = edge.extend(computed)
        yield Rebuilt(first, entries, computed, filled)
    if edge.root() != checkpoint.root:
        raise ProofError(f"the entries lead to {edge.root().hex()}, but {checkpoint.root.hex()} was signed for them")
    yield RebuiltTree(TreeState(edge.size, tuple(edge.peaks()), link.prev, link.time), edge)


def static_files(rebuilt: Rebuilt | RebuiltTree) -> Iterator[tuple[str, bytes]]:
    """(path, content) of the files of a published tree that a rebuilt piece is."""
    if isinstance(rebuilt, RebuiltTree):
        for tile in edge_tiles(rebuilt.edge.size):
            yield tile.path(), b"".join(rebuilt.edge.levels[tile.level])
        return
    for (level, index), hashes in rebuilt.tiles.items():
        yield Tile(level, index).path(), hashes
    yield bundle_path(Tile(0, rebuilt.first // TILE_WIDTH, len(rebuilt.entries))), encode_bundle(rebuilt.entries)


def restore(files: LogFiles, note: bytes, checkpoint: Checkpoint, into: LedgerSink) -> Iterator[int]:
    """Rebuild a ledger into a database; yields how many entries are there. The caller opened `note` to `checkpoint`.

    A service may only sign again if nobody has seen a later one: the fork guard sees to that.

    Raises what `rebuild` raises.
    """
    for piece in rebuild(files, checkpoint):
        if isinstance(piece, RebuiltTree):
            into.finish(piece.state, checkpoint, note)
        else:
            into.add(piece)
            yield piece.first + len(piece.entries)


def _leaf_tiles(size: int) -> Iterator[Tile]:
    for index in range(-(-size // TILE_WIDTH)):
        yield Tile(0, index, min(TILE_WIDTH, size - index * TILE_WIDTH))


def _continued(link: Link, entries: Sequence[bytes], hashes: Sequence[bytes]) -> Link:
    if (followed := follow(link, entries, hashes)) is not None:
        return followed
    for entry, computed in zip(entries, hashes, strict=True):
        index = link.index
        link, broken = examine(link, entry, computed)
        if broken:
            rule, detail = broken[0]
            raise ProofError(f"entry {index}: {rule}: {detail}")
    return link
