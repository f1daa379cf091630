"""A person gets the whole list of their entries, signed, and can tell where it does not fit what they hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import select

from idverify.errors import NotAllowed, NotFound, Unavailable
from idverify.formats.entries_statement import Statement, open_statement
from idverify.ledger.checkpoint import Checkpoint
from idverify.ledger.note import split_note
from idverify.ledger.proof import TlogProof
from idverify.ledger.receipt import Opening
from idverify.services import own_entries
from idverify.services.completeness import NOT_JUDGED, Finding, Held, compare
from idverify.services.people import read
from idverify.stores import tables
from tests.simulators.holder import Holding, decided_by_two, holding_with_receipt
from tests.simulators.software_office import SoftwareOffice


@dataclass(frozen=True)
class Life:
    """A person with an account and two credentials, one of them revoked since; another person with one."""

    served: SoftwareOffice
    citizen: str
    held: tuple[Holding, Holding]
    other: Holding

    @property
    def wallet(self) -> list[Held]:
        """What the person holds."""
        return [in_wallet(one) for one in self.held]

    async def statement(self) -> Statement:
        """The list, as the person reads it."""
        citizen = await self.served.principal(self.citizen)
        return open_statement(await own_entries.statement(self.served.office, citizen), self.served.office.trust)

    async def rows(self) -> list[Any]:
        """The rows of the person's entries."""
        person = await read(self.served.office, bytes.fromhex(self.held[0].person))
        query = select(tables.ledger_record).where(tables.ledger_record.c.person_id == person.id)
        return await self.served.office.store.fetch(query.order_by(tables.ledger_record.c.ledger_index), {})


def in_wallet(held: Holding) -> Held:
    return Held(held.credential.encode(), held.answer["receipt"].encode())


@pytest.fixture
async def life(served: SoftwareOffice) -> Life:
    """Everything is covered by a checkpoint."""
    first = await holding_with_receipt(served)
    await decided_by_two(served.api, first.person, "suspend", "under-review")
    await decided_by_two(served.api, first.person, "reinstate", "review-closed")
    second, other = await holding_with_receipt(served, first.person), await holding_with_receipt(served)
    citizen = await served.api.enrol_citizen(first.person)
    await served.office.publisher.publish_once()
    return Life(served, citizen, (first, second), other)


def findings(said: Statement, held: list[Held], life: Life) -> list[tuple[Finding, int | None]]:
    return [(one.finding, one.index) for one in compare(said, held, life.served.office.log_book.policy)]


async def test_the_list_is_whole(life: Life) -> None:
    """Every entry about the person, and no other, with its handle and true type, below the size of a signed tree."""
    said, rows = await life.statement(), await life.rows()

    assert [(one.index, one.handle, one.type) for one in said.entries] == [
        (row["ledger_index"], row["handle"], row["type"]) for row in rows
    ]
    assert said.subject == life.held[0].person
    assert said.size > max(one.index for one in said.entries)
    assert {one.type for one in said.entries} >= {"credential.issued", "decision.suspend", "authenticator.bound"}
    assert findings(said, life.wallet, life) == []


async def test_what_is_not_covered_yet_comes_later(life: Life) -> None:
    """An entry that no checkpoint covers is not on the list, and a receipt that came after it is no contradiction."""
    early = await life.statement()
    third = await holding_with_receipt(life.served, life.held[0].person)

    later = await life.statement()

    assert findings(early, [*life.wallet, in_wallet(third)], life) == [(Finding.LATER, third.answer["ledger"]["index"])]
    assert findings(later, [*life.wallet, in_wallet(third)], life) == []


@pytest.mark.drivers_alike
async def test_a_list_that_stops_early(life: Life) -> None:
    """A fresh list of a small tree conceals as well: what it had to cover when it was made is not later."""
    early = await life.statement()
    third = await holding_with_receipt(life.served, life.held[0].person)
    index = third.answer["ledger"]["index"]
    made = next(one.time for one in (await life.statement()).entries if one.index == index)
    wallet = [*life.wallet, in_wallet(third)]

    assert findings(replace(early, issued_at=made + 120), wallet, life) == [(Finding.LATER, index)]
    assert findings(replace(early, issued_at=made + 121), wallet, life) == [(Finding.STALE, index)]
    assert Finding.STALE not in NOT_JUDGED


@pytest.mark.drivers_alike
async def test_a_list_of_another_tree(life: Life) -> None:
    """A receipt and a list under two trees of one size show that the log tells two stories."""
    said, first = await life.statement(), life.held[0]
    tree = Checkpoint.parse(split_note(TlogProof.decode(first.answer["receipt"].encode()).checkpoint_note)[0])
    listed = tuple(one for one in said.entries if one.index < tree.size)
    same = replace(said, size=tree.size, root=tree.root, entries=listed)

    assert findings(same, [in_wallet(first)], life) == []
    assert findings(replace(same, root=bytes(32)), [in_wallet(first)], life) == [
        (Finding.CONTRADICTING, first.answer["ledger"]["index"])
    ]


