"""Witnessed checkpoints: what receipts rest on is what a quorum has seen, and nothing before it has."""

import copy

import pytest

from idverify.ledger import Checkpoint, FencedError, ForkError, ProofError, Publisher
from idverify.ledger.errors import UnreachableError
from idverify.ledger.guard import compared
from idverify.ledger.publisher import LEASE_SECONDS
from idverify.ledger.witness_client import Comparison, Prove, Standing
from tests.simulators.ledger_memory import NOW, ORIGIN, LedgerMemory, SoftwareSigner, publishing
from tests.simulators.witness_group import WitnessGroup


def log(size: int) -> LedgerMemory:
    memory = LedgerMemory()
    memory.append(size)
    return memory


async def size_of_receipts(publisher: Publisher) -> int:
    """The size of the checkpoint that a receipt of entry 0 leads to."""
    _, note = await publisher.receipt_proof(0)
    return int(note.split(b"\n")[1])


async def test_receipts_wait_for_the_quorum() -> None:
    """Two of three must have seen it: with one, the log shows its checkpoint, and no receipt can be had."""
    group = WitnessGroup(3, quorum=2)
    publisher = publishing(log(5), SoftwareSigner(), witnesses=group)
    group.slow = {1, 2}
    assert await publisher.publish_once()
    shown = await publisher.snapshot()
    assert shown
    assert shown.latest.tree.size == 5
    assert shown.quorum is None
    assert not publisher.covers(0)
    with pytest.raises(ProofError, match="below the published size 0"):
        await publisher.receipt_proof(0)
    group.slow = {2}
    assert await publisher.publish_once() is None
    assert publisher.covers(4)
    _, note = await publisher.receipt_proof(4)
    assert group.policy.require(note).size == 5


async def test_the_quorum_may_lag_behind() -> None:
    """While witnesses are away the log goes on; receipts rest on what was witnessed last, and catch up in one step."""
    memory, group = log(5), WitnessGroup(3, quorum=2)
    publisher = publishing(memory, SoftwareSigner(), witnesses=group)
    await publisher.publish_once()
    group.away = {0, 1}
    for _ in range(3):
        memory.append(300)
        await publisher.publish_once()
        assert await size_of_receipts(publisher) == 5
        shown = await publisher.snapshot()
        assert shown
        assert shown.latest.tree.size == memory.state.size
    group.away = set()
    await publisher.publish_once()
    assert await size_of_receipts(publisher) == 905
    assert [checkpoint.size for checkpoint in group.seen[0]] == [5, 905]


async def test_what_was_witnessed_survives_a_restart() -> None:
    """A new process shows the quorum's checkpoint from storage, also while every witness is away."""
    memory, group = log(5), WitnessGroup(3, quorum=2)
    await publishing(memory, SoftwareSigner(), witnesses=group).publish_once()
    memory.append(5)
    group.slow = {0, 1, 2}
    publisher = publishing(memory, SoftwareSigner(), witnesses=group)
    await publisher.publish_once()
    assert await size_of_receipts(publisher) == 5
    group.away = {0, 1, 2}
    assert await size_of_receipts(publishing(memory, SoftwareSigner(), witnesses=group)) == 5


async def test_who_has_no_lease_shows_what_was_witnessed() -> None:
    """The other process follows both checkpoints, asks no witness, and takes over when the lease has ended."""
    memory, group, now = log(5), WitnessGroup(3, quorum=2), [NOW]
    one = publishing(memory, SoftwareSigner(), witnesses=group, holder=b"one", now=lambda: now[0])
    two = publishing(memory, SoftwareSigner(), witnesses=group, holder=b"two", now=lambda: now[0])
    group.slow = {0, 1}
    await one.publish_once()
    await two.publish_once()
    assert not two.covers(0)
    group.slow = set()
    await two.publish_once()
    assert not two.covers(0)
    await one.publish_once()
    await two.publish_once()
    assert two.covers(4)
    memory.append(1)
    now[0] += LEASE_SECONDS
    await two.publish_once()
    assert two.covers(5)


async def test_optional_witnesses_sign_what_receipts_rest_on() -> None:
    """A policy that asks for nobody: receipts rest on the log's word at once, and bear who saw it all the same."""
    group = WitnessGroup(2, quorum=0)
    group.away = {1}
    publisher = publishing(log(5), SoftwareSigner(), witnesses=group)
    await publisher.publish_once()
    _, note = await publisher.receipt_proof(4)
    assert group.policy.open(note) == (Checkpoint.parse(note.split(b"\n\n")[0] + b"\n"), frozenset({"w0"}))


