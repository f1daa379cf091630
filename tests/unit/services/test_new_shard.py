"""The log ends and another one follows: by two admins, after the last checkpoint that anybody knows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from idverify.core.action import StepUpRequired
from idverify.core.policy import Principal, Role
from idverify.errors import Conflict, Gone, LogHalted, NotAllowed, NotAuthenticated, NotFound
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.entry import EntryType
from idverify.ledger.succession import closing_digest
from idverify.services import new_shard, step_up
from idverify.services.ceremonies import Given
from idverify.services.invite import Invited
from idverify.services.log_book import Log
from idverify.services.new_shard import PROPOSAL_SECONDS
from idverify.stores import queries, tables
from idverify.stores.open import Location
from idverify.stores.writes import Change, WriteSet
from tests.simulators.databases import backed_up
from tests.simulators.shards import approved, enrol_admins, entries, grown, halt, identity, proposed, state
from tests.simulators.software_office import Premises, SoftwareOffice, premises


@pytest.fixture
async def house(tmp_path: Path, location: Location) -> AsyncIterator[Premises]:
    """A deployment over each driver that can be closed, restored and opened again."""
    async with premises(tmp_path, location) as made:
        yield made


async def test_a_halted_log_is_followed_by_one_that_names_its_last_checkpoint(house: Premises) -> None:
    """Also that which this database never had; the old log is as it was, and the new one goes on."""
    last = await halt(house)
    async with house.open() as served:
        before = await entries(served, 1)
        opened = await approved(served, await proposed(served))
        await grown(served)
        new = await entries(served, 2)
        guard = house.guard.remembered

        assert (opened.shard, opened.previous, served.office.log_book.halted) == (2, last, None)
        assert opened.origin == last.origin[:-1] + "2"
        assert new[0].type is EntryType.LOG_START
        assert new[0].digest == (await identity(served, opened)).digest()
        assert await entries(served, 1) == before
        assert guard is not None
        assert (guard.origin, guard.size) == (opened.origin, len(new))


async def test_a_whole_log_is_closed_before_another_follows(house: Premises) -> None:
    """Its last entry names the new one, and the checkpoint over it is published and named."""
    async with house.open() as served:
        await enrol_admins(served)
        await grown(served)
        waiting = await proposed(served)
        await grown(served)  # a busy log does not stand still between the two people
        opened = await approved(served, waiting)
        await served.office.log_book.publish()
        old, closed = await entries(served, 1), served.office.logs[0]

        assert (old[-1].type, old[-1].digest) == (EntryType.SHARD_CLOSE, closing_digest(opened.origin))
        assert opened.previous is not None
        assert (opened.previous.origin, opened.previous.size) == (closed.origin, len(old))
        assert closed.signed_size == closed.size == len(old)
        assert (await entries(served, 2))[0].digest == (await identity(served, opened)).digest()


async def test_both_confirmations_stand_behind_the_start(house: Premises) -> None:
    """Two accounts, two keys, one act: in the log that they open, with evidence that can be checked."""
    await halt(house)
    async with house.open() as served:
        waiting = await proposed(served)
        await approved(served, waiting)
        rows: list[Any] = await served.office.store.fetch(
            tables.authorisation.select().where(tables.authorisation.c.ledger_shard == 2).order_by("ledger_index"), {}
        )

        assert [row["ledger_index"] for row in rows] == [2, 4]
        assert {row["action_digest"] for row in rows} == {waiting.succession.action().digest()}
        assert len({row["account_id"] for row in rows}) == len({row["security_key_id"] for row in rows}) == 2


async def test_one_person_cannot_do_both(house: Premises) -> None:
    """Not with the same account, and not with another account of the same name."""
    await halt(house)
    async with house.open() as served:
        waiting = await proposed(served)
        admin, namesake = await served.principal("admin"), replace(await served.principal("other"), actor="ada  ADMIN")
        for one in (admin, namesake):
            with pytest.raises(NotAllowed, match="Another administrator must"):
                await new_shard.approve(served.office, one, waiting.handle, None)
        assert served.office.log.shard == 1


async def test_only_admins_who_are_there_may(house: Premises) -> None:
    """No officer, and no program whatever its role."""
    async with house.open() as served:
        await enrol_admins(served)
        waiting = await proposed(served)
        officer, program = await served.principal("officer"), Principal("key 1", "Monitoring", Role.ADMIN, None)
        for caller, sentence in ((officer, "needs the role admin"), (program, "an API key cannot")):
            with pytest.raises(NotAllowed, match=sentence):
                await new_shard.propose(served.office, caller, waiting.succession.last_known, None)
            with pytest.raises(NotAllowed, match=sentence):
                await new_shard.approve(served.office, caller, waiting.handle, None)
        with pytest.raises(NotAllowed):
            await new_shard.state(served.office, officer)
        with pytest.raises(NotAllowed):
            await new_shard.waiting(served.office, officer, waiting.handle)


async def test_a_wrong_last_checkpoint_is_refused(house: Premises) -> None:
    """What the database holds is not the last that is known; nor is another root, or another log."""
    last = await halt(house)
    async with house.open() as served:
        stored = await served.office.log_book.published()
        assert stored is not None
        assert stored.size < last.size
        for wrong in (stored, replace(last, root=bytes(32)), replace(last, origin="other/log/1")):
            with pytest.raises(Conflict, match="not the last checkpoint"):
                await new_shard.propose(served.office, await served.principal("admin"), wrong, None)


async def test_a_checkpoint_that_was_never_published_is_refused(house: Premises) -> None:
    """Of a whole log any published size will do, with its own root."""
    async with house.open() as served:
        await enrol_admins(served)
        await grown(served)
        earlier = (await state(served)).following
        await grown(served)
        assert earlier is not None
        admin, known = await served.principal("admin"), earlier.last_known
        with pytest.raises(StepUpRequired):
            await new_shard.propose(served.office, admin, known, None)
        for wrong in (replace(known, root=bytes(32)), replace(known, size=known.size + 10_000)):
            with pytest.raises(Conflict, match="not the last checkpoint"):
                await new_shard.propose(served.office, admin, wrong, None)


async def test_what_is_confirmed_is_what_is_done(house: Premises) -> None:
    """A key's answer for one act opens no other: neither at the proposal nor at the approval."""
    async with house.open() as served:
        await enrol_admins(served)
        await grown(served)
        first = (await state(served)).following
        await grown(served)
        second = (await state(served)).following
        assert first is not None
        assert second is not None
        admin = await served.principal("admin")
        given = await _given(served, "admin", first.action())
        with pytest.raises(Conflict, match="not the act that was to be confirmed"):
            await new_shard.propose(served.office, admin, second.last_known, given)
        waiting = await proposed(served, first.last_known)
        other, given = await served.principal("other"), await _given(served, "other", second.action())
        with pytest.raises(Conflict, match="not the act that was to be confirmed"):
            await new_shard.approve(served.office, other, waiting.handle, given)


