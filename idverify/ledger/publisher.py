"""Publishing checkpoints: how a tree becomes a promise that cannot be taken back.

One cycle, in this order (each step is safe to crash after):

1. Read the committed state; the tree that was signed last must be a prefix of it.
2. Extend the tiles; their root must be the root of the sequencer's own frontier.
3. Commit the intent (size, root, new tiles). From here on no other root can ever be signed for this size.
4. Read the new tiles back, and prove the last signed root consistent with the new one, from those tiles.
5. Sign in the HSM; verify the signature with the public key everyone else uses.
6. Compare-and-swap the signed checkpoint, durably.
7. Only now show it: receipts, waiters, the web.

Anything that goes wrong empties the memory: the next cycle starts from what storage holds, never from what
was in mind.
"""

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

from idverify.ledger.checkpoint import Checkpoint, open_checkpoint
from idverify.ledger.errors import FencedError, ForkError, ProofError, SignatureError, StorageError
from idverify.ledger.merkle import EMPTY_ROOT, verify_consistency, verify_inclusion
from idverify.ledger.note import Ed25519Verifier, NoteSignature, write_note
from idverify.ledger.sequencer import TreeState
from idverify.ledger.storage import LedgerStorage
from idverify.ledger.tiles import TileTree

_READ: Final = 65_536
"""Leaf hashes asked for at once, 2 MiB."""


class CheckpointSigner(Protocol):
    """The log's Ed25519 key, wherever it is kept."""

    @property
    def name(self) -> str:
        """The key name in the note: the log's origin."""

    @property
    def public_key(self) -> bytes:
        """RFC 8032 public key, 32 bytes."""

    async def sign(self, message: bytes) -> bytes:
        """The RFC 8032 signature over `message`, 64 bytes."""


@dataclass(frozen=True, slots=True)
class _Published:
    tree: TileTree
    note: bytes | None

    @property
    def size(self) -> int:
        return self.tree.size


