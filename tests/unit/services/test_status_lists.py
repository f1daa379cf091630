"""Our lists: one after the other, with decoys, in an order that never goes back, for every process alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from idverify.errors import Unavailable
from idverify.formats import status_list, status_list_cwt
from idverify.formats.status_list import StatusListToken, StatusValue
from idverify.services import status_lists
from idverify.services.office import Office
from idverify.services.own_list import MOST_TAKEN, SIZE, OwnList
from idverify.services.status_lists import COVER_ONE_IN, REFRESH_SECONDS
from idverify.services.status_publication import FIRST_MOVES, MOST_MOVES
from idverify.stores import queries, tables
from idverify.stores.open import Location, open_log
from idverify.stores.writes import Change, WriteSet
from tests.simulators.databases import changed, copied
from tests.simulators.holder import decided_by_two, holding
from tests.simulators.software_office import Premises, both, premises


@pytest.fixture
async def house(tmp_path: Path, location: Location) -> AsyncIterator[Premises]:
    """A deployment over each driver."""
    async with premises(tmp_path, location) as made:
        yield made


def shown(office: Office, number: int = 1) -> StatusListToken:
    """A list as the office shows it, after both forms were found to say the same."""
    kept = office.statuses.kept()[f"{office.deployment.status_base}/{number}"]
    assert kept.cwt is not None
    one, other = status_list.read(kept.token), status_list_cwt.read(kept.cwt)
    assert (one.claims, one.statuses) == (other.claims, other.statuses)
    return one


def counts(office: Office) -> dict[StatusValue, int]:
    """What whoever counts a list's entries finds."""
    statuses = shown(office).statuses
    return {value: sum(1 for _ in statuses.places_of(value)) for value in (StatusValue.INVALID, StatusValue.SUSPENDED)}


async def copies(office: Office) -> list[Any]:
    """Rows of every credential."""
    return await office.store.fetch(select(tables.credential), {})


async def published(office: Office) -> int:
    """How many status lists stand on the ledger."""
    types = select(tables.ledger_record.c.type)
    return [row["type"] for row in await office.store.fetch(types, {})].count("status-list.published")


def findings(location: Location) -> set[str]:
    """What an audit of the rows finds."""
    source = open_log(location)
    try:
        return {rule for _, rule in source.row_findings()}
    finally:
        source.close()


async def test_counting_tells_little(house: Premises) -> None:
    """Thousands of entries of nobody from the first day, some suspended; a few more move with each change."""
    async with house.open() as served:
        before = counts(served.office)
        reinstated = FIRST_MOVES // 8  # at most: one in sixteen of those that moved, as the seed has it
        assert FIRST_MOVES - reinstated <= sum(before.values()) <= 2 * FIRST_MOVES
        assert before[StatusValue.SUSPENDED] > 0
        held = await holding(served.api)
        await decided_by_two(served.api, held.person, "revoke", "fraud-found")
        after = counts(served.office)
        assert 0 < after[StatusValue.INVALID] - before[StatusValue.INVALID] <= 1 + 2 * MOST_MOVES
        (copy,) = await copies(served.office)
        listed = served.office.board.list_at(copy["status_list"])
        assert listed is not None
        assert copy["status_index"] not in listed.decoys.indices
    assert findings(house.location) == set()


async def test_what_did_not_change_is_signed_again_and_recorded_once(house: Premises) -> None:
    """The content stays, decoys and all; its version rises, its time never goes back, and no entry is made."""
    async with house.open() as served:
        office = served.office
        first, entries = shown(office), await published(office)
        house.clock.advance(-3600)
        await office.board.publish()
        second = shown(office)
        house.clock.advance(3600 + 5)
        await office.board.publish()
        third = shown(office)

        assert first.statuses == second.statuses == third.statuses
        versions = [one.claims.version for one in (first, second, third)]
        assert versions == [1, 2, 3]
        times = [one.claims.issued_at for one in (first, second, third)]
        assert times == [times[0], times[0], times[0] + 5]
        assert await published(office) == entries


