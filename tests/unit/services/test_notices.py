"""Notices: what is told to whom, where, until when, and that no row of them says who anybody is."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from idverify.core.policy import Principal, Role
from idverify.errors import NotAllowed, NotFound
from idverify.services import keys, notices, sessions
from idverify.services.ceremonies import Given
from idverify.services.notices import NoticeKind
from idverify.stores import retention, tables
from tests.simulators.comers_back import citizen, signed_in
from tests.simulators.service import DETAILS
from tests.simulators.signed_in import PersonalKey
from tests.simulators.software_office import SoftwareOffice


async def _kinds(served: SoftwareOffice, principal: Principal) -> list[NoticeKind]:
    return [notice.kind for notice in await notices.unseen(served.office, principal)]


async def _added(served: SoftwareOffice, who: str) -> PersonalKey:
    key = PersonalKey()
    begun = await served.confirmed(who, lambda person, given: keys.begin_adding(served.office, person, given))
    answer = Given(begun.ceremony, key.create(begun.options, served.office.deployment.iss))
    await keys.finish_adding(served.office, await served.principal(who), answer, "spare")
    return key


async def test_others_are_told_and_not_whoever_did_it(served: SoftwareOffice) -> None:
    """A key added in one session shows in every other one, and at the next sign-in."""
    olive = await served.principal("officer")
    elsewhere = await signed_in(served, served.api.deployment.people["officer"].key)

    spare = await _added(served, "officer")
    later = await signed_in(served, spare)

    assert await _kinds(served, olive) == []
    assert await _kinds(served, elsewhere.principal) == [NoticeKind.KEY_ADDED]
    assert await _kinds(served, later.principal) == [NoticeKind.KEY_ADDED]
    assert await _kinds(served, await served.principal("second")) == []


async def test_a_first_key_is_no_news(served: SoftwareOffice) -> None:
    """Whoever enrols knows it."""
    anna = await citizen(served)
    later = await signed_in(served, served.api.deployment.people[anna.who].key)

    assert await _kinds(served, later.principal) == []


async def test_what_was_seen_is_gone_everywhere(served: SoftwareOffice) -> None:
    """One by one, or all at once; only by its owner."""
    spare = await _added(served, "officer")
    later = (await signed_in(served, spare)).principal
    (added,) = await notices.unseen(served.office, later)
    with pytest.raises(NotFound, match="no such notice"):
        await notices.see(served.office, await served.principal("second"), added.handle)
    await notices.see(served.office, later, added.handle)
    with pytest.raises(NotFound):
        await notices.see(served.office, later, added.handle)
    handle = next(row["handle"] for row in await keys.mine(served.office, later) if row["name"] == "spare")
    await served.confirmed("officer", lambda who, given: keys.remove(served.office, who, handle, given))
    await sessions.end_all(served.office, await served.principal("officer"))
    olive = await served.principal("officer")

    assert set(await _kinds(served, olive)) == {NoticeKind.SIGNED_OUT_EVERYWHERE, NoticeKind.KEY_REMOVED}
    await notices.see_all(served.office, olive)
    assert await _kinds(served, olive) == []
    await notices.see_all(served.office, olive)


async def test_a_program_has_no_notices(served: SoftwareOffice) -> None:
    """They belong to accounts of people."""
    program = Principal("key", "Case System", Role.OFFICER, None)

    for asked in (notices.unseen(served.office, program), notices.see_all(served.office, program)):
        with pytest.raises(NotAllowed, match="an API key cannot"):
            await asked


async def test_no_row_says_who_it_is_about(served: SoftwareOffice) -> None:
    """Kinds, times, and ids of rows."""
    anna = await citizen(served)
    await anna.slip()
    await anna.codes()
    rows = await served.office.store.fetch(select(tables.notice), {})

    assert len(rows) == 2
    said = " ".join(str(tuple(row)) for row in rows)
    for known in (DETAILS["family_name"], DETAILS["given_name"], "Olive", anna.person):
        assert str(known) not in said


async def test_what_was_seen_goes_after_a_year(served: SoftwareOffice) -> None:
    """What was not seen stays, however old it is."""
    await _added(served, "officer")
    later = (await signed_in(served, served.api.deployment.people["officer"].key)).principal
    (added,) = await notices.unseen(served.office, later)
    await notices.see(served.office, later, added.handle)
    await sessions.end_all(served.office, later)
    seen_at = served.clock.now()

    for after, left in ((365 * retention.DAY, 2), (365 * retention.DAY + 1, 1)):
        await retention.sweep(served.office.store, seen_at + after)
        assert len(await served.office.store.fetch(select(tables.notice), {})) == left


async def test_by_the_api(served: SoftwareOffice) -> None:
    """Listed, seen, cancelled; recovery codes are made by it, too."""
    anna = await citizen(served)
    api = served.api
    codes = await api.ok("POST", "/api/v1/recovery-codes", anna.who)
    slip = await api.ok("POST", f"/api/v1/people/{anna.person}/enrolments", "officer")
    (pending,) = (await api.ok("GET", "/api/v1/notices", anna.who))["notices"]
    early, refused = await api.call("POST", "/api/v1/enrolments/options", None, {"code": slip["code"]})
    kept, _ = await api.call("POST", f"/api/v1/notices/{pending['notice']}/seen", anna.who)

    await api.ok("POST", f"/api/v1/notices/{pending['notice']}/cancellation", anna.who)
    await api.enrol("finder", codes["codes"][0])
    (used,) = (await api.ok("GET", "/api/v1/notices", anna.who))["notices"]
    await api.ok("POST", f"/api/v1/notices/{used['notice']}/seen", anna.who)

    assert (pending["kind"], pending["pending"], pending["not_before"]) == (
        "re-proofing-asked",
        True,
        slip["not_before"],
    )
    assert (early, refused["type"], kept) == (409, "/problems/not-yet", 409)
    assert (used["kind"], used["pending"], used["key_name"]) == ("recovery-code-used", False, "My key 2")
    assert (await api.ok("GET", "/api/v1/notices", anna.who))["notices"] == []
