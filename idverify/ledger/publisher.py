"""Publishing checkpoints: how a tree becomes a promise that cannot be taken back.

One cycle, in this order (each step is safe to crash after):

1. Take or keep the lease; whoever has none only shows what the holder signed.
2. Read the committed state; the tree that was signed last must be a prefix of it.
3. Extend the tiles; their root must be the root of the sequencer's own frontier.
4. Commit the intent (size, root, new tiles). From here on no other root can ever be signed for this size.
5. Read the new tiles back, and prove the last signed root consistent with the new one, from those tiles.
6. Sign with every key of the log; verify the signatures with the public keys everyone else uses.
7. Compare-and-swap the signed checkpoint, durably.
8. Remember it outside the database, where no restored backup can make us forget it.
9. Only now show it: receipts, waiters, the web.

Anything that goes wrong empties the memory: the next cycle starts from what storage holds, never from what
was in mind.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from idverify.ledger.checkpoint import Checkpoint, open_checkpoint
from idverify.ledger.errors import FencedError, ForkError, ProofError, SignatureError, StorageError
from idverify.ledger.guard import Guard, require_known
from idverify.ledger.merkle import EMPTY_ROOT, verify_consistency, verify_inclusion
from idverify.ledger.note import NoteSignature, NoteVerifier, open_note, write_note
from idverify.ledger.published import SignedTree, Snapshot
from idverify.ledger.sequencer import TreeState
from idverify.ledger.storage import LedgerStorage
from idverify.ledger.tiles import TileTree

LEASE_SECONDS: Final = 10
"""How long a publisher that went silent keeps others from taking over."""

_READ: Final = 65_536
"""Leaf hashes asked for at once, 2 MiB."""


class CheckpointSigner(Protocol):
    """One of the log's keys, wherever it is kept."""

    @property
    def verifier(self) -> NoteVerifier:
        """What everyone else checks its signatures with; its name is the log's origin."""

    async def sign(self, checkpoint: Checkpoint) -> bytes:
        """What follows the key id in its signature line."""


@dataclass(frozen=True, slots=True)
class _Published:
    tree: TileTree
    note: bytes | None

    @property
    def size(self) -> int:
        return self.tree.size


