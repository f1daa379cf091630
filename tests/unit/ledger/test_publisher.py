"""Publishing: a crash at any step, a rolled-back database or a second publisher never yields two roots for one size."""

import asyncio
import copy
from typing import Any

import pytest

from idverify.ledger import (
    Checkpoint,
    FencedError,
    ForkError,
    ProofError,
    SignatureError,
    StorageError,
    open_checkpoint,
)
from idverify.ledger.errors import MalformedError
from idverify.ledger.log_signers import LogSigners
from idverify.ledger.merkle import verify_inclusion
from idverify.ledger.note import open_note
from idverify.ledger.publisher import LEASE_SECONDS, Publisher
from tests.simulators.ledger_memory import (
    HOLDER,
    NOW,
    ORIGIN,
    Crash,
    FaultyStorage,
    GuardMemory,
    LedgerMemory,
    SharedGuard,
    SoftwareSigner,
    publishing,
)

CALLS = 8
"""Storage calls of a first cycle over 300 entries: lease, checkpoint, state, leaf hashes, intent, the last leaf hash,
tile, advance."""


def log(size: int) -> LedgerMemory:
    memory = LedgerMemory()
    memory.append(size)
    return memory


def assert_no_fork(signer: SoftwareSigner) -> None:
    """One root for each size, whatever left the signer."""
    assert len(set(signer.signed)) == len({checkpoint.size for checkpoint in signer.signed})


async def test_an_empty_log_is_not_signed() -> None:
    """There is nothing to promise yet."""
    assert await publishing(LedgerMemory(), SoftwareSigner()).publish_once() is None


async def test_a_checkpoint_is_signed_when_the_size_changed_and_only_then() -> None:
    """Each cycle signs the tree as it is, once, with the key everyone checks with."""
    memory, signer = log(1), SoftwareSigner()
    publisher = publishing(memory, signer)
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
        async def sign(self, checkpoint: Checkpoint) -> bytes:
            assert memory.intents == {3: memory.state.root()}
            assert not memory.notes
            with pytest.raises(TimeoutError):
                await publisher.wait_covered(2, 0)
            return await super().sign(checkpoint)

    publisher = publishing(memory, Witness())
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
    publisher = publishing(faulty, signer)
    with pytest.raises(Crash):
        await publisher.publish_once()
    memory.append(grows)
    if restarted:
        publisher = publishing(memory, signer)
    await publisher.publish_once()

    hashes, note = await publisher.receipt_proof(memory.state.size - 1)
    latest = open_checkpoint(note, [signer.verifier])
    assert_no_fork(signer)
    assert (latest.size, latest.root) == (memory.state.size, memory.state.root())
    verify_inclusion(latest.size - 1, latest.size, memory.leaves[-1], hashes, latest.root)


async def test_the_crashes_above_reach_every_call() -> None:
    """One cycle makes as many storage calls as are made to crash."""
    faulty = FaultyStorage(log(300), -1, takes_effect=False)
    await publishing(faulty, SoftwareSigner()).publish_once()

    assert faulty.calls == CALLS


async def test_a_failing_signer_is_survived() -> None:
    """The token is gone for one cycle: nothing is shown, and the next cycle signs the same root."""
    memory = log(2)

    class Vanishing(SoftwareSigner):
        async def sign(self, checkpoint: Checkpoint) -> bytes:
            signature = await super().sign(checkpoint)
            if len(self.signed) == 1:
                raise ConnectionError("token removed")
            return signature

    signer = Vanishing()
    publisher = publishing(memory, signer)
    with pytest.raises(ConnectionError):
        await publisher.publish_once()
    assert not memory.notes
    assert await publisher.publish_once()
    assert_no_fork(signer)


async def test_a_wrong_signature_is_not_stored() -> None:
    """A token that signs with another key, or signs garbage, is found out before anyone sees it."""

    class Faulty(SoftwareSigner):
        async def sign(self, checkpoint: Checkpoint) -> bytes:
            assert checkpoint
            return bytes(64)

    memory = log(2)
    with pytest.raises(SignatureError, match="does not verify"):
        await publishing(memory, Faulty()).publish_once()
    assert not memory.notes


