"""Batches of letters: one letter each, on through failures and restarts, and never two for one order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from idverify.core.letter_choices import LetterChoices
from idverify.core.policy import Principal
from idverify.errors import NotFound, Unprocessable
from idverify.services import letter_batch, letter_pdf
from idverify.services.ceremonies import Given
from idverify.services.letter_batch import Batch, LetterState
from idverify.stores import tables
from idverify.stores.open import Location
from idverify.stores.writes import Insert, Remove, WriteSet
from tests.simulators.holder import decided_by_two
from tests.simulators.invariants import broken
from tests.simulators.printed_letters import made, printed, published
from tests.simulators.service import VCT
from tests.simulators.software_office import Premises, SoftwareOffice, premises
from tests.unit.services.test_issue import Interrupted, PowerCut


@pytest.fixture
async def house(tmp_path: Path, location: Location) -> AsyncIterator[Premises]:
    """A deployment over each driver; whatever was done, the rows hold at the end."""
    async with premises(tmp_path, location) as made:
        yield made
    assert broken(location) == []


async def _ordered(served: SoftwareOffice, people: list[bytes], **choices: Any) -> Batch:
    wanted = LetterChoices(**{"type": VCT} | choices)

    async def act(officer: Principal, given: Given | None) -> Batch:
        return await letter_batch.order(served.office, officer, people, wanted, given)

    return await served.confirmed("officer", act)


async def _people(served: SoftwareOffice, number: int) -> list[bytes]:
    return [bytes.fromhex(await served.api.person_with_status()) for _ in range(number)]


async def _rows(served: SoftwareOffice, table: Any) -> list[Any]:
    return await served.office.store.fetch(select(table), {})


@pytest.mark.drivers_alike
async def test_each_gets_a_letter(house: Premises) -> None:
    """In the order of the list, with one confirmation; each person sees that it was ordered and made."""
    async with house.open() as served:
        people = await _people(served, 3)
        batch = await _ordered(served, people, language="cy", large_print=True)
        done = await made(served, batch.handle)
        officer = await served.principal("officer")
        _, orders = await letter_batch.batch(served.office, officer, batch.handle)

        assert (done.total, done.made, done.failed) == (3, 3, 0)
        assert [one.person for one in orders] == people
        for one in orders:
            assert one.letter is not None
            assert (await letter_pdf.letter_file(served.office, officer, one.letter)).digest == one.digest
        looks = [row["verdict"] for row in await _rows(served, tables.look) if row["channel"] == "letter"]
        assert (looks.count("ordered"), looks.count("made")) == (3, 3)


@pytest.mark.drivers_alike
async def test_who_cannot_get_one_holds_up_nobody(house: Premises) -> None:
    """A suspended person is told of with the reason; the others have theirs."""
    async with house.open() as served:
        first, suspended, last = await _people(served, 3)
        await decided_by_two(served.api, suspended.hex(), "suspend", "under-review")
        batch = await _ordered(served, [first, suspended, last])
        done = await made(served, batch.handle)
        _, orders = await letter_batch.batch(served.office, await served.principal("officer"), batch.handle)

        assert (done.made, done.failed) == (2, 1)
        assert [one.state for one in orders] == [LetterState.MADE, LetterState.FAILED, LetterState.MADE]
        assert "suspended" in str(orders[1].failed_for)


async def test_it_goes_on_after_a_restart(house: Premises) -> None:
    """The power goes in the middle of a letter: whoever serves next makes the rest, and nobody gets two."""
    async with house.open() as served:
        people = await _people(served, 4)
        served.token.away = None

        async def cut() -> None:
            raise PowerCut

        torn = replace(served.office, signer=Interrupted(served.token, cut))
        batch = await _ordered(served, people)
        with pytest.raises(PowerCut):
            await letter_batch.make_some(torn)
    async with house.open() as served:
        done = await made(served, batch.handle)

        assert (done.made, done.failed) == (4, 0)
        assert len(await _rows(served, tables.letter)) == 4
        issued = [row["state"] for row in await _rows(served, tables.issuance)]
        assert issued.count("issued") == 4


async def test_two_processes_make_one_each(house: Premises) -> None:
    """Both take the same order up: one copy is the letter's, the other is void."""
    async with house.open() as served:
        batch = await _ordered(served, await _people(served, 2))
        await asyncio.gather(*(letter_batch.make_some(served.office) for _ in range(3)), made(served, batch.handle))

        assert len(await _rows(served, tables.letter)) == 2


