"""What a log shows: files under one prefix (c2sp.org/tlog-tiles@v1), rendered on demand from what storage holds.

```
checkpoint              the signed tree head of the largest size
checkpoint.quorum       the largest that meets the log's policy
log.json                whose log it is and which keys sign (`description`)
tile/<L>/<N>[.p/<W>]           hashes
tile/entries/<N>[.p/<W>]       entries, 256 to a bundle, however commits cut them in storage
```
Every file but the first three is a function of its path and of the tree: it is there from the checkpoint on that
covers it, and never changes. So partial tiles and bundles need no place to be kept, and each that any published
size ever needed is still there. Nothing that a checkpoint does not cover is shown, and nothing that does not lead
to its root: what caches keep for ever must be true.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

from idverify.ledger.checkpoint import open_checkpoint
from idverify.ledger.edge import TILE_HEIGHT, TILE_WIDTH
from idverify.ledger.errors import MalformedError, ProofError, StorageError
from idverify.ledger.merkle import leaf_hash, verify_inclusion
from idverify.ledger.note import NoteVerifier
from idverify.ledger.proof import TlogProof
from idverify.ledger.sequencer import encode_bundle
from idverify.ledger.storage import LedgerStorage
from idverify.ledger.tiles import Tile, TileTree

CHECKPOINT: Final = "checkpoint"
QUORUM: Final = "checkpoint.quorum"
DESCRIPTION: Final = "log.json"
HEADS: Final = (DESCRIPTION, QUORUM, CHECKPOINT)
"""The files that change, in the order in which they may be replaced where files are kept."""

ENTRIES: Final = "tile/entries/"
TEXT: Final = "text/plain; charset=utf-8"
BYTES: Final = "application/octet-stream"
JSON: Final = "application/json"
_LEVEL_0: Final = "tile/0/"
_LEVELS: Final = 8
"""Levels that a tree of fewer than 2^64 = 256^8 entries has tiles of."""


@dataclass(frozen=True, slots=True)
class SignedTree:
    """A tree and the note that signs its root."""

    tree: TileTree
    note: bytes

    @classmethod
    async def load(cls, storage: LedgerStorage, note: bytes, verifiers: Sequence[NoteVerifier]) -> Self:
        """The tree a stored checkpoint signs.

        Raises `MalformedError` or `SignatureError`: not a checkpoint of this log. Raises `StorageError`: what is
        stored does not lead to its root.
        """
        checkpoint = open_checkpoint(note, verifiers)
        return cls(await TileTree.load(storage, checkpoint.size, checkpoint.root), note)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a log shows at one moment: the latest checkpoint, and the latest that meets the policy, if one does.

    `quorum` is never ahead of `latest`, and a prefix of it.
    """

    latest: SignedTree
    quorum: SignedTree | None


@dataclass(frozen=True, slots=True)
class PublishedLog:
    """The files and proofs of one log. `snapshot` gives what its publisher shows now, None before the first checkpoint.

    Every method raises `StorageError` where what is stored does not lead to the signed root, and whatever storage
    and `snapshot` raise.
    """

    storage: LedgerStorage
    snapshot: Callable[[], Awaitable[Snapshot | None]]
    description: bytes

    async def read(self, path: str) -> bytes | None:
        """The file at `path`, None where there is none."""
        if path == DESCRIPTION:
            return self.description
        shown = await self.snapshot()
        if shown is None:
            return None
        if path == CHECKPOINT:
            return shown.latest.note
        if path == QUORUM:
            return None if shown.quorum is None else shown.quorum.note
        return await render(self.storage, shown.latest.tree, path)

    async def proof(self, index: int) -> TlogProof | None:
        """That entry `index` is in the tree of the latest checkpoint that meets the policy; without any opening.

        None where that checkpoint does not cover it (yet).
        """
        signed = await self.provable(index)
        if signed is None:
            return None
        return TlogProof(index, tuple(await included(signed.tree, index)), signed.note)

    async def provable(self, index: int) -> SignedTree | None:
        """The tree that proofs of entry `index` lead to; None where no checkpoint that meets the policy covers it."""
        shown = await self.snapshot()
        quorum = None if shown is None else shown.quorum
        return quorum if quorum is not None and 0 <= index < quorum.tree.size else None

    async def consistency(self, size1: int, size2: int) -> list[bytes]:
        """The proof that the log of `size1` entries is a prefix of that of `size2`, both at most the published size.

        From size 0 it is empty: every log extends the empty one (tlog-witness).

        Raises `ProofError`: not 0 <= `size1` <= `size2` <= the published size.
        """
        shown = await self.snapshot()
        size = 0 if shown is None else shown.latest.tree.size
        if shown is None or not 0 <= size1 <= size2 <= size:
            raise ProofError(f"expected 0 <= from <= to <= the published size {size}, got {size1} and {size2}")
        return await shown.latest.tree.consistency_proof(size1, size2) if size1 else []


