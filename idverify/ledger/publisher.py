"""Publishing checkpoints: how a tree becomes a promise that cannot be taken back.

One cycle, in this order (each step is safe to crash after):

1. Take or keep the lease; whoever has none only shows what the holder signed.
2. Read the committed state; the tree that was signed last must be a prefix of it.
3. Extend the tiles; their root must be the root of the sequencer's own frontier.
4. Commit the intent (size, root, new tiles). From here on no other root can ever be signed for this size.
5. Read the new tiles back, and prove the last signed root consistent with the new one, from those tiles.
6. Remember it outside the database, where no restored backup can make us forget it: before any signature exists.
7. Sign with a key of each kind that the log has; verify the signatures with the public keys everyone else uses.
8. Compare-and-swap the signed checkpoint, durably.
9. Only now show it: waiters, the web.
10. Have witnesses cosign it, and keep what meets the policy: receipts rest on that. Where the policy asks for no
    witness, they rest on the log's own word.

Anything that goes wrong empties the memory: the next cycle starts from what storage holds, never from what
was in mind.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from idverify.ledger.checkpoint import Checkpoint, open_checkpoint
from idverify.ledger.errors import (
    FencedError,
    ForkError,
    ProofError,
    StorageError,
    UnreachableError,
)
from idverify.ledger.guard import Guard, compared, require_known
from idverify.ledger.log_signers import LogSigners
from idverify.ledger.merkle import EMPTY_ROOT, verify_consistency
from idverify.ledger.note import NoteSignature
from idverify.ledger.policy import Policy
from idverify.ledger.published import Snapshot, included
from idverify.ledger.screen import Head, Screen, Shown
from idverify.ledger.sequencer import TreeState
from idverify.ledger.storage import LedgerStorage
from idverify.ledger.tiles import TileTree
from idverify.ledger.witness_client import Comparison, Prove

LEASE_SECONDS: Final = 10
"""How long a publisher that went silent keeps others from taking over."""

_READ: Final = 65_536
"""Leaf hashes asked for at once, 2 MiB."""


class Witnesses(Protocol):
    """The witnesses of a policy, all asked at once and within a second."""

    @property
    def policy(self) -> Policy:
        """The log's keys, its witnesses, and which of them make up the quorum."""

    async def compare(self, note: bytes | None, prove: Prove | None = None) -> Sequence[Comparison]:
        """What each of them saw last of this log, held against its newest checkpoint (None: it has none)."""

    async def cosign(self, note: bytes, prove: Prove) -> Sequence[NoteSignature]:
        """What they sign of a checkpoint, verified; `prove` gives the consistency proof from an older size to it."""