async def test_a_restored_backup_is_refused_by_the_running_process() -> None:
    """The database comes back without what was signed: nothing is signed over it, not even after it grew again."""
    memory, signer = log(5), SoftwareSigner()
    publisher = publishing(memory, signer)
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
    seen = await publishing(memory, signer).publish_once()
    assert seen

    assert await publishing(memory, signer, guard=GuardMemory(seen)).publish_once() is None
    for grows, said in ((0, "restored from a backup"), (20, "does not extend what was signed")):
        backup.append(grows, now=1_900_000_000)
        with pytest.raises(ForkError, match=said):
            await publishing(backup, signer, guard=GuardMemory(seen)).publish_once()
    assert_no_fork(signer)


async def test_a_restored_backup_that_has_all_that_was_signed_is_continued() -> None:
    """A copy from between an append and its checkpoint lacks the note, not the entries: the log goes on from them."""
    memory, signer, guard = log(5), SoftwareSigner(), GuardMemory()
    await publishing(memory, signer, guard=guard).publish_once()
    memory.append(300)
    backup = copy.deepcopy(memory)
    await publishing(memory, signer, guard=guard).publish_once()
    backup.append(1)
    assert await publishing(backup, signer, guard=guard).publish_once()
    assert [checkpoint.size for checkpoint in signer.signed] == [5, 305, 306]
    assert_no_fork(signer)


@pytest.mark.parametrize("size", [5, 10])
async def test_a_fork_that_was_signed_elsewhere_is_not_continued(size: int) -> None:
    """What is remembered and what is stored were both signed, and do not agree: nothing more is signed."""
    memory, signer = log(10), SoftwareSigner()
    await publishing(memory, signer).publish_once()
    memory.append(5)
    other = LedgerMemory()
    other.append(size, now=1_900_000_000)
    seen = Checkpoint(ORIGIN, size, other.state.root())
    with pytest.raises(ForkError, match="does not extend what was signed"):
        await publishing(memory, signer, guard=GuardMemory(seen)).publish_once()
    assert len(signer.signed) == 1


async def test_a_rewritten_log_is_refused() -> None:
    """Entries below a signed size were exchanged, with leaf hashes and state to match: the old root says no."""
    memory, signer = log(300), SoftwareSigner()
    await publishing(memory, signer).publish_once()
    rewritten = LedgerMemory(tiles=memory.tiles, intents=memory.intents, notes=memory.notes)
    rewritten.append(300, now=1_900_000_000)
    with pytest.raises(StorageError, match="signed was"):
        await publishing(rewritten, signer).publish_once()
    rewritten.append(1)
    with pytest.raises(StorageError, match="signed was"):
        await publishing(rewritten, signer).publish_once()
    assert len(signer.signed) == 1


@pytest.mark.parametrize("grows", [0, 1])
async def test_a_log_rewritten_under_a_running_process_is_refused(grows: int) -> None:
    """The same, against the tree in memory."""
    memory, signer = log(300), SoftwareSigner()
    publisher = publishing(memory, signer)
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
        await publishing(memory, signer).publish_once()
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
        await publishing(memory, signer).publish_once()
    assert not signer.signed


async def test_two_publishers_never_sign_two_roots_for_one_size() -> None:
    """The slower one is fenced off, forgets, and goes on from what the faster one signed."""
    memory, signer = log(5), SoftwareSigner()
    fast, slow = publishing(memory, signer), publishing(memory, signer)  # of one holder, so no lease is between them
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
    await publishing(memory, SoftwareSigner(seed=b"s" * 32)).publish_once()
    with pytest.raises(SignatureError):
        await publishing(memory, SoftwareSigner()).publish_once()
    memory.notes = [(5, b"garbage")]
    with pytest.raises(MalformedError):
        await publishing(memory, SoftwareSigner()).publish_once()


async def test_who_has_no_lease_shows_what_the_holder_signed() -> None:
    """Of two processes over one storage one signs; the other follows it, and takes over when its lease has ended."""
    memory, signer, now = log(5), SoftwareSigner(), [NOW]
    one = publishing(memory, signer, holder=b"one", now=lambda: now[0])
    two = publishing(memory, signer, holder=b"two", now=lambda: now[0])
    await one.publish_once()
    assert await two.publish_once() is None
    assert two.covers(4)
    memory.append(5)
    assert await two.publish_once() is None
    assert not two.covers(9)
    now[0] += LEASE_SECONDS
    assert await two.publish_once()
    assert two.covers(9)
    assert [checkpoint.size for checkpoint in signer.signed] == [5, 10]


