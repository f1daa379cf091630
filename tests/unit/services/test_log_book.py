"""A halted log: what stops, what goes on, and how it comes to an end. And the shards that a process did not open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from idverify.core.policy import Role
from idverify.errors import Gone, LogHalted, Unavailable
from idverify.formats import status_list
from idverify.formats.status_list import StatusValue
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.cosignature import COSIGNATURE_V1
from idverify.ledger.cosigner import Cosigner
from idverify.ledger.entry import EntryType
from idverify.ledger.errors import ForkError
from idverify.ledger.note import NoteSignature, split_note, vkey
from idverify.ledger.policy import Policy, PolicyWitness
from idverify.ledger.proof import TlogProof
from idverify.ledger.witness_client import Comparison, Prove, Standing
from idverify.ports import system_entropy
from idverify.services import access, receipts
from idverify.services.invite import Invited
from idverify.services.log_policy import LogPolicy
from idverify.stores import queries, tables
from idverify.stores.open import Location, open_log, open_store
from idverify.stores.writes import Change, Put, WriteSet
from tests.simulators.acts import load_metadata
from tests.simulators.databases import backed_up
from tests.simulators.holder import collection, holding, results
from tests.simulators.service import VCT
from tests.simulators.shards import approved, enrol_admins, entries, grown, halt, proposed, set_back
from tests.simulators.soft_wallet import SoftWallet
from tests.simulators.software_office import Premises, premises
from tests.unit.stores.rows import entry

NEWCOMER = {"family_name": "NEW", "given_name": "NORA", "birthdate": "1990-01-01", "nationalities": ["QU"]}
WITNESS = Cosigner.from_seed(COSIGNATURE_V1, "witness.example", b"w" * 32)
NOW = 1_900_000_000
IN_USE: dict[str, object] = {}


@pytest.fixture
async def house(tmp_path: Path, location: Location) -> AsyncIterator[Premises]:
    """A deployment over each driver that can be closed, restored and opened again."""
    async with premises(tmp_path, location) as made:
        yield made


async def test_a_restored_database_starts_halted_and_says_so(house: Premises) -> None:
    """Nothing is added, nothing signed; whoever runs it is told, and whoever asks whether it is ready."""
    last = await halt(house)
    async with house.open() as served:
        status, ready = await served.api.call("GET", "/readyz")
        metrics = await served.api.ok("GET", "/metrics", "monitor")

        assert status == 503
        assert f"size {last.size} was signed" in ready["checks"]["ledger"]
        assert (ready["checks"]["database"], ready["checks"]["hsm"]) == ("ok", "ok")
        assert house.told == [served.office.log_book.halted]
        assert house.guard.remembered == last
        assert b"\nidverify_ledger_halted 1.0\n" in metrics


async def test_documents_are_verified_while_it_is_halted(house: Premises) -> None:
    """Also one whose entry is lost: its receipt speaks for it. Each check is on record."""
    async with house.open() as served:
        before = await holding(served.api, wait=2)
    async with set_back(house) as served:
        lost = await holding(served.api, wait=2)
    async with house.open() as served:
        for held in (before, lost):
            sent = {"document": held.credential, "receipt": held.answer["receipt"]}
            verdict = await served.api.ok("POST", "/api/v1/verify", "officer", sent)
            assert (results(verdict)["signature"], results(verdict)["receipt"]) == ("pass", "pass")
        shown = await served.api.ok("GET", f"/api/v1/people/{before.person}", "officer")

        assert served.office.log_book.halted is not None
        assert "document" in {look["channel"] for look in shown["looks"]}


async def test_what_needs_an_entry_is_refused_before_anything_is_done(house: Premises) -> None:
    """503 with the reason and what to do; no offer is used up, nothing is signed. Afterwards the same offer is good."""
    async with house.open() as served:
        await enrol_admins(served)
        person = await served.api.person_with_status()
        body = collection(SoftWallet(), await served.api.offer(person))
    async with set_back(house) as served:
        await grown(served)
    async with house.open() as served:
        ruling = {"kind": "suspend", "reason": "under-review", "legal_basis": "Rules, part 9"}
        key = {"Idempotency-Key": "the-same-one"}
        for path, who, sent in (
            ("credentials", None, body),
            (f"people/{person}/decisions", "officer", ruling),
            (f"people/{person}/offers", "officer", {"type": VCT}),
            ("people", "officer", {"details": NEWCOMER}),
        ):
            status, problem = await served.api.call("POST", f"/api/v1/{path}", who, sent, key)
            assert (status, problem["type"]) == (503, "/problems/log-halted")
            assert "was signed, storage has" in problem["detail"]
            assert "idverify ledger new-shard" in problem["detail"]
        assert await served.office.store.fetch(queries.OPEN_ISSUANCES, IN_USE) == []
        await approved(served, await proposed(served))
        assert (await served.api.call("POST", "/api/v1/credentials", None, body, key))[0] == 201


async def test_people_sign_in_and_records_are_read_while_it_is_halted(house: Premises) -> None:
    """What is not recorded on the ledger goes on."""
    await halt(house)
    async with house.open() as served:
        officer = served.api.deployment.people["officer"]
        await served.api.sign_in(officer)
        people: list[Any] = await served.office.store.fetch(select(tables.person), {})
        for row in people:
            await served.api.ok("GET", f"/api/v1/people/{row['handle'].hex()}", "officer")
        await served.api.ok("POST", "/api/v1/sign-out", "officer")

        assert people


async def test_only_admins_enrol_while_it_is_halted(house: Premises) -> None:
    """It takes two to go on, so they can; what they did is recorded in the log that they open. Nobody else enrols."""
    async with house.open() as served:
        await grown(served)
        await served.api.officers()
        refused = await served.api.deployment.invite(Invited(Role.OFFICER, "Otto Officer"))
    async with set_back(house) as served:
        await grown(served)
    async with house.open() as served:
        size = served.office.log.size
        status, problem, _ = await served.api.send("POST", "/api/v1/enrolments/options", {"code": refused})
        assert (status, problem["type"]) == (503, "/problems/log-halted")
        await enrol_admins(served)
        with pytest.raises(LogHalted):
            await served.api.deployment.invite(Invited(Role.OFFICER, "Orla Officer"))
        await served.office.log_book.refresh()
        assert served.office.log.size == size
        waiting = [row["type"] for row in await served.office.store.fetch(queries.WAITING, {})]
        assert waiting == ["security.enrolment-made", "cover", "cover", "cover", "authenticator.bound"] * 2
        with closing(open_log(house.location)) as source:  # their keys are bound by entries that wait
            assert list(source.row_findings()) == []
        await approved(served, await proposed(served))
        assert [one.type for one in await entries(served, 2)][-5:] == [EntryType.ADMINISTRATION] * 4 + [EntryType.KEY]
        assert await served.office.store.fetch(queries.WAITING, {}) == []


async def test_metadata_are_loaded_while_it_is_halted(house: Premises) -> None:
    """They may tell that a key is weak; that they were loaded is recorded in the log that follows."""
    await halt(house)
    async with house.open() as served:
        await load_metadata(served.office)
        (waiting,) = await served.office.store.fetch(queries.WAITING, {})
        assert waiting["type"] == "policy.metadata-loaded"
        with closing(open_log(house.location)) as source:
            assert list(source.row_findings()) == []


async def test_rights_are_taken_away_also_while_it_is_halted(house: Premises) -> None:
    """An API key stops working, and somebody signs out everywhere; the log that follows says so."""
    await halt(house)
    async with house.open() as served:
        key = served.api.deployment.keys["employer"].split("_")[1]
        async with open_store(house.location, house.clock) as elsewhere:
            await access.revoke_key(elsewhere, house.clock, system_entropy, key)
        await served.api.ok("POST", "/api/v1/sign-out-everywhere", "officer")
        status, _ = await served.api.call("POST", "/api/v1/verification-requests", "employer", {"type": VCT})
        assert status == 401
        await approved(served, await proposed(served))
        types = select(tables.ledger_record.c.type).where(tables.ledger_record.c.shard == 2)
        recorded = [row["type"] for row in await served.office.store.fetch(types, {})]
        assert {"security.api-key-revoked", "security.signed-out-everywhere"} <= set(recorded)


async def test_a_status_list_says_what_was_decided_also_while_it_is_halted(house: Premises) -> None:
    """A list that changed is signed and shown; its digest is recorded once the log goes on."""
    await halt(house)
    async with house.open() as served:
        board, index = served.office.board, served.office.board.allocate().index
        row = {"status_list": board.uri, "status_index": index, "value": int(StatusValue.INVALID)}
        await served.office.store.commit(WriteSet((Put(tables.status_entry, row),)))
        await board.apply([(board.uri, index, StatusValue.INVALID)])
        listed = status_list.read(served.office.statuses.kept()[board.uri].token)
        assert listed.statuses.status_at(index) == StatusValue.INVALID
        before = [entry.type for entry in await entries(served, 1)]
        await board.publish()  # unchanged: signed again, and nothing waits for that
        await approved(served, await proposed(served))
        assert [entry.type for entry in await entries(served, 1)] == before
        assert [entry.type for entry in await entries(served, 2)].count(EntryType.STATUS_LIST) == 1


async def test_a_newer_copy_of_the_database_goes_on(house: Premises) -> None:
    """The halt stands in the older one: put back what is current, and the same log continues."""
    async with house.open() as served:
        await grown(served)
    restore_older = await backed_up(house.location)
    async with house.open() as served:
        await grown(served)
    restore_newest = await backed_up(house.location)
    await restore_older()
    async with house.open() as served:
        assert served.office.log_book.halted is not None
    await restore_newest()
    async with house.open() as served:
        await grown(served)
        assert (served.office.log.shard, served.office.log_book.halted) == (1, None)


async def test_silence_takes_back_no_halt(house: Premises) -> None:
    """A witness saw more, and cannot be reached at the next start: nothing is recorded until it has answered."""
    witness = OneWitness()
    house = replace(house, witnesses=witness.of)
    async with house.open() as served:
        await grown(served)
    for witness.standing in (Standing.AHEAD, Standing.UNREACHABLE):
        async with house.open() as served:
            assert "saw another log" in (served.office.log_book.halted or "")
            with pytest.raises(LogHalted):
                await served.office.store.commit(WriteSet((), (entry(1),)))
    witness.standing = Standing.AGREES
    async with house.open() as served:
        assert served.office.log_book.halted is None


async def test_what_waited_is_recorded_when_the_same_log_goes_on(house: Premises) -> None:
    """A halt that was a mistake: once guard and database agree, the next start takes it back."""
    async with house.open() as served:
        await enrol_admins(served)
        await grown(served)
    right = house.guard.remembered
    assert right is not None
    house.guard.remembered = Checkpoint(right.origin, right.size + 100, bytes(32))
    async with house.open() as served:
        await served.api.enrol("third", await served.api.deployment.invite(Invited(Role.ADMIN, "Alma Admin")))
        size = served.office.log.size
    house.guard.remembered = right
    async with house.open() as served:
        assert served.office.log_book.halted is None
        recorded = [one.type for one in await entries(served, 1)][size : size + 5]
        assert recorded == [EntryType.ADMINISTRATION] * 4 + [EntryType.KEY]


async def test_a_fork_that_shows_while_serving_halts_the_log(house: Premises) -> None:
    """The process goes on, and nothing is signed from there on."""
    async with house.open() as served:
        await grown(served)
        book, token = served.office.log_book, served.token

        async def fork() -> None:
            raise ForkError("another root was signed")

        book.publisher.publish_once = fork  # type: ignore[assignment,method-assign]
        await book.publish()
        del book.publisher.publish_once
        signed = house.guard.remembered
        await book.publish()
        with pytest.raises(LogHalted, match="another root was signed"):
            await served.office.store.write(lambda transaction: transaction.log())

        assert (book.halted, house.told) == ("another root was signed", ["another root was signed"])
        assert (house.guard.remembered, token.away) == (signed, None)


async def test_anything_but_a_fork_is_not_a_halt(house: Premises) -> None:
    """A part that is away comes back; what cannot be read ends the process, as before."""
    async with house.open() as served:
        await served.office.log_book.publish()
        served.token.away = Unavailable("The HSM is away.")
        await served.office.store.commit(WriteSet((), (entry(1),)))
        with pytest.raises(Unavailable):
            await served.office.log_book.publish()
        served.token.away = None
        await served.office.log_book.publish()
        assert served.office.log_book.halted is None


async def test_another_process_opened_or_halted_the_log(house: Premises) -> None:
    """Each cycle reads it again: a shard of another process is picked up, and so is its halt."""
    async with house.open() as served:
        await enrol_admins(served)
        await grown(served)
        waiting = await proposed(served)
        async with open_store(house.location, house.clock) as elsewhere:
            other = await house.office(elsewhere)
            await other.log_book.refresh()
            await approved(served, waiting)
            assert other.log.shard == 1
            await other.log_book.publish()
            assert (other.log.shard, other.log_book.covers(2, 0)) == (2, True)
            halted = Change(tables.ledger_state, {"shard": 2}, {"halted": "for a test"})
            await elsewhere.commit(WriteSet((halted,)))
        await served.office.log_book.publish()
        with pytest.raises(LogHalted):
            served.office.log_book.require_open()


async def test_a_closed_log_is_published_to_its_end_before_the_next(house: Premises) -> None:
    """Also where the process stopped right after the commit: the last checkpoint of the old log comes first."""
    async with house.open() as served:
        await enrol_admins(served)
        await grown(served)
        waiting = await proposed(served)
        served.office.log_book._published = _nothing  # type: ignore[method-assign]
        opened = await approved(served, waiting)
        assert served.office.logs[0].signed_size < served.office.logs[0].size
        closing = len(await entries(served, 1)) - 1
        with pytest.raises(TimeoutError):
            await served.office.log_book.wait_covered(1, closing, 0)
    assert house.guard.remembered is not None
    assert house.guard.remembered.origin.endswith("/log/1")
    written: list[Checkpoint] = []
    keep = house.guard.write

    async def write(checkpoint: Checkpoint) -> None:
        written.append(checkpoint)
        await keep(checkpoint)

    house.guard.write = write  # type: ignore[method-assign]
    async with house.open() as served:
        assert written[0] == opened.previous
        assert {checkpoint.origin for checkpoint in written[1:]} == {opened.origin}
        assert await served.office.log_book.receipt_proof(1, closing)


async def test_witnesses_are_asked_for_the_end_of_a_closed_log_until_they_signed_it(house: Premises) -> None:
    """Also of a log that a process closed before this one began. One late second costs its tail no quorum for good."""
    asked: list[Checkpoint] = []
    late: set[str] = set()
    lines = f"witness w {vkey(WITNESS.verifier)}\nquorum w\n"
    house = replace(house, witnesses=lambda log: LateWitness(log.policy, late, asked), witness_lines=lines)
    async with house.open() as served:
        await enrol_admins(served)
        await grown(served)
        waiting = await proposed(served)
        late.add(served.office.log_book.current.origin)
        await approved(served, waiting)
        await served.office.log_book.publish()
        assert served.office.logs[0].signed_size == served.office.logs[0].size > served.office.logs[0].quorum_size
    async with house.open() as served:
        book = served.office.log_book
        late.clear()
        await book.publish()
        end = len(await entries(served, 1))
        latest = await book.snapshot(1)
        shown = (book.logs[0].signed_size, book.logs[0].quorum_size)
        asked.clear()
        await book.publish()

        assert shown == (end, end)
        assert latest is not None
        assert latest.quorum is not None
        assert latest.quorum.tree.size == end
        assert {checkpoint.origin for checkpoint in asked} <= {book.current.origin}


async def test_receipts_of_an_old_shard_come_from_its_last_checkpoint(house: Premises) -> None:
    """They are served as before and verify; the old log is never signed again, not even for what it left over."""
    async with house.open() as served:
        await enrol_admins(served)
        held = await holding(served.api, wait=2)
    async with set_back(house) as served:
        await grown(served)
    async with house.open() as served:
        handle, token = bytes.fromhex(held.answer["handle"]), held.answer["receipt_token"]
        while_halted = await receipts.receipt(served.office, handle, token, 0)
        await approved(served, await proposed(served))
        later = await holding(served.api, wait=2)
        old = held.answer["ledger"]["origin"].encode() + b"\n"
        before = [note for note in served.token.notes if note.startswith(old)]
        afterwards = await receipts.receipt(served.office, handle, token, 0)
        sent = {"document": held.credential, "receipt": afterwards.decode()}
        verdict = await served.api.ok("POST", "/api/v1/verify", "officer", sent)

        assert results(verdict)["receipt"] == "pass"
        assert [note for note in served.token.notes if note.startswith(old)] == before
        assert TlogProof.decode(afterwards).checkpoint_note == TlogProof.decode(while_halted).checkpoint_note
        assert held.answer["ledger"]["origin"].endswith("/log/1")
        assert later.answer["ledger"]["origin"].endswith("/log/2")


async def test_an_entry_that_a_log_left_unpublished_has_no_receipt(house: Premises) -> None:
    """While it is halted: not now. Once another follows: never, and that is said."""
    async with house.open() as served:
        await enrol_admins(served)
        await grown(served)
        served.office.log_book._published = _nothing  # type: ignore[method-assign]
        held = await holding(served.api)
    house.guard.remembered = Checkpoint(house.guard.remembered.origin, 1000, bytes(32))  # type: ignore[union-attr]
    async with house.open() as served:
        handle, token = bytes.fromhex(held.answer["handle"]), held.answer["receipt_token"]
        with pytest.raises(LogHalted):
            await receipts.receipt(served.office, handle, token, 0)
        await approved(served, await proposed(served))
        with pytest.raises(Gone, match="can be no receipt"):
            await receipts.receipt(served.office, handle, token, 0)


async def _nothing() -> bool:
    return True


@dataclass(frozen=True)
class LateWitness:
    """`ledger.publisher.Witnesses` of one that signs, but nothing of the logs for which it comes too late."""

    policy: Policy
    late: set[str]
    asked: list[Checkpoint]

    async def compare(self, note: bytes | None, prove: Prove | None = None) -> list[Comparison]:
        """It agrees."""
        del note, prove
        return [Comparison("https://witness.example", ("w",), Standing.AGREES)]

    async def cosign(self, note: bytes, prove: Prove) -> list[NoteSignature]:
        """What it is shown in time."""
        del prove
        text = split_note(note)[0]
        self.asked.append(Checkpoint.parse(text))
        return [] if self.asked[-1].origin in self.late else [WITNESS.cosign(text, NOW)]


class OneWitness:
    """`ledger.publisher.Witnesses` of one that must have signed, and says whatever it is told to."""

    standing = Standing.AGREES
    policy: Policy

    def of(self, log: LogPolicy) -> OneWitness:
        """As the witness of this log."""
        self.policy = replace(log.policy, witnesses=(PolicyWitness("w", WITNESS.verifier),), quorum="w")
        return self

    async def compare(self, note: bytes | None, prove: Prove | None = None) -> list[Comparison]:
        """What it is told to say."""
        del note, prove
        return [Comparison("https://witness.example", ("w",), self.standing)]

    async def cosign(self, note: bytes, prove: Prove) -> list[NoteSignature]:
        """Whatever it is shown."""
        del prove
        return [WITNESS.cosign(split_note(note)[0], NOW)]