async def test_what_cannot_be_ordered(house: Premises) -> None:
    """Nobody, somebody twice, somebody unknown, a document that has no letter."""
    async with house.open() as served:
        officer, (person,) = await served.principal("officer"), await _people(served, 1)
        wanted = LetterChoices(type=VCT)
        for people in ([], [person, person]):
            with pytest.raises(Unprocessable):
                await letter_batch.order(served.office, officer, people, wanted, None)
        with pytest.raises(NotFound):
            await letter_batch.order(served.office, officer, [bytes(16)], wanted, None)
        unlettered = LetterChoices(type="org.iso.18013.5.1.mDL")
        with pytest.raises(Unprocessable):
            await letter_batch.order(served.office, officer, [person], unlettered, None)


async def test_who_is_due(house: Premises) -> None:
    """Over each driver: whoever has no letter that goes on beyond the time, and none on order."""
    async with house.open() as served:
        office, officer = served.office, await served.principal("officer")
        none, has, on_order, withdrawn = await _people(served, 4)
        for person in (has, withdrawn):
            handle = await printed(served, person)
            await published(served, letter_pdf.finish(office, handle))
        await decided_by_two(served.api, withdrawn.hex(), "suspend", "under-review")
        await decided_by_two(served.api, withdrawn.hex(), "reinstate", "review-closed")
        (view,) = await letter_pdf.letters_of(office, officer, withdrawn)
        now = office.clock.now()
        due = await letter_batch.due(office, officer, VCT, now)
        assert (none in due, has in due, withdrawn in due) == (True, False, view.status != "valid")
        assert has in await letter_batch.due(office, officer, VCT, now + 2 * 366 * 86_400)
        assert await letter_batch.due(office, officer, "urn:eudi:pid:1", now) == []
        with pytest.raises(Unprocessable):
            await letter_batch.due(office, officer, "org.iso.18013.5.1.mDL", now)
        await _ordered(served, [on_order])
        batch = await _ordered(served, [none])
        assert none not in await letter_batch.due(office, officer, VCT, now)
        done = await made(served, batch.handle)
        assert done in await letter_batch.batches(office, officer)


async def test_due_is_found_page_by_page(house: Premises, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, nobody is left out, and no more are given than asked for."""
    monkeypatch.setattr(letter_batch, "_PAGE", 2)
    async with house.open() as served:
        people, officer = await _people(served, 5), await served.principal("officer")
        assert sorted(await letter_batch.due(served.office, officer, VCT, 0)) == sorted(people)
        monkeypatch.setattr(letter_batch, "MOST_DUE", 3)
        assert len(await letter_batch.due(served.office, officer, VCT, 0)) == 3


async def _person_row(served: SoftwareOffice, handle: bytes) -> Any:
    (row,) = await served.office.store.fetch(select(tables.person.c.id).where(tables.person.c.handle == handle), {})
    return row["id"]


@pytest.mark.drivers_alike
@pytest.mark.parametrize("forged", ["the whole again", "somebody more", "somebody else", "in another way"])
async def test_a_row_orders_no_letter(house: Premises, forged: str) -> None:
    """Whoever may write to the database orders letters by rows that name the confirmation of an officer: in vain."""
    async with house.open() as served:
        people = await _people(served, 2)
        batch = await _ordered(served, people[:1])
        assert (await made(served, batch.handle)).made == 1
        rows = [await _person_row(served, one) for one in people]
        listed = {"somebody more": rows, "somebody else": rows[1:]}.get(forged, rows[:1])
        (kept,) = await _rows(served, tables.letter_batch)
        other = {**dict(kept), "id": b"\xff" * 16, "handle": b"\x07" * 16}
        if forged == "in another way":
            other["choices"] = LetterChoices(type=VCT, large_print=True).model_dump_json()
        order = {"batch_id": other["id"], "state": "waiting", "letter_id": None, "failed_for": None}
        orders = [order | {"position": place, "person_id": row} for place, row in enumerate(listed)]
        writes = (Insert(tables.letter_batch, other), *(Insert(tables.letter_order, one) for one in orders))
        if forged == "somebody else":  # and nothing is left of the true one
            ours = {"batch_id": kept["id"]}
            writes = (Remove(tables.letter_order, ours), Remove(tables.letter_batch, {"id": kept["id"]}), *writes)
        await served.office.store.commit(WriteSet(writes))

        done = await made(served, other["handle"])
        assert (done.made, done.failed) == (0, len(listed))
        assert len(await _rows(served, tables.letter)) == 1
