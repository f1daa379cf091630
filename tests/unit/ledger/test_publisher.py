"""Publishing: a crash at any step, a rolled-back database or a second publisher never yields two roots for one size."""

import asyncio
import copy

import pytest

from idverify.ledger import (
    Checkpoint,
    FencedError,
    ForkError,
    ProofError,
    Publisher,
    SignatureError,
    StorageError,
    open_checkpoint,
)
from idverify.ledger.errors import MalformedError
from idverify.ledger.merkle import verify_inclusion
from tests.simulators.ledger_memory import ORIGIN, Crash, FaultyStorage, LedgerMemory, SoftwareSigner

CALLS = 6
"""Storage calls of a first cycle over 300 entries: checkpoint, state, leaf hashes, intent, tile, advance."""


def log(size: int) -> LedgerMemory:
    memory = LedgerMemory()
    memory.append(size)
    return memory


def assert_no_fork(signer: SoftwareSigner) -> None:
    """One root for each size, whatever left the signer."""
    assert len(set(signer.signed)) == len({checkpoint.size for checkpoint in signer.signed})


async def test_an_empty_log_is_not_signed() -> None:
    """There is nothing to promise yet."""
    assert await Publisher(LedgerMemory(), ORIGIN, SoftwareSigner()).publish_once() is None


async def test_a_checkpoint_is_signed_when_the_size_changed_and_only_then() -> None:
    """Each cycle signs the tree as it is, once, with the key everyone checks with."""
    memory, signer = log(1), SoftwareSigner()
    publisher = Publisher(memory, ORIGIN, signer)
    for count in (0, 0, 299, 1, 0, 400):
        memory.append(count)
        checkpoint = await publisher.publish_once()
        note = await memory.latest_checkpoint()
        assert note is not None
        latest = open_checkpoint(note, [signer.verifier])
        assert checkpoint in {latest, None}
        assert (latest.size, latest.root) == (memory.state.size, memory.state.root())

    assert [checkpoint.size for checkpoint in signer.signed] == [1, 300, 301, 701]


async def test_nothing_is_signed_before_its_intent_is_durable_nor_shown_before_it_is_stored() -> None:
    """Intent, signature, compare-and-swap: a signer that looks around sees exactly that order."""
    memory = log(3)

    class Witness(SoftwareSigner):
        async def sign(self, message: bytes) -> bytes:
            assert memory.intents == {3: memory.state.root()}
            assert not memory.notes
            with pytest.raises(TimeoutError):
                await publisher.wait_covered(2, 0)
            return await super().sign(message)

    publisher = Publisher(memory, ORIGIN, Witness())
    assert await publisher.publish_once()
    await publisher.wait_covered(2, 0)


@pytest.mark.parametrize("restarted", [True, False], ids=["restarted", "same process"])
@pytest.mark.parametrize("takes_effect", [True, False], ids=["after", "before"])
@pytest.mark.parametrize("at", range(CALLS))
@pytest.mark.parametrize("grows", [0, 1, 300])
async def test_a_crash_at_any_step_never_forks(at: int, takes_effect: bool, grows: int, restarted: bool) -> None:  # noqa: FBT001 - parametrized
    """Crash at every storage call, let the log grow or not, go on: one root per size, and the log is covered."""
    memory, signer = log(300), SoftwareSigner()
    faulty = FaultyStorage(memory, at, takes_effect=takes_effect)
    publisher = Publisher(faulty, ORIGIN, signer)
    with pytest.raises(Crash):
        await publisher.publish_once()
    memory.append(grows)
    if restarted:
        publisher = Publisher(memory, ORIGIN, signer)
    await publisher.publish_once()

    hashes, note = await publisher.receipt_proof(memory.state.size - 1)
    latest = open_checkpoint(note, [signer.verifier])
    assert_no_fork(signer)
    assert (latest.size, latest.root) == (memory.state.size, memory.state.root())
    verify_inclusion(latest.size - 1, latest.size, memory.leaves[-1], hashes, latest.root)


async def test_the_crashes_above_reach_every_call() -> None:
    """One cycle makes as many storage calls as are made to crash."""
    faulty = FaultyStorage(log(300), -1, takes_effect=False)
    await Publisher(faulty, ORIGIN, SoftwareSigner()).publish_once()

    assert faulty.calls == CALLS


async def test_a_failing_signer_is_survived() -> None:
    """The token is gone for one cycle: nothing is shown, and the next cycle signs the same root."""
    memory = log(2)

    class Vanishing(SoftwareSigner):
        async def sign(self, message: bytes) -> bytes:
            signature = await super().sign(message)
            if len(self.signed) == 1:
                raise ConnectionError("token removed")
            return signature

    signer = Vanishing()
    publisher = Publisher(memory, ORIGIN, signer)
    with pytest.raises(ConnectionError):
        await publisher.publish_once()
    assert not memory.notes
    assert await publisher.publish_once()
    assert_no_fork(signer)