@pytest.mark.parametrize(
    ("swapped", "sentence"),
    [
        ({"begins": "other/log/9"}, "has changed since"),
        ({"action_digest": bytes(32)}, "not what was proposed"),
        ({"last_known": Checkpoint("x/log/1", 1, bytes(32)).text()}, "not the last checkpoint"),
    ],
)
async def test_a_swapped_proposal_is_refused(house: Premises, swapped: dict[str, Any], sentence: str) -> None:
    """What the first person confirmed is not what the row says now."""
    await halt(house)
    async with house.open() as served:
        waiting = await proposed(served)
        await served.office.store.commit(
            WriteSet((Change(tables.shard_proposal, {"handle": waiting.handle}, swapped),))
        )
        with pytest.raises(Conflict, match=sentence):
            await approved(served, waiting)
        assert [row["shard"] for row in await served.office.store.fetch(queries.LOGS, {})] == [1]


async def test_a_confirmation_is_good_once(house: Premises) -> None:
    """Neither a second proposal nor a second approval comes of it."""
    await halt(house)
    async with house.open() as served:
        admin, following = await served.principal("admin"), (await state(served)).following
        assert following is not None
        given = await _given(served, "admin", following.action())
        waiting = await new_shard.propose(served.office, admin, following.last_known, given)
        with pytest.raises((Conflict, NotAuthenticated)):
            await new_shard.propose(served.office, admin, following.last_known, given)
        await approved(served, waiting)
        with pytest.raises(Conflict, match="carried out already"):
            await new_shard.approve(served.office, await served.principal("other"), waiting.handle, None)
        assert served.office.log.shard == 2


async def test_a_proposal_runs_out(house: Premises) -> None:
    """After 72 hours; one that never was is not found."""
    await halt(house)
    async with house.open() as served:
        waiting = await proposed(served)
        served.clock.advance(PROPOSAL_SECONDS)
        assert (await state(served)).waiting == ()
        with pytest.raises(Gone):
            await new_shard.approve(served.office, await served.principal("other"), waiting.handle, None)
        with pytest.raises(NotFound):
            await new_shard.approve(served.office, await served.principal("other"), bytes(16), None)