async def included(tree: TileTree, index: int) -> list[bytes]:
    """The inclusion proof of entry `index`, verified before anyone gets it."""
    hashes = await tree.inclusion_proof(index)
    verify_inclusion(index, tree.size, await tree.node(0, index), hashes, tree.root())
    return hashes


async def render(storage: LedgerStorage, tree: TileTree, path: str) -> bytes | None:
    """The tile or bundle at `path`, None where this tree has none: another path, or beyond the size.

    Raises `StorageError`: what is stored does not lead to the root of the tree.
    """
    try:
        tile = parse_path(path)
    except MalformedError:
        return None
    hashes = await tree.hashes(tile)
    if hashes is None:
        return None
    if not path.startswith(ENTRIES):
        return b"".join(hashes)
    start = tile.index * TILE_WIDTH
    entries = await storage.entries(start, start + tile.width)
    if list(map(leaf_hash, entries)) != hashes:
        raise StorageError(f"{path}: stored entries do not lead to the signed root: run the ledger audit")
    return encode_bundle(entries)


def bundle_path(tile: Tile) -> str:
    """The path of the entries whose leaf hashes are `tile`, of level 0."""
    return ENTRIES + tile.path().removeprefix(_LEVEL_0)


def parse_path(path: str) -> Tile:
    """The tile that a path of a tile or bundle names; a bundle has the coordinates of the tile of its leaf hashes.

    Raises `MalformedError`: not exactly what `Tile.path` or `bundle_path` writes.
    """
    return Tile.parse(_LEVEL_0 + path.removeprefix(ENTRIES) if path.startswith(ENTRIES) else path)


def paths(size: int, since: int = 0) -> Iterator[str]:
    """Every tile and bundle that a reader of the checkpoint of `size` needs and one of that of `since` did not."""
    for level in range(_LEVELS):
        before, count = since >> TILE_HEIGHT * level, size >> TILE_HEIGHT * level
        if count == before:  # then no level above grew either
            return
        for index in range(before // TILE_WIDTH, -(-count // TILE_WIDTH)):
            yield from _files(Tile(level, index, min(TILE_WIDTH, count - index * TILE_WIDTH)))


def edge_paths(size: int) -> Iterator[str]:
    """The partial ones among the tiles and bundles that a reader of the checkpoint of `size` needs."""
    for level in range(_LEVELS):
        count = size >> TILE_HEIGHT * level
        if count % TILE_WIDTH:
            yield from _files(Tile(level, count // TILE_WIDTH, count % TILE_WIDTH))


def filled(since: int, size: int, largest: int) -> Iterator[str]:
    """The full tiles and bundles of `size` that were not yet full at `since` and had begun to fill at `largest`."""
    for level in range(_LEVELS):
        before, full, begun = (count >> TILE_HEIGHT * (level + 1) for count in (since, size, largest))
        for index in range(before, min(full, begun + 1)):
            yield from _files(Tile(level, index))


def media_type(path: str) -> str:
    """The media type of a published file (c2sp.org/tlog-tiles)."""
    return {CHECKPOINT: TEXT, QUORUM: TEXT, DESCRIPTION: JSON}.get(path, BYTES)


def _files(tile: Tile) -> Iterator[str]:
    yield tile.path()
    if tile.level == 0:
        yield bundle_path(tile)


class StoredSnapshots:
    """What storage holds, as a snapshot: of a log that no publisher of this process keeps, such as a closed shard.

    Trees are kept while their checkpoints stay the same.
    """

    def __init__(self, storage: LedgerStorage, verifiers: Sequence[NoteVerifier], *, witnessed: bool) -> None:
        """`verifiers` are the log's own keys. Unless `witnessed`, its policy asks for no witness."""
        self._storage = storage
        self._verifiers = tuple(verifiers)
        self._witnessed = witnessed
        self._kept: dict[bytes, SignedTree] = {}

    async def __call__(self) -> Snapshot | None:
        """The snapshot, None before the first checkpoint.

        Raises `MalformedError`, `SignatureError` or `StorageError`: what is stored is not this log.
        """
        # In this order, since checkpoints only grow: so the latest is never behind.
        met = await self._storage.quorum_checkpoint() if self._witnessed else None
        latest = await self._storage.latest_checkpoint()
        if latest is None:
            return None
        self._kept = {note: await self._tree(note) for note in (latest, met) if note is not None}
        quorum = met if self._witnessed else latest
        return Snapshot(self._kept[latest], None if quorum is None else self._kept[quorum])

    async def _tree(self, note: bytes) -> SignedTree:
        return self._kept.get(note) or await SignedTree.load(self._storage, note, self._verifiers)