class Publisher:
    """Signs and remembers checkpoints of one log. At most one coroutine calls `publish_once` or `run`."""

    def __init__(
        self, storage: LedgerStorage, origin: str, signer: CheckpointSigner, *, seen: Checkpoint | None = None
    ) -> None:
        """Nothing is read or signed yet. `signer` must bear the name of the log.

        `seen` is the largest checkpoint of this log that anything outside the database remembers (the token, a
        witness): a database restored from before it is refused.
        """
        if strangers := {signer.name, seen.origin if seen else origin} - {origin}:
            raise SignatureError(f"expected key and remembered checkpoint of {origin}, got {', '.join(strangers)}")
        self._storage = storage
        self._origin = origin
        self._signer = signer
        self._verifier = Ed25519Verifier(signer.name, signer.public_key)
        self._lock = asyncio.Lock()
        self._published: _Published | None = None
        # The largest checkpoint ever seen signed. It outlives every reload, so that a database restored from a backup
        # under a running process is refused, too.
        self._seen = seen or Checkpoint(origin, 0, EMPTY_ROOT)
        self._advanced = asyncio.Event()

    async def publish_once(self) -> Checkpoint | None:
        """One cycle: the new checkpoint, or None when there is nothing new to sign.

        Raises `ForkError`: signing could show two logs. Raises `FencedError`: another publisher was faster;
        call again. Raises `StorageError`, `ProofError`, `SignatureError` or whatever storage and signer
        raise: nothing was shown.
        """
        async with self._lock:
            try:
                return await self._cycle(await self._current())
            except BaseException:
                self._published = None
                raise

    async def run(self, interval: float = 1.0) -> None:
        """Publish every `interval` seconds, as long as that works; raises what `publish_once` raises."""
        while True:
            await self.publish_once()
            await asyncio.sleep(interval)

    def covers(self, index: int) -> bool:
        """Whether a published checkpoint covers entry `index` already."""
        return self._published is not None and self._published.size > index

    async def wait_covered(self, index: int, timeout: float) -> None:  # noqa: ASYNC109 - the caller owes an answer
        """Wait until a published checkpoint covers entry `index`; `TimeoutError` after `timeout` seconds."""
        async with asyncio.timeout(timeout):
            while not self.covers(index):
                await self._advanced.wait()

    async def receipt_proof(self, index: int) -> tuple[list[bytes], bytes]:
        """The inclusion proof of entry `index` and the signed checkpoint it leads to: one snapshot, verified.

        Raises `ProofError`: no published checkpoint covers it yet, see `wait_covered`.
        Raises `StorageError`: its tiles are missing or were tampered with.
        """
        published = self._published
        if published is None:
            async with self._lock:
                published = await self._current()
        tree, note = published.tree, published.note
        if note is None or index >= tree.size:
            raise ProofError(f"expected an index below the published size {tree.size}, got {index}")
        hashes = await tree.inclusion_proof(index)
        verify_inclusion(index, tree.size, await tree.node(0, index), hashes, tree.root())
        return hashes, note

    async def _current(self) -> _Published:
        return self._published or await self._load()

    async def _load(self) -> _Published:
        note = await self._storage.latest_checkpoint()
        signed = Checkpoint(self._origin, 0, EMPTY_ROOT) if note is None else open_checkpoint(note, [self._verifier])
        tree = await TileTree.load(self._storage, signed.size, signed.root)
        await self._require_continuation(tree)
        return self._show(_Published(tree, note))

    async def _cycle(self, published: _Published) -> Checkpoint | None:
        # 1.
        state = await self._storage.tree_state()
        if state.size < published.size:
            raise ForkError(f"size {published.size} was signed, storage has {state.size}: restored from a backup?")
        if state.size == published.size:
            if state.root() != published.tree.root():
                raise ForkError(f"another root was signed for size {state.size}: run the ledger audit")
            return None
        # 2. to 4.
        tree = await self._intend(published.tree, state)
        await self._require_continuation(tree)
        # 5.
        checkpoint = Checkpoint(self._origin, state.size, state.root())
        note = await self._sign(checkpoint)
        # 6.
        previous_size = None if published.note is None else published.size
        if not await self._storage.advance_checkpoint(previous_size, checkpoint.size, checkpoint.root, note):
            raise FencedError(f"expected the latest checkpoint to be of size {previous_size}, another came first")
        # 7.
        self._show(_Published(tree, note))
        return checkpoint

    async def _intend(self, tree: TileTree, state: TreeState) -> TileTree:
        new = [
            leaf_hash
            for start in range(tree.size, state.size, _READ)
            for leaf_hash in await self._storage.leaf_hashes(start, min(start + _READ, state.size))
        ]
        tree, tiles = tree.extend(new)
        if (tree.size, tree.root()) != (state.size, state.root()):
            raise StorageError(f"stored leaf hashes do not lead to the root of the {state.size} entries sequenced")
        await self._storage.intend_checkpoint(tree.size, tree.root(), tiles)
        for (level, index), tile in tiles.items():
            if await self._storage.full_tile(level, index) != tile:
                raise StorageError(f"tile level {level}, index {index} does not read back as it was written")
        return tree

    async def _require_continuation(self, tree: TileTree) -> None:
        seen = self._seen
        if tree.size < seen.size:
            raise ForkError(f"size {seen.size} was signed, storage has {tree.size}: restored from a backup?")
        if seen.size:
            try:
                verify_consistency(
                    seen.size, tree.size, seen.root, tree.root(), await tree.consistency_proof(seen.size)
                )
            except ProofError as error:
                raise ForkError(f"the tree of size {tree.size} does not extend what was signed: {error}") from error

    async def _sign(self, checkpoint: Checkpoint) -> bytes:
        text = checkpoint.text()
        signature = NoteSignature(self._verifier.name, self._verifier.key_id, await self._signer.sign(text))
        note = write_note(text, [signature])
        if open_checkpoint(note, [self._verifier]) != checkpoint:
            raise SignatureError("the signed note does not read back as the checkpoint that was to be signed")
        return note

    def _show(self, published: _Published) -> _Published:
        self._published = published
        self._seen = Checkpoint(self._origin, published.size, published.tree.root())
        self._advanced.set()
        self._advanced = asyncio.Event()
        return published