async def test_whoever_left_has_not_proposed(house: Premises) -> None:
    """The account of whoever proposed it must be open when it is carried out."""
    await halt(house)
    async with house.open() as served:
        waiting = await proposed(served)
        left = Change(tables.account, {"actor": "Ada Admin"}, {"ended_at": served.clock.now()})
        await served.office.store.commit(WriteSet((left,)))
        with pytest.raises(Conflict, match="has left since"):
            await approved(served, waiting)
        assert (await served.office.store.fetch(queries.LOGS, {}))[-1]["shard"] == 1


async def test_a_proposal_for_a_whole_log_does_not_open_one_after_a_halted(house: Premises) -> None:
    """What was confirmed was a close; nothing can be added to a halted log."""
    async with house.open() as served:
        await enrol_admins(served)
        await grown(served)
        waiting = await proposed(served)
        halted = Change(tables.ledger_state, {"shard": 1}, {"halted": "for a test"})
        await served.office.store.commit(WriteSet((halted,)))
        with pytest.raises(Conflict, match="has changed since"):
            await new_shard.approve(served.office, await served.principal("other"), waiting.handle, None)


async def test_of_two_approvals_at_once_one_opens_a_log(house: Premises) -> None:
    """Of one proposal, or of two that say the same."""
    await halt(house)
    async with house.open() as served:
        one, two = await proposed(served), await proposed(served)
        third = await served.api.deployment.invite(Invited(Role.ADMIN, "Alma Admin"))
        await served.api.enrol("third", third)
        outcomes = await asyncio.gather(approved(served, one), approved(served, two, "third"), return_exceptions=True)
        shards = [row["shard"] for row in await served.office.store.fetch(queries.LOGS, {})]

        assert shards == [1, 2]
        assert sum(isinstance(outcome, Log) for outcome in outcomes) == 1
        assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 1


async def test_a_shard_that_is_lost_altogether_is_named(house: Premises) -> None:
    """Restored from before the second shard: the third follows, and names the last checkpoint of the second."""
    await halt(house)
    restore = await backed_up(house.location)
    async with house.open() as served:
        await approved(served, await proposed(served))
        await grown(served)
    await restore()
    last = house.guard.remembered
    assert last is not None
    async with house.open() as served:
        assert served.office.log_book.halted is not None
        opened = await approved(served, await proposed(served))
        origins = [origin for policy in served.office.log_book.policies() for origin in policy.policy.origins]

        assert (opened.shard, opened.previous) == (3, last)
        assert last.origin.endswith("/log/2")
        assert [origin.rpartition("/")[2] for origin in origins] == ["1", "2", "3"]


async def test_those_outside_know_more_than_the_guard(tmp_path: Path) -> None:
    """The largest that anybody has seen is named: here of a shard that neither database nor guard ever heard of."""

    class Witness:
        def __init__(self) -> None:
            self.asked: list[str] = []
            self.seen: dict[str, Checkpoint] = {}

        async def known(self, origin: str) -> list[Checkpoint]:
            self.asked.append(origin)
            return [self.seen[origin]] if origin in self.seen else []

    async with premises(tmp_path) as made:
        witness = Witness()
        house = replace(made, outside=witness)
        last = await halt(house)
        later = Checkpoint(last.origin[:-1] + "2", 7, b"w" * 32)
        witness.seen = {last.origin: replace(last, root=b"w" * 32), later.origin: later}
        async with house.open() as served:
            assert await served.office.log_book.last_known() == later
            del witness.seen[later.origin]
            assert await served.office.log_book.last_known() == witness.seen[last.origin]
            assert [origin[-1] for origin in witness.asked] == ["1", "2", "3", "1", "2"]


async def test_a_guard_of_another_deployment_names_nothing(house: Premises) -> None:
    """A wrong setting halts the log, and no new one is opened by mistake: once it is right the log goes on."""
    async with house.open() as served:
        await enrol_admins(served)
    right = house.guard.remembered
    assert right is not None
    house.guard.remembered = Checkpoint("elsewhere.example/log/1", 9, bytes(32))
    async with house.open() as served:
        seen = await state(served)
        assert seen.following is None
        assert "no log of this deployment" in str(seen.unknown)
        with pytest.raises(Conflict, match="no log of this deployment"):
            await new_shard.propose(served.office, await served.principal("admin"), right, None)
        with pytest.raises(LogHalted):
            await served.office.store.write(lambda transaction: transaction.log())
    house.guard.remembered = right
    async with house.open() as served:
        assert served.office.log_book.halted is None
        await grown(served)


async def _given(served: SoftwareOffice, who: str, action: Any) -> Given:
    principal, person = await served.principal(who), served.api.deployment.people[who]
    begun = await step_up.begin(served.office, principal, action)
    return Given(begun.ceremony, person.key.get(begun.options, served.office.deployment.iss))
