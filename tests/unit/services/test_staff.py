"""Ending accounts: an office keeps an admin, and what somebody left behind ends with them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from idverify.core.action import Action
from idverify.core.credential_type import Purpose
from idverify.core.policy import Principal, Role
from idverify.errors import Conflict, NotAuthenticated
from idverify.services import enrol, invite, staff, step_up
from idverify.services.access import Gate, create_key_for
from idverify.services.ceremonies import Given
from idverify.services.invite import Invited
from idverify.services.office import Office
from idverify.services.step_up import Authorisation
from idverify.stores import queries
from tests.simulators.software_office import SoftwareOffice


async def _account(served: SoftwareOffice, actor: str, purpose: Purpose | None = None) -> Any:
    rows: list[Any] = await served.office.store.fetch(queries.STAFF, {})
    return next(row for row in rows if (row["actor"], row["purpose"]) == (actor, purpose))


async def _end(served: SoftwareOffice, who: str, actor: str, purpose: Purpose | None = None) -> None:
    handle = (await _account(served, actor, purpose))["handle"]
    await served.confirmed(who, lambda admin, given: staff.end(served.office, admin, handle, given))


async def _joined(served: SoftwareOffice, who: str, invited: Invited) -> None:
    await served.api.enrol(who, await served.api.deployment.invite(invited))


async def test_two_admins_who_end_each_other(served: SoftwareOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have confirmed when the first of them commits: the other is over by then, and an admin is left."""
    await served.api.identity("admin")
    await _joined(served, "bert", Invited(Role.ADMIN, "Bert Admin"))
    require, both = step_up.require, asyncio.Barrier(2)

    async def at_once(office: Office, admin: Principal, action: Action, given: Given | None) -> Authorisation:
        confirmed = await require(office, admin, action, given)
        await both.wait()
        return confirmed

    monkeypatch.setattr(step_up, "require", at_once)
    outcomes = await asyncio.gather(
        _end(served, "admin", "Bert Admin"), _end(served, "bert", "Ada Admin"), return_exceptions=True
    )

    left = [actor for actor in ("Ada Admin", "Bert Admin") if (await _account(served, actor))["ended_at"] is None]
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [NotAuthenticated]
    assert len(left) == 1


async def test_codes_of_somebody_who_left(served: SoftwareOffice) -> None:
    """A slip that waits for its use is no way back in for whoever made it; those of others stay good."""
    person, another = [bytes.fromhex(await served.api.person_with_status()) for _ in range(2)]
    await served.api.identity("admin")

    async def slip(who: str, handle: bytes) -> str:
        made = await served.confirmed(
            who, lambda officer, given: invite.invite_citizen(served.office, officer, handle, given)
        )
        return made.code

    theirs, others = await slip("officer", person), await slip("second", another)

    await _end(served, "admin", "Olive Officer")

    with pytest.raises(Conflict, match="was used, or replaced"):
        await enrol.look_up(served.office, theirs)
    assert (await enrol.look_up(served.office, others)).invited.role is Role.CITIZEN


async def test_api_keys_of_an_organisation_that_left(served: SoftwareOffice) -> None:
    """Its programs stop with its account; those of the same name for another purpose, and of others, go on."""
    await _joined(served, "lettings", Invited(Role.RELYING_PARTY, "Example Bank plc", Purpose.RENT))

    async def key(who: str) -> str:
        return await served.confirmed(
            who, lambda keeper, given: create_key_for(served.office, keeper, "Example Bank plc", Purpose.WORK, given)
        )

    theirs, lettings = await key("partner"), await key("lettings")
    await served.api.identity("admin")

    await _end(served, "admin", "Example Bank plc", Purpose.WORK)

    with pytest.raises(NotAuthenticated, match="unknown or was revoked"):
        await Gate(served.office.store, served.office.doors).recognise(theirs)
    for going_on in (lettings, served.api.deployment.keys["employer"]):
        assert (await Gate(served.office.store, served.office.doors).recognise(going_on)).role is Role.RELYING_PARTY
