"""The first officers: as many codes as are missing, and nobody who set the demo up counts as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import select

from idverify.app.demo import PEOPLE, furnish
from idverify.app.first_officers import NEEDED, first_codes
from idverify.app.software_officer import software_officer
from idverify.core.policy import Principal, Role
from idverify.services import staff
from idverify.services.ceremonies import Given
from idverify.services.enrol import look_up
from idverify.stores import queries, tables
from tests.simulators.software_office import SoftwareOffice


async def _codes(served: SoftwareOffice) -> list[str]:
    office = served.office
    return await first_codes(office.store, office.doors, office.clock, office.entropy)


async def test_one_code_for_each_who_is_missing(served: SoftwareOffice) -> None:
    """Two to begin with, each asking for a name; fewer with every officer; an admin is none."""
    codes = await _codes(served)
    enrolments = [await look_up(served.office, code) for code in codes]
    await served.api.enrol("first", codes[0], "Frida First")
    await served.api.identity("admin")
    left = await _codes(served)
    await served.api.enrol("second", left[0], "Sven Second")

    assert (len(codes), len(left), len(await _codes(served))) == (NEEDED, 1, 0)
    assert {(one.invited.role, one.asks_name) for one in enrolments} == {(Role.OFFICER, True)}


async def test_an_officer_who_left_is_missing(served: SoftwareOffice) -> None:
    """Whose account has ended counts no more: otherwise an office could be left without a second person."""
    for code, who in zip(await _codes(served), ("Frida First", "Sven Second"), strict=True):
        await served.api.enrol(who, code, who)
    account: Any = await served.office.store.fetch_one(queries.ACCOUNT_NAMED, {"name_as_read": "sven second"})
    ended: Any = await served.office.store.fetch_one(queries.ACCOUNT, {"id": account["id"]})

    before = await _codes(served)
    await served.confirmed("admin", lambda admin, given: staff.end(served.office, admin, ended["handle"], given))

    assert (before, len(await _codes(served))) == ([], 1)


async def test_the_demo_s_set_up_is_no_officer(served: SoftwareOffice, tmp_path: Path) -> None:
    """Its decisions were confirmed like any other's, and afterwards nobody can sign in as it."""
    references = await furnish(served.office, tmp_path)

    acts = await served.office.store.fetch(select(tables.authorisation.c.act), {})
    sessions = await served.office.store.fetch(select(tables.session.c.ended_at), {})
    assert len(references) == len(PEOPLE)
    assert [row["act"] for row in acts] == ["decide"] * len(PEOPLE)
    assert all(row["ended_at"] is not None for row in sessions)
    assert len(await _codes(served)) == NEEDED


async def test_a_demo_that_was_cut_off_is_made_again(served: SoftwareOffice, tmp_path: Path) -> None:
    """The name of a set-up that never finished does not stand in the way of the next."""
    await furnish(served.office, tmp_path)
    (tmp_path / "demo" / "people.txt").unlink()

    assert len(await furnish(served.office, tmp_path)) == len(PEOPLE)


async def test_a_software_officer_is_gone_afterwards(served: SoftwareOffice) -> None:
    """What asks for no confirmation is done without; afterwards the session is over, and the account too."""

    async def actor(principal: Principal, given: Given | None) -> str:
        assert given is None
        return principal.actor

    async with software_officer(served.office, "Otto Automat") as officer:
        assert await officer.confirm(actor) == "Otto Automat"

    sessions = await served.office.store.fetch(select(tables.session.c.ended_at), {})
    accounts = await served.office.store.fetch(queries.STAFF, {})
    assert [row["ended_at"] for row in sessions] == [served.clock.now()]
    assert [row["actor"] for row in accounts] == ["Otto Automat"]