async def test_who_lost_the_lease_signs_nothing() -> None:
    """A process that was away for longer than its lease finds that another one publishes: storage fences it off."""
    memory, signer, now = log(5), SoftwareSigner(), [NOW]
    stopped = publishing(memory, signer, holder=b"one", now=lambda: NOW)  # its clock stood still with it
    await stopped.publish_once()
    now[0] += LEASE_SECONDS
    await publishing(memory, signer, holder=b"two", now=lambda: now[0]).publish_once()
    memory.append(1)
    with pytest.raises(FencedError, match="epoch"):
        await stopped.publish_once()
    assert await stopped.publish_once() is None
    assert len(signer.signed) == 1


async def test_the_guard_remembers_before_anything_is_signed() -> None:
    """Intended, remembered outside, signed, stored, shown: no signature ever exists that a restored backup forgets."""
    memory, signer = log(3), SoftwareSigner()

    class Watching(GuardMemory):
        async def write(self, checkpoint: Checkpoint) -> None:
            assert memory.intents
            assert not signer.signed
            await super().write(checkpoint)

    guard = Watching()
    publisher = publishing(memory, signer, guard=guard)
    assert await publisher.publish_once() == guard.remembered
    assert publisher.covers(2)


async def test_a_guard_that_cannot_be_written_keeps_us_from_signing() -> None:
    """What could be forgotten is not signed; once the guard works, the cycle is simply done again."""

    class Full(GuardMemory):
        async def write(self, _: Checkpoint) -> None:
            raise OSError(28, "No space left on device")

    memory, signer = log(3), SoftwareSigner()
    with pytest.raises(OSError, match="No space"):
        await publishing(memory, signer, guard=Full()).publish_once()
    assert not signer.signed
    assert await publishing(memory, signer, guard=GuardMemory()).publish_once()


@pytest.mark.parametrize("grows", [0, 300])
async def test_what_was_remembered_and_never_signed_is_signed_by_the_next_process(grows: int) -> None:
    """A crash between guard and signature: the entries are there, so the next process goes on from them."""

    class Vanishing(SoftwareSigner):
        async def sign(self, _: Checkpoint) -> bytes:
            raise ConnectionError("token removed")

    memory, signer, guard = log(300), SoftwareSigner(), GuardMemory()
    with pytest.raises(ConnectionError):
        await publishing(memory, Vanishing(), guard=guard).publish_once()
    memory.append(grows)
    assert await publishing(memory, signer, guard=guard).publish_once() == guard.remembered
    assert [checkpoint.size for checkpoint in signer.signed] == [300 + grows]


async def test_what_a_crash_left_stored_is_remembered_before_it_is_shown() -> None:
    """Signed and stored, and the guard lost: the next process remembers it before anybody sees it."""
    memory, signer, guard = log(5), SoftwareSigner(), GuardMemory()
    seen = await publishing(memory, signer).publish_once()
    assert await publishing(memory, signer, guard=guard).publish_once() is None
    assert guard.remembered == seen


async def test_publishers_that_share_a_guard_notice_each_other() -> None:
    """A database comes back under an idle process; what another one signed meanwhile it learns from their guard."""
    memory, signer, shared = log(5), SoftwareSigner(), GuardMemory()
    one, two = (publishing(memory, signer, guard=SharedGuard(shared)) for _ in range(2))
    await one.publish_once()
    backup = copy.deepcopy(memory)
    memory.append(1)
    await two.publish_once()
    memory.__dict__.update(backup.__dict__)
    memory.append(5, now=1_900_000_000)
    with pytest.raises(FencedError, match="the guard to remember size 5, it has size 6"):
        await one.publish_once()
    with pytest.raises(ForkError, match="does not extend what was signed"):
        await one.publish_once()
    assert [checkpoint.size for checkpoint in signer.signed] == [5, 6]