async def test_a_wrong_signature_is_not_stored() -> None:
    """A token that signs with another key, or signs garbage, is found out before anyone sees it."""

    class Faulty(SoftwareSigner):
        async def sign(self, message: bytes) -> bytes:
            assert message
            return bytes(64)

    memory = log(2)
    with pytest.raises(SignatureError, match="does not verify"):
        await Publisher(memory, ORIGIN, Faulty()).publish_once()
    assert not memory.notes


async def test_a_restored_backup_is_refused_by_the_running_process() -> None:
    """The database comes back without what was signed: nothing is signed over it, not even after it grew again."""
    memory, signer = log(5), SoftwareSigner()
    publisher = Publisher(memory, ORIGIN, signer)
    await publisher.publish_once()
    backup = copy.deepcopy(memory)
    memory.append(5)
    await publisher.publish_once()
    memory.__dict__.update(copy.deepcopy(backup).__dict__)
    for _ in range(2):
        with pytest.raises(ForkError, match="restored from a backup"):
            await publisher.publish_once()
    memory.append(5, now=1_900_000_000)
    with pytest.raises(ForkError):
        await publisher.publish_once()
    assert_no_fork(signer)


async def test_a_restored_backup_is_refused_by_a_new_process_that_is_told() -> None:
    """Started with a checkpoint remembered outside the database, a process refuses a database from before it."""
    memory, signer = log(5), SoftwareSigner()
    backup = copy.deepcopy(memory)
    memory.append(5)
    seen = await Publisher(memory, ORIGIN, signer).publish_once()
    assert seen

    assert await Publisher(memory, ORIGIN, signer, seen=seen).publish_once() is None
    for grows in (0, 20):
        backup.append(grows)
        with pytest.raises(ForkError, match="restored from a backup"):
            await Publisher(backup, ORIGIN, signer, seen=seen).publish_once()
    assert_no_fork(signer)


@pytest.mark.parametrize("size", [5, 10])
async def test_a_fork_that_was_signed_elsewhere_is_not_continued(size: int) -> None:
    """What is remembered and what is stored were both signed, and do not agree: nothing more is signed."""
    memory, signer = log(10), SoftwareSigner()
    await Publisher(memory, ORIGIN, signer).publish_once()
    memory.append(5)
    other = LedgerMemory()
    other.append(size, now=1_900_000_000)
    seen = Checkpoint(ORIGIN, size, other.state.root())
    with pytest.raises(ForkError, match="does not extend what was signed"):
        await Publisher(memory, ORIGIN, signer, seen=seen).publish_once()
    assert len(signer.signed) == 1


async def test_a_rewritten_log_is_refused() -> None:
    """Entries below a signed size were exchanged, with leaf hashes and state to match: the old root says no."""
    memory, signer = log(300), SoftwareSigner()
    await Publisher(memory, ORIGIN, signer).publish_once()
    rewritten = LedgerMemory(tiles=memory.tiles, intents=memory.intents, notes=memory.notes)
    rewritten.append(300, now=1_900_000_000)
    with pytest.raises(StorageError, match="signed was"):
        await Publisher(rewritten, ORIGIN, signer).publish_once()
    rewritten.append(1)
    with pytest.raises(StorageError, match="signed was"):
        await Publisher(rewritten, ORIGIN, signer).publish_once()
    assert len(signer.signed) == 1


@pytest.mark.parametrize("grows", [0, 1])
async def test_a_log_rewritten_under_a_running_process_is_refused(grows: int) -> None:
    """The same, against the tree in memory."""
    memory, signer = log(300), SoftwareSigner()
    publisher = Publisher(memory, ORIGIN, signer)
    await publisher.publish_once()
    rewritten = log(0)
    rewritten.append(300 + grows, now=1_900_000_000)
    memory.state, memory.leaves = rewritten.state, rewritten.leaves
    with pytest.raises((ForkError, StorageError)):
        await publisher.publish_once()
    assert len(signer.signed) == 1


async def test_leaf_hashes_that_are_not_those_sequenced_are_refused() -> None:
    """Tiles and frontier are two ways to one root; if they part, nothing is signed."""
    memory, signer = log(4), SoftwareSigner()
    memory.leaves[2] = bytes(32)
    with pytest.raises(StorageError, match="entries sequenced"):
        await Publisher(memory, ORIGIN, signer).publish_once()
    assert not memory.intents
    assert not signer.signed


