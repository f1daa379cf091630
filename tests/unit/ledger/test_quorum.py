"""Witnessed checkpoints: what receipts rest on is what a quorum has seen, and nothing before it has."""

import pytest

from idverify.ledger import Checkpoint, ProofError, Publisher
from idverify.ledger.publisher import LEASE_SECONDS
from tests.simulators.ledger_memory import NOW, LedgerMemory, SoftwareSigner, publishing
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
    group.away = {1, 2}
    assert await publisher.publish_once()
    shown = await publisher.snapshot()
    assert shown
    assert shown.latest.tree.size == 5
    assert shown.quorum is None
    assert not publisher.covers(0)
    with pytest.raises(ProofError, match="below the published size 0"):
        await publisher.receipt_proof(0)
    group.away = {2}
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
    group.away = {0, 1, 2}
    publisher = publishing(memory, SoftwareSigner(), witnesses=group)
    await publisher.publish_once()
    assert await size_of_receipts(publisher) == 5
    assert await size_of_receipts(publishing(memory, SoftwareSigner(), witnesses=group)) == 5


async def test_who_has_no_lease_shows_what_was_witnessed() -> None:
    """The other process follows both checkpoints, asks no witness, and takes over when the lease has ended."""
    memory, group, now = log(5), WitnessGroup(3, quorum=2), [NOW]
    one = publishing(memory, SoftwareSigner(), witnesses=group, holder=b"one", now=lambda: now[0])
    two = publishing(memory, SoftwareSigner(), witnesses=group, holder=b"two", now=lambda: now[0])
    group.away = {0, 1}
    await one.publish_once()
    await two.publish_once()
    assert not two.covers(0)
    group.away = set()
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
