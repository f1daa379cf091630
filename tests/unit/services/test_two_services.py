"""Two services over one database: neither takes back, or gives away again, what the other did."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

import pytest
from sqlalchemy import select

from idverify.formats import status_list
from idverify.formats.status_list import StatusValue
from idverify.services import recover
from idverify.services.office import Office
from idverify.stores import tables
from idverify.stores.open import Location
from idverify.stores.wrapped_keys import wrapped_keys
from idverify.stores.writes import Put, WriteSet
from tests.simulators.holder import decided_by_two, holding
from tests.simulators.software_office import Premises, SoftToken, both, premises


@pytest.fixture
async def house(tmp_path: Path, location: Location) -> AsyncIterator[Premises]:
    """A deployment over each driver."""
    async with premises(tmp_path, location) as made:
        yield made


def _listed(office: Office, index: int) -> StatusValue:
    token = office.statuses.kept()[office.board.uri].token
    return StatusValue(status_list.read(token).statuses.status_at(index))


async def test_neither_takes_back_what_the_other_revoked(house: Premises) -> None:
    """The other one signs its list again: the revocation that it never heard of is in it."""
    async with both(house) as (served, other):
        held = await holding(served.api)
        await decided_by_two(served.api, held.person, "revoke", "fraud-found")
        (index,) = await _places(served.office)
        assert _listed(other, index) == StatusValue.VALID
        await other.board.publish()
        assert _listed(other, index) == StatusValue.INVALID
        await served.office.board.publish()
        assert _listed(served.office, index) == StatusValue.INVALID


@dataclass
class Slow:
    """A token that lets something happen before its first signature."""

    token: SoftToken
    meanwhile: Callable[[], Awaitable[None]] | None

    async def sign(self, key_id: bytes, message: bytes) -> bytes:
        happen, self.meanwhile = self.meanwhile, None
        if happen is not None:
            await happen()
        return await self.token.sign(key_id, message)


async def test_a_list_published_meanwhile_is_read_first(house: Premises) -> None:
    """Between reading and writing the other one was faster: what is signed is signed anew, with both changes."""
    async with both(house) as (served, other):
        one, two = await holding(served.api), await holding(served.api)
        await decided_by_two(served.api, one.person, "revoke", "fraud-found")

        async def revoke() -> None:
            await decided_by_two(served.api, two.person, "revoke", "fraud-found")

        other.board._press._signer = Slow(house.token, revoke)  # type: ignore[assignment]
        await other.board.publish()

        assert [_listed(other, index) for index in await _places(other)] == [StatusValue.INVALID] * 2


async def test_a_place_that_the_other_took_is_not_given_again(house: Premises) -> None:
    """Both draw the same place: whoever is later reads which are taken, and draws once more."""
    async with both(house) as (served, other):
        held, office = await holding(served.api), served.office
        (taken,) = await _places(other)
        draws = chain((taken, taken), (taken ^ further for further in count(1)))  # some of them are decoys
        listed = office.board.list_at(office.board.uri)
        assert listed is not None
        listed._taken[taken] = 0
        office.board._entropy = lambda _: next(draws).to_bytes(4, "big")
        again = await holding(served.api, held.person)

        assert again.answer["handle"] != held.answer["handle"]
        places = await _places(other)
        assert taken in places
        assert len(set(places)) == len(places) == 2


async def test_a_place_of_somebody_whom_the_other_erased_is_not_given_again(house: Premises) -> None:
    """No issuance of theirs is there any more, only the row that keeps the place; whoever draws it draws once more."""
    async with both(house) as (served, other):
        office = served.office
        free = office.board.allocate().index
        kept = {"status_list": office.board.uri, "status_index": free, "value": 0}
        await other.store.commit(WriteSet((Put(tables.status_entry, kept),)))
        listed = office.board.list_at(office.board.uri)
        assert listed is not None
        listed._taken[free] = 0
        draws = iter([free, free ^ 1, free ^ 2, free ^ 3])
        office.board._entropy = lambda _: next(draws).to_bytes(4, "big")
        await holding(served.api)

        (place,) = await _places(other)
        assert place in {free ^ 1, free ^ 2, free ^ 3}


async def test_what_the_other_finished_is_left_alone(house: Premises, monkeypatch: pytest.MonkeyPatch) -> None:
    """An intent that was open when a second service started, and finished a moment later, stays issued."""
    finished = select(tables.issuance, wrapped_keys(tables.issuance.c.person_id)).join(
        tables.person_key, tables.person_key.c.person_id == tables.issuance.c.person_id
    )
    async with both(house) as (served, other):
        await holding(served.api)
        monkeypatch.setattr(recover, "_open_issuances", lambda office: office.store.fetch(finished, {}))
        assert await recover.close_open_issuances(other) == 1

        states = [row["state"] for row in await other.store.fetch(select(tables.issuance.c.state), {})]
        assert states == ["issued"]


async def _places(office: Office) -> list[int]:
    rows = await office.store.fetch(select(tables.credential.c.status_index), {})
    return [row["status_index"] for row in rows]