async def test_a_restored_backup_is_refused_by_the_witnesses() -> None:
    """The guard is lost with the machine: a witness that saw more than the database has says so, before a signature."""
    memory, group = log(5), WitnessGroup(3, quorum=2)
    await publishing(memory, SoftwareSigner(), witnesses=group).publish_once()
    backup = copy.deepcopy(memory)
    memory.append(5)
    await publishing(memory, SoftwareSigner(), witnesses=group).publish_once()
    group.away = {0, 1}
    for grows in (0, 1, 20):
        backup.append(grows)
        signer = SoftwareSigner()
        with pytest.raises(ForkError, match=r"w2 says that it saw another log .* size 5 .*saw size 10.*restored"):
            await publishing(backup, signer, witnesses=group).publish_once()
        assert not signer.signed


@pytest.mark.parametrize(("note", "said"), [(None, "shows none that this log signed"), (b"n", "what this log signed")])
def test_an_accusation_says_whether_it_is_proven(note: bytes | None, said: str) -> None:
    """One witness's word halts the log: whoever reads of it must be able to tell a lie from a backup."""
    accused = Comparison("https://w.example", ("w",), Standing.AHEAD, "it saw size 9", note=note)
    with pytest.raises(ForkError, match=rf"witness w says .* size 5 \('it saw size 9'\), and .*{said}"):
        compared([accused], "log.example/1", 5)


async def test_a_database_without_any_checkpoint_is_refused_by_the_witnesses() -> None:
    """Set up anew under the name of a log that was seen before."""
    memory, group = log(5), WitnessGroup(1, quorum=1)
    await publishing(memory, SoftwareSigner(), witnesses=group).publish_once()
    with pytest.raises(ForkError, match="saw size 5"):
        await publishing(log(9), SoftwareSigner(), witnesses=group).publish_once()


async def test_a_log_that_was_signed_elsewhere_is_refused_by_the_witnesses() -> None:
    """Of the same size, or a smaller one: the witness's tree is no prefix of ours."""
    group = WitnessGroup(1, quorum=1)
    await publishing(log(5), SoftwareSigner(), witnesses=group).publish_once()
    for size in (5, 300):
        other, signer = LedgerMemory(), SoftwareSigner()
        other.append(size, now=1_900_000_000)
        other.notes, other.intents = [(size, signer.note(head(other)))], {size: other.state.root()}
        other.tiles = {(0, 0): b"".join(other.leaves[:256])} if size > 255 else {}
        other.append(1, now=1_900_000_000)
        with pytest.raises(ForkError, match="saw another log"):
            await publishing(other, signer, witnesses=group).publish_once()
        assert not signer.signed


async def test_nothing_is_signed_before_enough_witnesses_were_asked() -> None:
    """Out of reach at the start: what is stored is shown, nothing is signed, and it goes on when they are back."""
    memory, group, signer = log(5), WitnessGroup(3, quorum=2), SoftwareSigner()
    await publishing(memory, signer, witnesses=group).publish_once()
    memory.append(5)
    group.away = {0, 2}
    publisher = publishing(memory, signer, witnesses=group)
    for _ in range(2):
        with pytest.raises(UnreachableError, match="quorum of witnesses"):
            await publisher.publish_once()
        assert await size_of_receipts(publisher) == 5
    group.away = {0}
    assert await publisher.publish_once()
    group.away = {0, 1, 2}
    memory.append(5)
    assert await publisher.publish_once()
    assert [checkpoint.size for checkpoint in signer.signed] == [5, 10, 15]


def head(memory: LedgerMemory) -> Checkpoint:
    return Checkpoint(ORIGIN, memory.state.size, memory.state.root())


async def test_whoever_takes_the_lease_over_asks_about_what_is_stored_now() -> None:
    """It showed an older checkpoint meanwhile; witnesses that saw the newer ones are no sign of a fork."""
    memory, group, now, signer = log(5), WitnessGroup(3, quorum=2), [NOW], SoftwareSigner()
    one, two = (
        publishing(memory, signer, holder=holder, now=lambda: now[0], witnesses=group) for holder in (b"one", b"two")
    )
    await one.publish_once()
    await two.publish_once()
    memory.append(5)
    await one.publish_once()
    memory.append(5)
    now[0] += LEASE_SECONDS
    checkpoint = await two.publish_once()

    assert checkpoint
    assert checkpoint.size == 15


async def test_another_publisher_that_signs_while_witnesses_are_asked_is_no_fork() -> None:
    """They saw what was stored in the meantime: that is to be read, and the log not to be halted."""
    memory, group, signer = log(5), WitnessGroup(3, quorum=2), SoftwareSigner()
    other = publishing(memory, signer, witnesses=group)

    class Slow(WitnessGroup):
        async def compare(self, note: bytes | None, prove: Prove | None = None) -> list[Comparison]:
            if not self.seen:
                await other.publish_once()
                self.seen = group.seen
            return await super().compare(note, prove)

    publisher = publishing(memory, signer, witnesses=Slow(3, quorum=2))
    with pytest.raises(FencedError, match="while the witnesses were asked"):
        await publisher.publish_once()
    assert await publisher.publish_once() is None
    assert publisher.covers(4)