@pytest.mark.drivers_alike
async def test_a_list_that_conceals(life: Life) -> None:
    """A credential whose receipt the holder has, and the list has not, is named."""
    said, index = await life.statement(), life.held[1].answer["ledger"]["index"]
    shorter = replace(said, entries=tuple(one for one in said.entries if one.index != index))

    assert findings(shorter, life.wallet, life) == [(Finding.MISSING, index)]


@pytest.mark.drivers_alike
async def test_a_credential_in_somebodys_name(life: Life) -> None:
    """A credential on the list that the holder never got is named."""
    index = life.held[1].answer["ledger"]["index"]

    assert findings(await life.statement(), life.wallet[:1], life) == [(Finding.EXTRA, index)]


@pytest.mark.drivers_alike
@pytest.mark.parametrize("told", ["type", "handle", "time"])
async def test_a_list_that_contradicts(life: Life, told: str) -> None:
    """The same entry with another type, handle or time is named."""
    said, index = await life.statement(), life.held[0].answer["ledger"]["index"]
    other: dict[str, Any] = {"type": "credential.valid", "handle": bytes(16), "time": 60}
    changed = tuple(replace(one, **{told: other[told]}) if one.index == index else one for one in said.entries)

    assert findings(replace(said, entries=changed), life.wallet, life) == [(Finding.CONTRADICTING, index)]


@pytest.mark.drivers_alike
async def test_somebody_elses_receipt(life: Life) -> None:
    """A receipt of another person's credential is on no list of one's own; one that is of neither does not hold."""
    said, first = await life.statement(), life.wallet[0]
    index = life.other.answer["ledger"]["index"]
    mixed = Held(first.credential, in_wallet(life.other).receipt)

    assert findings(said, [*life.wallet, in_wallet(life.other)], life) == [(Finding.MISSING, index)]
    assert findings(said, [*life.wallet, mixed], life) == [(Finding.BROKEN, None)]


@pytest.mark.drivers_alike
async def test_without_a_receipt(life: Life) -> None:
    """Whoever never fetched a receipt can be told nothing of it."""
    said, (first, second) = await life.statement(), life.wallet
    index = life.held[1].answer["ledger"]["index"]

    assert findings(said, [first, replace(second, receipt=None)], life) == [
        (Finding.NO_RECEIPT, None),
        (Finding.EXTRA, index),
    ]


async def test_a_receipt_for_every_entry(life: Life) -> None:
    """Each entry on the list opens for the person it is about, and for nobody else."""
    citizen, said = await life.served.principal(life.citizen), await life.statement()

    for place in said.entries:
        proof = TlogProof.decode(await own_entries.receipt(life.served.office, citizen, 1, place.index))
        assert proof.extra is not None
        assert Opening.decode(proof.extra).record.type == place.type
    for index in (life.other.answer["ledger"]["index"], 0, 10**9):
        with pytest.raises(NotFound):
            await own_entries.receipt(life.served.office, citizen, 1, index)


@pytest.mark.drivers_alike
async def test_for_citizens_alone(life: Life) -> None:
    """Staff see no list."""
    for who in ("officer", "admin"):
        principal = await life.served.principal(who)
        with pytest.raises(NotAllowed):
            await own_entries.statement(life.served.office, principal)
        with pytest.raises(NotAllowed):
            await own_entries.receipt(life.served.office, principal, 1, 0)


async def test_by_the_api(life: Life) -> None:
    """The list is a JWT that no cache keeps; a receipt is a .tlog-proof; what is nobody's is not found."""
    headers = await life.served.api.identity(life.citizen)
    status, signed, answered = await life.served.api.send("GET", "/api/v1/own-entries", None, headers)
    index = life.held[0].answer["ledger"]["index"]
    got, proof, _ = await life.served.api.send("GET", f"/api/v1/own-entries/1/{index}/receipt", None, headers)

    assert (status, answered["Content-Type"], answered["Cache-Control"]) == (200, "application/jwt", "no-store")
    assert open_statement(signed, life.served.office.trust).subject == life.held[0].person
    assert (got, TlogProof.decode(proof).index) == (200, index)
    status, problem = await life.served.api.call("GET", "/api/v1/own-entries/1/0/receipt", life.citizen)
    assert (status, problem["type"]) == (404, "/problems/not-found")


@pytest.mark.drivers_alike
async def test_an_older_deployment(life: Life) -> None:
    """A deployment from before there was a key for it says so."""
    keys = replace(life.served.office.keys, issuers={})
    citizen = await life.served.principal(life.citizen)

    with pytest.raises(Unavailable, match="entries-signer"):
        await own_entries.statement(replace(life.served.office, keys=keys), citizen)