async def test_entries_that_a_standby_never_got_are_not_signed() -> None:
    """A standby takes over between our reading and the intent, without what we read: that is noticed before signing."""
    memory, signer = log(5), SoftwareSigner()

    class FailsOver(LedgerMemory):
        async def intend_checkpoint(self, *arguments: Any) -> None:
            self.__dict__.update(standby.__dict__)
            await super().intend_checkpoint(*arguments)

    standby = log(4)
    standby.append(2, now=1_900_000_000)
    memory.lease = standby.lease = (1, HOLDER, NOW)
    with pytest.raises(StorageError, match="not those the intent"):
        await publishing(FailsOver(**memory.__dict__), signer).publish_once()
    assert not signer.signed


async def test_who_only_shows_remembers_as_well() -> None:
    """Whoever has no lease keeps in mind what the holder signed: once restored, the database is refused there, too."""
    memory, signer, guard = log(3), SoftwareSigner(), GuardMemory()
    other = publishing(memory, signer, holder=b"other", guard=guard)
    signed = await publishing(memory, signer, holder=b"holder").publish_once()
    assert await other.publish_once() is None
    assert guard.remembered == signed
    with pytest.raises(ForkError, match="restored from a backup"):
        await publishing(log(2), signer, holder=b"other", guard=guard).publish_once()


async def test_a_guard_that_cannot_be_read_keeps_us_from_signing() -> None:
    """What it remembers is not known, so nothing is signed."""

    class Lost(GuardMemory):
        async def read(self) -> Checkpoint | None:
            raise OSError("no such disk")

    memory, signer = log(3), SoftwareSigner()
    with pytest.raises(OSError, match="no such disk"):
        await publishing(memory, signer, guard=Lost()).publish_once()
    assert not signer.signed


async def test_the_guard_knows_the_shard_before() -> None:
    """A log that names the last checkpoint of the shard before goes on; a database from before the shard does not."""
    old = Checkpoint("log.example/0", 9, bytes(32))
    named = publishing(log(3), SoftwareSigner(), guard=GuardMemory(old), previous=old)
    assert await named.publish_once()
    for previous in (None, Checkpoint("log.example/0", 8, bytes(32)), Checkpoint("other", 9, bytes(32))):
        signer = SoftwareSigner()
        with pytest.raises(ForkError, match="restored from a backup"):
            await publishing(log(3), signer, guard=GuardMemory(old), previous=previous).publish_once()
        assert not signer.signed


async def test_keys_bear_the_name_of_the_log() -> None:
    """A key of another log, or none at all, is a mistake found before anything is signed."""
    with pytest.raises(SignatureError, match=r"of log.example/1 alone, got other"):
        publishing(LedgerMemory(), SoftwareSigner(name="other"))
    with pytest.raises(SignatureError, match=r"of log.example/1 alone, got none"):
        Publisher(LedgerMemory(), ORIGIN, LogSigners.each(), now=lambda: NOW, holder=b"one")


async def test_every_key_of_the_log_signs() -> None:
    """Two keys, two lines; where one of them does not verify, nothing is stored."""
    memory, one, two = log(3), SoftwareSigner(), SoftwareSigner(seed=b"2" * 32)
    await Publisher(memory, ORIGIN, LogSigners.each(one, two), now=lambda: NOW, holder=b"one").publish_once()
    note = open_note(memory.notes[0][1], [one.verifier, two.verifier])
    assert len(note.verified) == 2


async def test_receipts_come_from_one_stored_checkpoint() -> None:
    """While the log grows between publications, a proof still leads to the note beside it."""
    memory, signer = log(300), SoftwareSigner()
    publisher = publishing(memory, signer)
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
        await publishing(memory, signer).receipt_proof(0)
    await publishing(memory, signer).publish_once()
    _, note = await publishing(memory, signer).receipt_proof(299)

    assert note == await memory.latest_checkpoint()


async def test_waiters_are_woken_by_the_checkpoint_that_covers_them() -> None:
    """A waiter for a later entry sleeps on; one in time gets its answer; one too late a timeout."""
    memory = log(2)
    publisher = publishing(memory, SoftwareSigner())
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
    publisher = publishing(memory, SoftwareSigner())
    running = asyncio.create_task(publisher.run(interval=0))
    await publisher.wait_covered(0, 60)
    memory.append(1)
    await publisher.wait_covered(1, 60)
    memory.state = log(1).state
    with pytest.raises(ForkError, match="restored from a backup"):
        await running
