"""Shards that follow each other: what does not fit between them is found, whichever of them it is in."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.entry import Draft, EntryType
from idverify.ledger.identity import LogIdentity
from idverify.ledger.log_signers import LogSigners
from idverify.ledger.note import NoteVerifier
from idverify.ledger.publisher import Publisher
from idverify.ledger.sequencer import genesis
from idverify.ledger.shard_audit import Shard, ShardReport, fsck_shards
from idverify.ledger.succession import closing_digest
from tests.simulators.ledger_memory import NOW, LedgerMemory, SoftwareSigner

FIRST, SECOND, THIRD = (f"log.example/{number}" for number in (1, 2, 3))
IDENTITY = LogIdentity(FIRST, "https://id.example", "id.example", "https://id.example/status")


@dataclass
class Kept:
    """A log that is kept: its identity, its storage, whether it was halted."""

    identity: LogIdentity
    memory: LedgerMemory
    halted: bool = False

    def shard(self) -> Shard:
        """As the audit takes it."""
        return Shard(self.identity, self.halted, self.memory)

    def head(self) -> Checkpoint:
        """Its last signed checkpoint."""
        size, _ = self.memory.notes[-1]
        return Checkpoint(self.identity.origin, size, self.memory.intents[size])

    def add(self, kind: EntryType, digest: bytes = bytes(32)) -> None:
        """Another entry."""
        self.memory.add(Draft(kind, secrets.token_bytes(16), digest))

    async def publish(self) -> None:
        """A checkpoint over all there is."""
        origin = self.identity.origin
        await Publisher(
            self.memory, origin, LogSigners.each(SoftwareSigner(name=origin)), now=lambda: NOW, holder=b"publisher"
        ).publish_once()


async def log(origin: str, previous: Checkpoint | None = None) -> Kept:
    """A log that begins and has a few entries."""
    kept = Kept(replace(IDENTITY, origin=origin, previous=previous), LedgerMemory(genesis(origin)))
    kept.add(EntryType.LOG_START, kept.identity.digest())
    for _ in range(5):
        kept.add(EntryType.CREDENTIAL)
    await kept.publish()
    return kept


async def closed(origin: str, following: str) -> Kept:
    """A log that ended in good order."""
    kept = await log(origin)
    kept.add(EntryType.SHARD_CLOSE, closing_digest(following))
    await kept.publish()
    return kept


def audited(*logs: Kept) -> tuple[ShardReport, ...]:
    """The reports of a whole audit."""

    def verifier(origin: str) -> NoteVerifier:
        return SoftwareSigner(name=origin).verifier

    *_, reports = fsck_shards([kept.shard() for kept in logs], lambda origin: [verifier(origin)])
    assert isinstance(reports, tuple)
    return reports


def said(*logs: Kept) -> list[tuple[str, str, str]]:
    """Origin, rule and detail of every finding."""
    return [(one.origin, found.rule, found.detail) for one in audited(*logs) for found in one.report.findings]


async def test_shards_that_fit() -> None:
    """One that was closed, one that was halted and lost its end, and one of which nothing is left."""
    first = await closed(FIRST, SECOND)
    second = await log(SECOND, first.head())
    lost = Checkpoint(SECOND, 9, b"l" * 32)
    third = await log(THIRD, lost)
    second.halted = True

    assert said(first, second, third) == []
    assert said(first, third) == []
    assert [(one.origin, one.report.size, one.report.signed_size) for one in audited(first, second)] == [
        (FIRST, 7, 7),
        (SECOND, 6, 6),
    ]


@pytest.mark.parametrize("named", ["other.example/1", THIRD, "log.example/4", "log.example/x", None])
async def test_only_an_earlier_log_of_this_deployment_can_be_the_one_before(named: str | None) -> None:
    """Also where the log before is lost: whoever names another one, or none, has nothing to be held against."""
    third = await log(THIRD, named and Checkpoint("log.example/2", 9, b"l" * 32))
    third.identity = replace(third.identity, previous=named and Checkpoint(named, 9, b"l" * 32))

    assert [rule for _, rule, _ in said(third)].count("succession") == 1


async def test_a_halted_log_may_have_unpublished_entries() -> None:
    """They are promised to nobody; what was signed for is named at least."""
    first = await log(FIRST)
    head = first.head()
    first.add(EntryType.CREDENTIAL)
    first.halted = True

    assert said(first, await log(SECOND, head)) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda _: None, "expected the log to name"),
        (lambda head: replace(head, root=b"x" * 32), "named is another tree"),
        (lambda head: replace(head, size=head.size - 1), "was signed up to 7, named is 6"),
        (lambda head: replace(head, size=head.size + 1), "closed with 7 entries"),
    ],
)
async def test_a_checkpoint_that_is_not_that_of_the_closed_log(
    change: Callable[[Checkpoint], Checkpoint | None], sentence: str
) -> None:
    """None, another root, less or more than there is."""
    first = await closed(FIRST, SECOND)
    found = said(first, await log(SECOND, change(first.head())))

    assert {(origin, rule) for origin, rule, _ in found} == {(SECOND, "succession")}
    assert any(sentence in detail for *_, detail in found)


async def test_a_log_that_was_not_closed_is_not_followed() -> None:
    """The last entry names the log that follows, or the log was halted."""
    unclosed, elsewhere = await log(FIRST), await closed(FIRST, THIRD)
    for first in (unclosed, elsewhere):
        ((origin, rule, detail),) = said(first, await log(SECOND, first.head()))
        assert (origin, rule) == (SECOND, "succession")
        assert "to close it and to name this log" in detail


async def test_a_halted_log_has_one_root_for_a_size() -> None:
    """What was signed here cannot be another tree in the log that follows; nor can less be named than was signed."""
    first = await log(FIRST)
    first.halted, head = True, first.head()
    (other,) = said(first, await log(SECOND, replace(head, root=b"x" * 32)))
    (less,) = said(first, await log(SECOND, replace(head, size=3)))

    assert "another root was signed for size 6" in other[2]
    assert "was signed up to 6, named is 3" in less[2]


async def test_each_shard_is_audited_for_itself() -> None:
    """An entry that was changed is named in the log that it is in; entry 0 must commit to what is said of the past."""
    first = await closed(FIRST, SECOND)
    second = await log(SECOND, first.head())
    second.memory.log[3] = second.memory.log[4]
    second.identity = replace(second.identity, previous=replace(first.head(), size=8))
    found = {(origin, rule) for origin, rule, _ in said(first, second)}

    assert {(SECOND, "leaf_hash"), (SECOND, "identity")} <= found
    assert FIRST not in {origin for origin, _ in found}