class Publisher:
    """Signs and remembers checkpoints of one log. At most one coroutine calls `publish_once` or `run`.

    Several processes may each have one: whoever holds the lease signs, the others show what it signed.
    """

    def __init__(
        self,
        storage: LedgerStorage,
        origin: str,
        signers: Sequence[CheckpointSigner],
        *,
        now: Callable[[], int],
        holder: bytes,
        guard: Guard | None = None,
        previous: Checkpoint | None = None,
    ) -> None:
        """Nothing is read or signed yet.

        `signers` bear the name of the log; every one signs each checkpoint, and the first one has signed all that
        storage holds. `now` is the unix time. `holder` names this publisher among those that share the storage, and
        is the same after a restart, which so need not wait for its own lease to end. `guard` remembers outside the
        database what was signed last; a database restored from before that is refused. `previous` is the checkpoint
        of the shard before that this log names.
        """
        if {signer.verifier.name for signer in signers} != {origin}:
            names = ", ".join(signer.verifier.name for signer in signers) or "none"
            raise SignatureError(f"expected keys of {origin} alone, got {names}")
        self._storage = storage
        self._origin = origin
        self._signers = tuple(signers)
        self._verifier = signers[0].verifier
        self._now = now
        self._guard = guard
        self._previous = previous
        self._holder = holder
        self._lease: tuple[int, int] | None = None  # epoch, unix time at which to renew it
        self._lock = asyncio.Lock()
        self._published: _Published | None = None
        # The largest checkpoint ever seen signed. It outlives every reload, so that a database restored from a backup
        # under a running process is refused, too.
        self._seen = Checkpoint(origin, 0, EMPTY_ROOT)
        self._asked_outside = False
        self._advanced = asyncio.Event()

    async def publish_once(self) -> Checkpoint | None:
        """One cycle: the new checkpoint, or None when there is nothing new to sign or another process has the lease.

        Raises `ForkError`: signing could show two logs. Raises `FencedError`: another publisher was faster;
        call again. Raises `StorageError`, `ProofError`, `SignatureError` or whatever storage and signer
        raise: nothing was shown.
        """
        async with self._lock:
            try:
                return await self._cycle()
            except BaseException:
                self._published = self._lease = None
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
        published = await self._shown()
        tree, note = published.tree, published.note
        if note is None or index >= tree.size:
            raise ProofError(f"expected an index below the published size {tree.size}, got {index}")
        hashes = await tree.inclusion_proof(index)
        verify_inclusion(index, tree.size, await tree.node(0, index), hashes, tree.root())
        return hashes, note

    async def snapshot(self) -> Snapshot | None:
        """What the log shows now, None before the first checkpoint.

        Raises what `publish_once` raises where nothing is in memory and storage has to be read.
        """
        published = await self._shown()
        if published.note is None:
            return None
        signed = SignedTree(published.tree, published.note)
        return Snapshot(latest=signed, quorum=signed)

    async def _shown(self) -> _Published:
        if self._published is not None:
            return self._published
        async with self._lock:
            return await self._current()

    async def _current(self) -> _Published:
        return self._published or await self._load()

    async def _load(self) -> _Published:
        await self._ask_outside()
        note = await self._storage.latest_checkpoint()
        signed = Checkpoint(self._origin, 0, EMPTY_ROOT) if note is None else open_checkpoint(note, [self._verifier])
        tree = await TileTree.load(self._storage, signed.size, signed.root)
        await self._require_continuation(tree)
        return self._show(_Published(tree, note))

    async def _ask_outside(self) -> None:
        """Before anything is signed: what do those remember whom no restored backup can make forget?"""
        if self._guard is None or self._asked_outside:
            return
        remembered = await self._guard.read()
        if remembered is not None and require_known(remembered, self._origin, self._previous):
            self._seen = max(self._seen, remembered, key=lambda checkpoint: checkpoint.size)
        self._asked_outside = True

    async def _cycle(self) -> Checkpoint | None:
        # 1.
        epoch = await self._epoch()
        if epoch is None:
            if self._published is None or await self._storage.latest_checkpoint() != self._published.note:
                await self._load()
            return None
        published = await self._current()
        # 2.
        state = await self._storage.tree_state()
        if state.size < published.size:
            raise ForkError(f"size {published.size} was signed, storage has {state.size}: restored from a backup?")
        if state.size == published.size:
            if state.root() != published.tree.root():
                raise ForkError(f"another root was signed for size {state.size}: run the ledger audit")
            return None
        # 3. to 5.
        tree = await self._intend(epoch, published.tree, state)
        await self._require_continuation(tree)
        # 6.
        checkpoint = Checkpoint(self._origin, state.size, state.root())
        note = await self._sign(checkpoint)
        # 7.
        previous_size = None if published.note is None else published.size
        if not await self._storage.advance_checkpoint(epoch, previous_size, checkpoint.size, checkpoint.root, note):
            raise FencedError(f"expected the latest checkpoint to be of size {previous_size}, another came first")
        # 8.
        if self._guard is not None:
            await self._guard.write(checkpoint)
        # 9.
        self._show(_Published(tree, note))
        return checkpoint

    async def _epoch(self) -> int | None:
        """The epoch to publish under, renewed in time; None while another process has the lease."""
        now = self._now()
        if self._lease is None or now >= self._lease[1]:
            epoch = await self._storage.take_lease(self._holder, now, LEASE_SECONDS)
            self._lease = None if epoch is None else (epoch, now + LEASE_SECONDS // 2)
        return None if self._lease is None else self._lease[0]

    async def _intend(self, epoch: int, tree: TileTree, state: TreeState) -> TileTree:
        new = [
            leaf_hash
            for start in range(tree.size, state.size, _READ)
            for leaf_hash in await self._storage.leaf_hashes(start, min(start + _READ, state.size))
        ]
        tree, tiles = tree.extend(new)
        if (tree.size, tree.root()) != (state.size, state.root()):
            raise StorageError(f"stored leaf hashes do not lead to the root of the {state.size} entries sequenced")
        await self._storage.intend_checkpoint(epoch, tree.size, tree.root(), tiles)
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
        text, verifiers = checkpoint.text(), [signer.verifier for signer in self._signers]
        signatures = [
            NoteSignature(signer.verifier.name, signer.verifier.key_id, await signer.sign(checkpoint))
            for signer in self._signers
        ]
        note = write_note(text, signatures)
        opened = open_note(note, verifiers)
        if Checkpoint.parse(opened.text) != checkpoint or len(opened.verified) != len(verifiers):
            raise SignatureError("the signed note does not read back as the checkpoint that was to be signed")
        return note

    def _show(self, published: _Published) -> _Published:
        self._published = published
        self._seen = Checkpoint(self._origin, published.size, published.tree.root())
        self._advanced.set()
        self._advanced = asyncio.Event()
        return published