async def test_decoys_move_when_nothing_was_decided(house: Premises, monkeypatch: pytest.MonkeyPatch) -> None:
    """At random, one refresh in so many: then a change of the list tells of no decision."""
    async with house.open() as served:
        office = served.office
        before, entries = shown(office).statuses, await published(office)
        house.clock.advance(REFRESH_SECONDS)
        monkeypatch.setattr(office.board, "_entropy", lambda n: bytes([256 // COVER_ONE_IN - 1]) * n)
        await office.board._keep_up()
        moved = shown(office).statuses
        house.clock.advance(REFRESH_SECONDS)
        monkeypatch.setattr(office.board, "_entropy", lambda n: bytes([256 // COVER_ONE_IN]) * n)
        await office.board._keep_up()

        assert moved != before
        assert shown(office).statuses == moved
        assert await published(office) == entries + 1
    assert findings(house.location) == set()


async def test_the_next_list_is_opened_before_this_one_is_full(
    house: Premises, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is there before anybody refers to it, both give indices while both have room, and a decision reaches both."""
    async with both(house) as (served, other):
        office = served.office
        first = await holding(served.api)
        monkeypatch.setattr(status_lists, "OPEN_NEXT_AT", SIZE // RESERVED)
        await office.board._keep_up()
        assert office.board.uris == tuple(f"{office.deployment.status_base}/{number}" for number in (1, 2))
        assert shown(office, 2).claims.version == 1
        drawn = {office.board.allocate().uri for _ in range(64)}
        assert drawn == set(office.board.uris)

        fill(office, 1)
        second = await holding(served.api, first.person)
        assert {row["status_list"] for row in await copies(office)} == set(office.board.uris)
        assert await served.api.ok("GET", "/status/2") == office.statuses.kept()[office.board.uri].token
        await other.board.find(
            office.board.uri
        )  # a process that has not heard of it yet finds it where it is asked for
        assert shown(other, 2).claims == shown(office, 2).claims

        monkeypatch.setattr(status_lists, "OPEN_NEXT_AT", SIZE)
        await decided_by_two(served.api, first.person, "revoke", "fraud-found")
        for row in await copies(office):
            number = int(row["status_list"].rpartition("/")[2])
            assert shown(office, number).statuses.status_at(row["status_index"]) == StatusValue.INVALID
        for held in (first, second):
            verdict = await served.api.ok("POST", "/api/v1/verify", "officer", {"document": held.credential})
            assert verdict["verdict"] == "reject"
    assert findings(house.location) == set()
    async with house.open() as again:
        assert len(again.office.board.uris) == 2


RESERVED = 8


def fill(office: Office, number: int) -> None:
    """Let a list have no room left."""
    listed = office.board.list_at(f"{office.deployment.status_base}/{number}")
    assert listed is not None
    listed.count(MOST_TAKEN)


async def test_two_processes_open_one_list(house: Premises, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is later takes the one that is there; neither gives away what the other did, nor a decoy."""
    async with both(house) as (served, other):
        monkeypatch.setattr(status_lists, "OPEN_NEXT_AT", SIZE // RESERVED)
        await served.office.board._keep_up()
        await other.board._open_next()
        await other.board._keep_up()

        assert served.office.board.uris == other.board.uris[:2]
        seeds = {office.board.list_at(other.board.uris[1]).seed for office in (served.office, other)}  # type: ignore[union-attr]
        assert len(seeds) == 1


async def test_a_list_of_before_there_were_decoys_is_followed_by_one_with(house: Premises) -> None:
    """Of the old list any index may be somebody's, so it gets none; it is kept up all the same."""
    async with house.open() as served:
        held = await holding(served.api)
        (old,) = served.office.board.uris
        forget = Change(tables.status_list, {"status_list": old}, {"seed": None})
        unmoved = Change(tables.status_publication, {"status_list": old}, {"decoys": None, "cwt": None})
        await served.office.store.commit(WriteSet((forget, unmoved)))
    async with house.open() as served:
        assert len(served.office.board.uris) == 2
        await decided_by_two(served.api, held.person, "revoke", "fraud-found")
        (copy,) = await copies(served.office)
        assert shown(served.office).statuses.status_at(copy["status_index"]) == StatusValue.INVALID
        assert shown(served.office, 2).claims.version is not None


async def test_another_process_shows_what_was_published(house: Premises) -> None:
    """Within seconds, without signing anything; and what it decides itself goes into the list of both."""
    async with both(house) as (served, other):
        held = await holding(served.api)
        await decided_by_two(served.api, held.person, "revoke", "fraud-found")
        before = shown(other).claims.version
        await other.board._keep_up()

        assert shown(other).claims == shown(served.office).claims
        assert (before or 0) < (shown(other).claims.version or 0)


async def test_a_decision_of_a_process_that_is_gone_is_shown_by_another(house: Premises) -> None:
    """Committed and not yet in the list when its process died: whoever signs next reads the rows again."""
    async with both(house) as (served, other):
        held = await holding(served.api)
        served.office.board._lists.clear()  # it will not show anything any more

        async def nothing(_: object) -> None:
            return None

        served.office.board.apply = nothing  # type: ignore[method-assign,assignment]
        await decided_by_two(served.api, held.person, "revoke", "fraud-found")
        (copy,) = await copies(other)
        assert shown(other).statuses.status_at(copy["status_index"]) == StatusValue.VALID
        house.clock.advance(REFRESH_SECONDS)
        await other.board._keep_up()
        assert shown(other).statuses.status_at(copy["status_index"]) == StatusValue.INVALID


async def test_a_list_that_cannot_be_signed_is_shown_as_it_was(house: Premises) -> None:
    """While the HSM is away the old list stands and the decision counts; it is shown as soon as it is back."""
    async with house.open() as served:
        held = await holding(served.api)
        office = served.office
        (copy,) = await copies(office)
        served.token.away = Unavailable("The HSM is away.")
        with pytest.raises(Unavailable):
            await office.board.publish()
        assert shown(office).statuses.status_at(copy["status_index"]) == StatusValue.VALID
        served.token.away = None
        await decided_by_two(served.api, held.person, "revoke", "fraud-found")
        assert shown(office).statuses.status_at(copy["status_index"]) == StatusValue.INVALID


async def test_nobody_gets_an_index_of_a_full_list(house: Premises) -> None:
    """Nothing is begun that could not be revoked."""
    async with house.open() as served:
        fill(served.office, 1)
        with pytest.raises(Unavailable, match="status list is full"):
            served.office.board.allocate()
        assert served.office.board.room() == 0


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (
            "UPDATE issuance SET status_index = :decoy",
            "no index of a decoy is anybody's",
        ),
        (
            "UPDATE status_publication SET content_digest = :digest",
            "a published status list is the one that its digest is of",
        ),
        ("UPDATE status_publication SET cwt = token", "a published status list is the one that its digest is of"),
        (
            "UPDATE status_publication SET decoys = 0",
            "a published status list withdraws what a row withdraws, and decoys",
        ),
        (
            "DELETE FROM status_entry WHERE value = 1",
            "a published status list withdraws what a row withdraws, and decoys",
        ),
    ],
)
async def test_the_audit_sees_what_was_changed(house: Premises, tmp_path: Path, change: str, rule: str) -> None:
    """A decoy that is somebody's, a list that is not the one recorded, a withdrawal that was taken back."""
    async with house.open() as served:
        held = await holding(served.api)
        await decided_by_two(served.api, held.person, "revoke", "fraud-found")
        (row,) = await served.office.store.fetch(queries.STATUS_LISTS, {})
    decoy = OwnList("u", 1, row["seed"]).decoys.indices[0]
    values = {name: value for name, value in {"decoy": decoy, "digest": bytes(32)}.items() if f":{name}" in change}
    assert findings(house.location) == set()
    with copied(house.location, tmp_path) as copy:
        assert changed(copy, change, values) > 0
        assert rule in findings(copy)