async def test_a_tile_that_does_not_read_back_is_refused() -> None:
    """A write that was acknowledged and lost is found before the root is signed."""

    class Forgetful(LedgerMemory):
        async def full_tile(self, level: int, index: int) -> bytes | None:
            assert (level, index) in self.tiles
            return None

    memory, signer = Forgetful(), SoftwareSigner()
    memory.append(256)
    with pytest.raises(StorageError, match="read back"):
        await Publisher(memory, ORIGIN, signer).publish_once()
    assert not signer.signed


async def test_two_publishers_never_sign_two_roots_for_one_size() -> None:
    """The slower one is fenced off, forgets, and goes on from what the faster one signed."""
    memory, signer = log(5), SoftwareSigner()
    fast, slow = Publisher(memory, ORIGIN, signer), Publisher(memory, ORIGIN, signer)
    await fast.publish_once()
    await slow.publish_once()
    memory.append(3)
    await fast.publish_once()
    memory.append(3)
    with pytest.raises(FencedError, match="another came first"):
        await slow.publish_once()
    checkpoint = await slow.publish_once()

    assert checkpoint
    assert checkpoint.size == 11
    assert_no_fork(signer)


async def test_a_stored_checkpoint_that_is_not_ours_is_refused() -> None:
    """Whoever writes to the database cannot make the publisher continue from their tree."""
    memory = log(5)
    await Publisher(memory, ORIGIN, SoftwareSigner(seed=b"s" * 32)).publish_once()
    with pytest.raises(SignatureError):
        await Publisher(memory, ORIGIN, SoftwareSigner()).publish_once()
    memory.notes = [(5, b"garbage")]
    with pytest.raises(MalformedError):
        await Publisher(memory, ORIGIN, SoftwareSigner()).publish_once()


async def test_key_and_memory_bear_the_name_of_the_log() -> None:
    """A key or a remembered checkpoint of another log is a mistake found before anything is signed."""
    with pytest.raises(SignatureError, match=r"of log.example/1, got other"):
        Publisher(LedgerMemory(), ORIGIN, SoftwareSigner(name="other"))
    with pytest.raises(SignatureError, match=r"of log.example/1, got other"):
        Publisher(LedgerMemory(), ORIGIN, SoftwareSigner(), seen=Checkpoint("other", 1, bytes(32)))


async def test_receipts_come_from_one_stored_checkpoint() -> None:
    """While the log grows between publications, a proof still leads to the note beside it."""
    memory, signer = log(300), SoftwareSigner()
    publisher = Publisher(memory, ORIGIN, signer)
    await publisher.publish_once()
    memory.append(300)
    for index in (0, 255, 256, 299):
        hashes, note = await publisher.receipt_proof(index)
        checkpoint = open_checkpoint(note, [signer.verifier])
        verify_inclusion(index, checkpoint.size, memory.leaves[index], hashes, checkpoint.root)
        assert checkpoint.size == 300
    with pytest.raises(ProofError, match="below the published size 300, got 300"):
        await publisher.receipt_proof(300)
    with pytest.raises(ProofError, match="got -1"):
        await publisher.receipt_proof(-1)


async def test_receipts_work_right_after_a_restart() -> None:
    """A process that only just started, and one without any checkpoint, answer from storage."""
    memory, signer = log(300), SoftwareSigner()
    with pytest.raises(ProofError, match="below the published size 0"):
        await Publisher(memory, ORIGIN, signer).receipt_proof(0)
    await Publisher(memory, ORIGIN, signer).publish_once()
    _, note = await Publisher(memory, ORIGIN, signer).receipt_proof(299)

    assert note == await memory.latest_checkpoint()


async def test_waiters_are_woken_by_the_checkpoint_that_covers_them() -> None:
    """A waiter for a later entry sleeps on; one in time gets its answer; one too late a timeout."""
    memory = log(2)
    publisher = Publisher(memory, ORIGIN, SoftwareSigner())
    early, late = (asyncio.create_task(publisher.wait_covered(index, 60)) for index in (1, 2))
    await asyncio.sleep(0)
    await publisher.publish_once()
    await early
    assert not late.done()
    memory.append(1)
    await publisher.publish_once()
    await late
    with pytest.raises(TimeoutError):
        await publisher.wait_covered(3, 0)


async def test_run_publishes_until_something_is_wrong() -> None:
    """The loop signs what is appended, and stops for good at the first error."""
    memory = log(1)
    publisher = Publisher(memory, ORIGIN, SoftwareSigner())
    running = asyncio.create_task(publisher.run(interval=0))
    await publisher.wait_covered(0, 60)
    memory.append(1)
    await publisher.wait_covered(1, 60)
    memory.state = log(1).state
    with pytest.raises(ForkError, match="restored from a backup"):
        await running
