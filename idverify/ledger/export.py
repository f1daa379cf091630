"""The published files written elsewhere, so that anything that serves files serves the log.

A reader may come at any moment, and the writer may stop at any moment. So files are written before the checkpoint
that covers them, each once, and what is there already must be the same bytes; checkpoints come last and only move
forward. Where another log, another history or another writer is found, nothing that a reader relies on is changed.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final, Protocol

from idverify.ledger.checkpoint import Checkpoint, open_checkpoint
from idverify.ledger.errors import FencedError, ForkError, ProofError, StorageError
from idverify.ledger.merkle import verify_consistency
from idverify.ledger.note import NoteVerifier
from idverify.ledger.published import (
    CHECKPOINT,
    DESCRIPTION,
    HEADS,
    QUORUM,
    PublishedLog,
    SignedTree,
    Snapshot,
    edge_paths,
    filled,
    paths,
    render,
)
from idverify.ledger.tiles import TileTree

_TOGETHER: Final = 16
"""Files written at once: an object store answers each after milliseconds."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file as a sink has it; `version` is the sink's own word for this very state of it."""

    content: bytes
    version: str


class LogSink(Protocol):
    """Where files are kept to be served. Whatever a method writes is durable before it returns.

    Several writers may use one place: `add` and `replace` see what others did, whenever they did it.
    """

    async def read(self, path: str) -> Stored | None:
        """The file at `path`, None where there is none."""

    async def add(self, path: str, content: bytes) -> bool:
        """Write a file that never changes; whether it was not there yet.

        Raises `ForkError`: it is there with other bytes.
        """

    async def replace(self, path: str, content: bytes, seen: Stored | None) -> bool:
        """Compare and swap: write the file if it still is what was `seen` (None: not there). False: it is not."""

    async def drop(self, folder: str) -> None:
        """Delete every file whose path begins with `folder` and a slash; also if there is none."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What a sink shows now: sizes of both checkpoints (`quorum_size` None: none yet), and files newly written."""

    size: int
    quorum_size: int | None
    written: int


class Exporter:
    """Keeps a sink at what a log shows. One coroutine at a time calls `export`."""

    def __init__(
        self,
        log: PublishedLog,
        verifiers: Sequence[NoteVerifier],
        sink: LogSink,
        *,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`verifiers` are the log's own keys. `progress` is told the number of files looked after so far."""
        self._log = log
        self._verifiers = tuple(verifiers)
        self._sink = sink
        self._progress = progress
        self._done: Mapping[str, bytes] = {}

    async def export(self, *, everything: bool = False) -> Exported | None:
        """Write what the sink lacks; None where the log shows nothing that was not exported by this object before.

        With `everything`, files below the sink's own checkpoint are compared as well, and written where they are
        missing.

        Raises `ForkError`: the sink has other bytes, another history or a larger size. Raises `FencedError`: another
        writer was faster; call again. Raises `SignatureError` or `MalformedError`: its checkpoint is not of this log.
        Raises `StorageError`: ours cannot be shown. Raises whatever storage and sink raise.
        """
        shown = await self._log.snapshot()
        if shown is None:
            return None
        heads = self._heads(shown)
        if heads == self._done and not everything:
            return None
        there = {path: await self._sink.read(path) for path in HEADS}
        latest, met = self._read(there[CHECKPOINT]), self._read(there[QUORUM])
        await _require_forward(shown.latest, latest)
        await _require_forward(shown.quorum or shown.latest, met)
        written = await self._add_all(shown, 0 if everything or latest is None else latest.size)
        for path in HEADS:
            written += await self._advance(path, heads.get(path), there[path])
        if latest is not None:
            await self._drop_partials(latest, met, shown)
        self._done = heads
        return Exported(shown.latest.tree.size, None if shown.quorum is None else shown.quorum.tree.size, written)

    def _heads(self, shown: Snapshot) -> Mapping[str, bytes]:
        quorum = {} if shown.quorum is None else {QUORUM: shown.quorum.note}
        return {DESCRIPTION: self._log.description, **quorum, CHECKPOINT: shown.latest.note}

    def _read(self, stored: Stored | None) -> Checkpoint | None:
        return None if stored is None else open_checkpoint(stored.content, self._verifiers)

    async def _add_all(self, shown: Snapshot, since: int) -> int:
        tree, quorum, written = shown.latest.tree, shown.quorum, 0
        wanted = chain(paths(tree.size, since), () if quorum is None else edge_paths(quorum.tree.size))
        for number, group in enumerate(_groups(wanted)):
            outcomes = await asyncio.gather(*(self._add(tree, path) for path in group), return_exceptions=True)
            for outcome in outcomes:  # only now, when nothing is under way any more
                if isinstance(outcome, BaseException):
                    raise outcome
                written += outcome
            self._progress(number * _TOGETHER + len(group))
        return written

    async def _add(self, tree: TileTree, path: str) -> bool:
        content = await render(self._log.storage, tree, path)
        if content is None:
            raise StorageError(f"{path}: expected a file of a tree of {tree.size} entries, got none")
        return await self._sink.add(path, content)

    async def _advance(self, path: str, content: bytes | None, there: Stored | None) -> bool:
        if content is None or (there is not None and there.content == content):
            return False
        if not await self._sink.replace(path, content, there):
            raise FencedError(f"{path}: another writer was faster")
        return True

    async def _drop_partials(self, latest: Checkpoint, met: Checkpoint | None, shown: Snapshot) -> None:
        """Let go of the partial tiles that neither checkpoint needs any more, as both cover the full one.

        Any checkpoint written here before was of `latest.size` at most, so only tiles up to there ever had some.
        """
        before = latest.size if met is None else met.size
        now = shown.latest.tree.size if shown.quorum is None else shown.quorum.tree.size
        for path in filled(before, now, latest.size):
            await self._sink.drop(f"{path}.p")


async def _require_forward(signed: SignedTree, there: Checkpoint | None) -> None:
    """What is there must be a prefix of what is going to be written."""
    if there is None or not there.size:
        return
    tree = signed.tree
    if there.size > tree.size:
        raise ForkError(f"size {there.size} is published there, here it is {tree.size}: restored from a backup?")
    try:
        proof = await tree.consistency_proof(there.size)
        verify_consistency(there.size, tree.size, there.root, tree.root(), proof)
    except ProofError as error:
        raise ForkError(f"the tree of size {tree.size} does not extend what is published there: {error}") from error


def _groups(wanted: Iterable[str]) -> Iterator[list[str]]:
    """In groups that are written at once, no path twice in one."""
    iterator = iter(wanted)
    while group := list(dict.fromkeys(islice(iterator, _TOGETHER))):
        yield group