class Publisher:
    """Signs and remembers checkpoints of one log. At most one coroutine calls `publish_once` or `run`.

    Several processes may each have one: whoever holds the lease signs, the others show what it signed.
    """

    def __init__(
        self,
        storage: LedgerStorage,
        origin: str,
        signers: LogSigners,
        *,
        now: Callable[[], int],
        holder: bytes,
        guard: Guard | None = None,
        previous: Checkpoint | None = None,
        witnesses: Witnesses | None = None,
    ) -> None:
        """Nothing is read or signed yet.

        `signers` bear the name of the log. `now` is the unix time. `holder` names this publisher among those that share
        the storage, and is the same after a restart, which so need not wait for its own lease to end. `guard` remembers
        outside the database what was signed last; a database restored from before that is refused. `previous` is the
        checkpoint of the shard before that this log names. Without `witnesses` the log's own signatures are enough.
        """
        signers.require_of(origin)
        self._storage = storage
        self._origin = origin
        self._signers = signers
        self._now = now
        self._holder = holder
        self._lease: tuple[int, int] | None = None  # epoch, unix time at which to renew it
        self._guard = guard
        self._previous = previous
        self._witnesses = witnesses
        self._lock = asyncio.Lock()
        self._screen = Screen()
        # The largest checkpoint that was, or may have been, signed. It outlives every reload, so that a database
        # restored from a backup under a running process is refused, too.
        self._seen = Checkpoint(origin, 0, EMPTY_ROOT)
        self._asked_guard = False
        self._compared = witnesses is None
        self._witnessed = 0

    async def publish_once(self) -> Checkpoint | None:
        """One cycle: the new checkpoint, or None when there is nothing new to sign or another process has the lease.

        Raises `ForkError`: signing could show two logs. Raises `FencedError`: another publisher was faster; call
        again. Raises `UnreachableError`: not enough witnesses said yet what they saw last. Raises `StorageError`,
        `ProofError`, `SignatureError` or whatever storage and signer raise: nothing was shown.
        """
        async with self._lock:
            try:
                return await self._cycle()
            except BaseException:
                self._screen.shown = self._lease = None
                self._asked_guard = False
                raise

    async def run(self, interval: float = 1.0) -> None:
        """Publish every `interval` seconds, as long as that works; raises what `publish_once` raises."""
        while True:
            await self.publish_once()
            await asyncio.sleep(interval)

    @property
    def has_asked(self) -> bool:
        """Whether the guard and, where there are witnesses, a quorum of them said what was signed last."""
        return self._compared and (self._guard is None or self._asked_guard)

    def covers(self, index: int) -> bool:
        """Whether a checkpoint that receipts rest on covers entry `index` already."""
        return self._screen.covers(index)

    async def wait_covered(self, index: int, timeout: float) -> None:  # noqa: ASYNC109 - the caller owes an answer
        """Wait until receipts of entry `index` can be had; `TimeoutError` after `timeout` seconds."""
        async with asyncio.timeout(timeout):
            await self._screen.covered(index)

    async def receipt_proof(self, index: int) -> tuple[list[bytes], bytes]:
        """The inclusion proof of entry `index` and the checkpoint it leads to: one snapshot, verified.

        The checkpoint meets the policy. Raises `ProofError`: none that does covers it yet, see `wait_covered`.
        Raises `StorageError`: its tiles are missing or were tampered with.
        """
        quorum = (await self._current_or_loaded()).quorum
        if quorum.note is None or index >= quorum.size:
            raise ProofError(f"expected an index below the published size {quorum.size}, got {index}")
        return await included(quorum.tree, index), quorum.note

    async def snapshot(self) -> Snapshot | None:
        """What the log shows now, None before the first checkpoint.

        Raises what `publish_once` raises where nothing is in memory and storage has to be read.
        """
        return (await self._current_or_loaded()).snapshot()

    async def _current_or_loaded(self) -> Shown:
        if self._screen.shown is not None:
            return self._screen.shown
        async with self._lock:
            return await self._current()

    async def _current(self) -> Shown:
        return self._screen.shown or await self._load()

    async def _load(self) -> Shown:
        await self._ask_guard()
        # In this order, since checkpoints only grow: so the latest is never behind.
        witnessed = None if self._witnesses is None else await self._storage.quorum_checkpoint()
        latest = await self._tree_of(await self._storage.latest_checkpoint())
        await self._require_continuation(latest.tree)
        quorum = await self._tree_of(witnessed)
        self._witnessed = quorum.size
        await self._remember(Checkpoint(self._origin, latest.size, latest.tree.root()))
        return self._show(Shown(latest, quorum if self._asks_witnesses or quorum.size == latest.size else latest))

    async def _tree_of(self, note: bytes | None) -> Head:
        empty = Checkpoint(self._origin, 0, EMPTY_ROOT)
        signed = empty if note is None else open_checkpoint(note, self._signers.foremost)
        return Head(await TileTree.load(self._storage, signed.size, signed.root), note)

    @property
    def _asks_witnesses(self) -> bool:
        return self._witnesses is not None and self._witnesses.policy.quorum is not None

    async def _ask_guard(self) -> None:
        """Before anything is signed: what does it remember, whom no restored backup can make forget?"""
        if self._guard is None or self._asked_guard:
            return
        remembered = await self._guard.read()
        if remembered is not None and require_known(remembered, self._origin, self._previous):
            self._seen = max(self._seen, remembered, key=lambda checkpoint: checkpoint.size)
        self._asked_guard = True

    async def _ask_witnesses(self, latest: Head) -> None:
        """Before anything is signed, and until enough of them have answered: what did witnesses see of this log?"""
        if self._witnesses is None or self._compared:
            return
        comparisons = await self._witnesses.compare(latest.note, _prover(latest.tree))
        try:
            answered = compared(comparisons, self._origin, latest.size)
        except ForkError:
            if await self._storage.latest_checkpoint() != latest.note:
                raise FencedError("another publisher signed while the witnesses were asked") from None
            raise
        self._compared = self._witnesses.policy.satisfied_by(answered)

    async def _cycle(self) -> Checkpoint | None:
        # 1.
        before = self._lease
        epoch = await self._epoch()
        if epoch is None:
            await self._follow()
            return None
        # Whoever takes over reads again: others have signed meanwhile, and witnesses have seen it.
        taken_over = before is None or before[0] != epoch or not self._compared
        shown = await (self._load() if taken_over else self._current())
        await self._ask_witnesses(shown.latest)
        # 2. to 9.
        checkpoint = await self._extend(epoch, shown.latest)
        # 10.
        await self._witness()
        return checkpoint

    async def _extend(self, epoch: int, published: Head) -> Checkpoint | None:
        # 2.
        state = await self._storage.tree_state()
        if state.size < published.size:
            raise ForkError(f"size {published.size} was signed, storage has {state.size}: restored from a backup?")
        if state.size == published.size:
            if state.root() != published.tree.root():
                raise ForkError(f"another root was signed for size {state.size}: run the ledger audit")
            return None
        if not self._compared:
            raise UnreachableError(f"expected a quorum of witnesses to say what it saw last of {self._origin} first")
        # 3. to 5.
        tree = await self._intend(epoch, published.tree, state)
        await self._require_continuation(tree)
        # 6.
        checkpoint = Checkpoint(self._origin, state.size, state.root())
        await self._remember(checkpoint)
        # 7.
        note = await self._signers.sign(checkpoint)
        # 8.
        previous_size = None if published.note is None else published.size
        if not await self._storage.advance_checkpoint(epoch, previous_size, checkpoint.size, checkpoint.root, note):
            raise FencedError(f"expected the latest checkpoint to be of size {previous_size}, another came first")
        # 9.
        latest = Head(tree, note)
        shown = self._screen.shown
        self._show(Shown(latest, shown.quorum if shown is not None and self._asks_witnesses else latest))
        return checkpoint

    async def _witness(self) -> None:
        shown, witnesses = self._screen.shown, self._witnesses
        if shown is None or witnesses is None or shown.latest.note is None or shown.latest.size == self._witnessed:
            return
        tree, note = shown.latest.tree, shown.latest.note
        lines = await witnesses.cosign(note, _prover(tree))
        cosigned = note + b"".join(line.line().encode() for line in lines)
        _, names = witnesses.policy.open(cosigned)
        if witnesses.policy.satisfied_by(names):
            await self._storage.keep_quorum_checkpoint(tree.size, cosigned)
            self._witnessed = tree.size
            self._show(Shown(shown.latest, Head(tree, cosigned)))

    async def _follow(self) -> None:
        """Show what the holder of the lease signed."""
        shown = self._screen.shown
        if shown is not None and await self._storage.latest_checkpoint() == shown.latest.note:
            witnessed = await self._storage.quorum_checkpoint() if self._asks_witnesses else shown.quorum.note
            if witnessed == shown.quorum.note:
                return
        await self._load()

    async def _remember(self, checkpoint: Checkpoint) -> None:
        """Before it is signed, and before one that is stored is shown: what could be forgotten could be forked."""
        if checkpoint.size > self._seen.size:
            if self._guard is not None:
                await self._guard.write(checkpoint)
            self._seen = checkpoint

    async def _epoch(self) -> int | None:
        """The epoch to publish under, renewed in time; None while another process has the lease."""
        now = self._now()
        if self._lease is None or now >= self._lease[1]:
            epoch = await self._storage.take_lease(self._holder, now, LEASE_SECONDS)
            self._lease = None if epoch is None else (epoch, now + LEASE_SECONDS // 2)
        return None if self._lease is None else self._lease[0]

    async def _intend(self, epoch: int, tree: TileTree, state: TreeState) -> TileTree:
        tree, tiles = tree.extend(await self._leaf_hashes(tree.size, state.size))
        if (tree.size, tree.root()) != (state.size, state.root()):
            raise StorageError(f"stored leaf hashes do not lead to the root of the {state.size} entries sequenced")
        await self._storage.intend_checkpoint(epoch, tree.size, tree.root(), tiles)
        # A standby that took over between our reading and the intent may lack entries that we read; the last leaf hash
        # stands for all of them, as each entry names the one before.
        if await self._storage.leaf_hashes(tree.size - 1, tree.size) != [state.head]:
            raise StorageError(f"the {tree.size} entries that were read are not those the intent is committed over")
        for (level, index), tile in tiles.items():
            if await self._storage.full_tile(level, index) != tile:
                raise StorageError(f"tile level {level}, index {index} does not read back as it was written")
        return tree

    async def _leaf_hashes(self, start: int, stop: int) -> list[bytes]:
        return [
            leaf_hash
            for at in range(start, stop, _READ)
            for leaf_hash in await self._storage.leaf_hashes(at, min(at + _READ, stop))
        ]

    async def _require_continuation(self, tree: TileTree) -> None:
        """The tree, and the entries behind it, lead through the largest one that was or may have been signed."""
        seen = self._seen
        if tree.size < seen.size:
            tree, _ = tree.extend(await self._leaf_hashes(tree.size, seen.size))
        if tree.size < seen.size:
            raise ForkError(f"size {seen.size} was signed, storage has {tree.size}: restored from a backup?")
        if tree.size == seen.size and tree.root() != seen.root:
            raise ForkError(f"the tree of size {tree.size} does not extend what was signed: another root")
        if tree.size > seen.size > 0:
            try:
                verify_consistency(
                    seen.size, tree.size, seen.root, tree.root(), await tree.consistency_proof(seen.size)
                )
            except ProofError as error:
                raise ForkError(f"the tree of size {tree.size} does not extend what was signed: {error}") from error

    def _show(self, shown: Shown) -> Shown:
        self._screen.show(shown)
        return shown


def _prover(tree: TileTree) -> Prove:
    async def prove(size: int) -> list[bytes]:
        return await tree.consistency_proof(size) if size else []

    return prove
