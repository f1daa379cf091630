"""Exporting: whatever happens between two calls, whoever reads finds a whole log, and it never goes back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.edge import RightEdge
from idverify.ledger.errors import FencedError, ForkError, MalformedError, SignatureError, StorageError
from idverify.ledger.export import Exported, Exporter
from idverify.ledger.published import PublishedLog, SignedTree, Snapshot, paths, render
from idverify.ledger.tiles import TileTree
from tests.simulators.ledger_memory import Crash, LedgerMemory, SoftwareSigner
from tests.simulators.log_sink import SinkMemory, require_readable

SIGNER = SoftwareSigner()
VERIFIERS = [SIGNER.verifier]
STEPS = [(1, 1), (200, 1), (255, 200), (256, 255), (300, 256), (300, 300), (600, 300), (601, 601)]
"""Sizes of the checkpoint, and of the one that meets the policy."""


@pytest.fixture(scope="module")
def memory() -> LedgerMemory:
    """A log of 1000 entries with its full tiles."""
    log = LedgerMemory()
    log.append(1000)
    log.tiles = dict(RightEdge().extend(log.leaves)[1])
    return log


def root(memory: LedgerMemory, size: int) -> bytes:
    return RightEdge().extend(memory.leaves[:size])[0].root()


async def signed(memory: LedgerMemory, size: int, signer: SoftwareSigner = SIGNER) -> SignedTree:
    head = Checkpoint(signer.name, size, root(memory, size))
    return SignedTree(await TileTree.load(memory, size, head.root), signer.note(head))


def showing(snapshot: Snapshot | None) -> Callable[[], Awaitable[Snapshot | None]]:
    async def show() -> Snapshot | None:
        return snapshot

    return show


async def log(memory: LedgerMemory, size: int, quorum: int | None = None) -> PublishedLog:
    """The log at a moment."""
    met = None if quorum is None else await signed(memory, quorum)
    return PublishedLog(memory, showing(Snapshot(await signed(memory, size), met)), b"{}")


async def exported(memory: LedgerMemory, sink: SinkMemory, size: int, quorum: int | None = None) -> Exported | None:
    return await Exporter(await log(memory, size, quorum), VERIFIERS, sink).export()


async def test_what_is_written_is_what_is_shown(memory: LedgerMemory) -> None:
    """Every file that the size needs, with the bytes that a running service shows, and nothing else."""
    sink = SinkMemory()
    done = await exported(memory, sink, 600, 600)
    shown = await log(memory, 600, 600)

    assert sink.files.keys() == {*paths(600), "checkpoint", "checkpoint.quorum", "log.json"}
    assert {path: await shown.read(path) for path in sink.files} == sink.files
    assert done == Exported(600, 600, len(sink.files))


async def test_a_step_writes_what_is_new_and_lets_go_of_what_nobody_needs(memory: LedgerMemory) -> None:
    """Full tiles stay, partial ones go when both checkpoints cover the full one, and the log is whole all the time."""
    sink = SinkMemory()
    for size, quorum in STEPS:
        before = set(sink.files)
        done = await exported(memory, sink, size, quorum)
        partial = {path.partition(".p/")[0] for path in sink.files if ".p/" in path}
        full = {path for path in paths(min(size, quorum)) if ".p/" not in path}

        assert done is not None
        assert done.written >= len(set(sink.files) - before)
        assert require_readable(sink.files, VERIFIERS) == size
        assert not partial & full


@pytest.mark.parametrize("takes_effect", [True, False], ids=["after", "before"])
@pytest.mark.parametrize(("size", "quorum"), STEPS)
async def test_a_crash_at_any_call_leaves_a_whole_log(
    memory: LedgerMemory,
    size: int,
    quorum: int,
    takes_effect: bool,  # noqa: FBT001 - parametrized
) -> None:
    """From an earlier state, the writer stops at each call: readers never notice, and the next one goes on."""
    earlier = SinkMemory()
    await exported(memory, earlier, 150, 150)
    start = 150 if size >= 150 else 0
    whole = SinkMemory(dict(earlier.files) if start else {})
    await exported(memory, whole, max(size, start), max(quorum, start))
    for crash_at in range(whole.calls):
        sink = SinkMemory(dict(earlier.files) if start else {}, crash_at=crash_at, takes_effect=takes_effect)
        with pytest.raises(Crash):
            await exported(memory, sink, max(size, start), max(quorum, start))
        assert "checkpoint" not in sink.files or require_readable(sink.files, VERIFIERS) >= start
        sink.crash_at = None
        await exported(memory, sink, max(size, start), max(quorum, start))

        assert require_readable(sink.files, VERIFIERS) == max(size, start)
        assert whole.files.items() <= sink.files.items()


async def test_it_never_goes_back(memory: LedgerMemory) -> None:
    """A smaller log, as from a restored backup, changes nothing."""
    sink = SinkMemory()
    await exported(memory, sink, 300, 280)
    before = dict(sink.files)
    for size, quorum in ((299, 280), (300, 279), (1, 1)):
        with pytest.raises(ForkError, match="restored from a backup"):
            await exported(memory, sink, size, quorum)

    assert sink.files == before


async def test_another_history_changes_nothing(memory: LedgerMemory) -> None:
    """A log that was forked, or grew again after a restore, is refused before a file is written."""
    sink, fork = SinkMemory(), LedgerMemory()
    await exported(memory, sink, 300, 300)
    before = dict(sink.files)
    fork.append(299)
    fork.append(300, now=1_900_000_000)
    fork.tiles = dict(RightEdge().extend(fork.leaves)[1])
    with pytest.raises(ForkError, match="does not extend"):
        await exported(fork, sink, 400, 400)

    assert sink.files == before


async def test_another_log_changes_nothing(memory: LedgerMemory) -> None:
    """A place where another log is published, or something that is no checkpoint, is left alone."""
    stranger = SoftwareSigner("log.example/2", bytes(31) + b"\x01")
    note = (await signed(memory, 5, stranger)).note
    for content, error in ((note, SignatureError), (b"<html>", MalformedError), (b"", MalformedError)):
        sink = SinkMemory({"checkpoint": content})
        with pytest.raises(error):
            await exported(memory, sink, 300, 300)
        assert sink.files == {"checkpoint": content}


async def test_other_bytes_under_the_name_of_a_file_stop_it(memory: LedgerMemory) -> None:
    """A tile or bundle that is there already and differs is an error, and no checkpoint follows."""
    for path in paths(300):
        sink = SinkMemory({path: b"other"})
        with pytest.raises(ForkError):
            await exported(memory, sink, 300, 300)
        assert "checkpoint" not in sink.files
        assert sink.files[path] == b"other"


async def test_what_went_missing_is_found_by_comparing_everything(memory: LedgerMemory) -> None:
    """Below the checkpoint that is there nothing is looked at, unless one asks for it."""
    sink = SinkMemory()
    await exported(memory, sink, 300, 300)
    whole = dict(sink.files)
    del sink.files["tile/entries/000"]
    exporter = Exporter(await log(memory, 300, 300), VERIFIERS, sink)

    assert await exporter.export() == Exported(300, 300, 0)
    assert await exporter.export() is None
    assert await exporter.export(everything=True) == Exported(300, 300, 1)
    assert sink.files == whole
    sink.files["tile/0/000"] = bytes(8192)
    with pytest.raises(ForkError):
        await exporter.export(everything=True)


async def test_a_faster_writer_is_noticed(memory: LedgerMemory) -> None:
    """Whoever moved the checkpoint meanwhile is not overwritten."""
    sink = SinkMemory()
    await exported(memory, sink, 200, 200)
    ahead = SinkMemory()
    await exported(memory, ahead, 300, 300)

    class Overtaken(SinkMemory):
        async def add(self, path: str, content: bytes) -> bool:
            self.files |= {"checkpoint": ahead.files["checkpoint"]}
            return await super().add(path, content)

    overtaken = Overtaken(sink.files)
    with pytest.raises(FencedError):
        await exported(memory, overtaken, 250, 250)
    assert overtaken.files["checkpoint"] == ahead.files["checkpoint"]


async def test_nothing_is_exported_of_an_empty_log(memory: LedgerMemory) -> None:
    """Before the first checkpoint there is nothing to show, not even whose log it is."""
    sink = SinkMemory()

    assert await Exporter(PublishedLog(memory, showing(None), b"{}"), VERIFIERS, sink).export() is None
    assert (sink.files, sink.calls) == ({}, 0)


async def test_without_a_quorum_there_is_no_such_file(memory: LedgerMemory) -> None:
    """A log whose witnesses have not answered yet is exported without `checkpoint.quorum`."""
    sink = SinkMemory()

    assert await exported(memory, sink, 300) == Exported(300, None, len(sink.files))
    assert "checkpoint.quorum" not in sink.files
    assert "checkpoint" in sink.files


async def test_what_cannot_be_proven_is_not_exported(memory: LedgerMemory) -> None:
    """Damaged storage stops the export before any checkpoint."""
    damaged = LedgerMemory(log=[*memory.log[:7], b"damaged", *memory.log[8:]], leaves=memory.leaves, tiles=memory.tiles)
    sink = SinkMemory()
    with pytest.raises(StorageError):
        await exported(damaged, sink, 300, 300)

    assert "checkpoint" not in sink.files


async def test_progress_is_told(memory: LedgerMemory) -> None:
    """Whoever waits is told how many files were looked after."""
    told: list[int] = []
    exporter = Exporter(await log(memory, 1000, 1000), VERIFIERS, SinkMemory(), progress=told.append)
    await exporter.export()

    assert told == sorted(told)
    assert told[-1] >= len(list(paths(1000)))


async def test_every_file_is_the_one_of_its_path(memory: LedgerMemory) -> None:
    """What an earlier step wrote is what a later one would write: files never change."""
    sink = SinkMemory()
    await exported(memory, sink, 300, 300)
    later = (await signed(memory, 1000)).tree

    for path, content in sink.files.items():
        if path.startswith("tile/"):
            assert await render(memory, later, path) == content
