"""What takes two admins: one proposes, another approves, and nothing else carries it out."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from idverify.core.action import Action
from idverify.core.credential_type import Purpose
from idverify.core.policy import Principal, Role
from idverify.core.suspension import Suspension
from idverify.errors import Conflict, Gone, KeySuspended, MalformedRequest, NotAllowed, NotFound, Unprocessable
from idverify.services import administration, enrol, enrol_staff, notices, reinstate, sign_in, staff, suspension
from idverify.services.administration import Waiting
from idverify.services.ceremonies import Given
from idverify.services.first_admins import two_admins_are_active
from idverify.services.invite import Invitation, Invited, SecondPart
from idverify.services.notices import NoticeKind
from idverify.services.office import Office
from idverify.services.proposals import PROPOSAL_SECONDS
from idverify.stores import queries, tables
from idverify.stores.writes import Change, WriteSet
from tests.simulators.software_office import SoftwareOffice
from tests.simulators.two_parts import FIRST_HASH, FIRST_PART, both_parts

LINK = enrol_staff.action(Invited(Role.OFFICER, "Otto Officer"), FIRST_HASH)


async def _second(served: SoftwareOffice, who: str = "abel", name: str = "Abel Admin") -> None:
    await served.api.identity("admin")
    await served.api.enrol(who, await served.api.deployment.invite(Invited(Role.ADMIN, name)))


async def _by_operator(office: Office, invited: Invited) -> Invitation:
    return await enrol_staff.invite_first(
        office.store, office.doors, office.clock, office.entropy, invited, "command line"
    )


async def _proposed(served: SoftwareOffice, action: Action = LINK, who: str = "admin") -> Waiting:
    return await served.confirmed(who, lambda admin, given: administration.propose(served.office, admin, action, given))


async def _approved(served: SoftwareOffice, waiting: Waiting, who: str = "abel") -> SecondPart | None:
    return await served.confirmed(
        who, lambda admin, given: administration.approve(served.office, admin, waiting.handle, given)
    )


async def _acts(served: SoftwareOffice) -> list[Any]:
    rows: list[Any] = await served.office.store.fetch(select(tables.authorisation), {})
    return [row for row in rows if row["act"] == LINK.act]


async def _key_of(served: SoftwareOffice, who: str) -> Any:
    signed_in = (await served.principal(who)).signed_in
    assert signed_in is not None
    return await served.office.store.fetch_one(queries.SECURITY_KEY, {"id": signed_in.security_key})


async def test_two_admins_enrol_an_officer(served: SoftwareOffice) -> None:
    """Both confirm the same act, and whoever approves it gets the link; both confirmations are on the ledger."""
    await _second(served)
    waiting = await _proposed(served)
    assert await administration.waiting(served.office, await served.principal("abel")) == [waiting]

    link = await _approved(served, waiting)

    assert link is not None
    assert (await enrol.look_up(served.office, both_parts(link))).invited == Invited(Role.OFFICER, "Otto Officer")
    assert await administration.waiting(served.office, await served.principal("abel")) == []
    first, second = await _acts(served)
    assert first["action_digest"] == second["action_digest"] == LINK.digest()
    assert first["account_id"] != second["account_id"]
    assert first["security_key_id"] != second["security_key_id"]


async def test_nobody_approves_their_own(served: SoftwareOffice) -> None:
    """Not in another account of the same name, either; and no officer, and no program."""
    await _second(served)
    waiting = await _proposed(served)
    officer, program = await served.principal("officer"), Principal("key", "Monitoring", Role.ADMIN, None)

    for wrong in (await served.principal("admin"), officer, program):
        with pytest.raises(NotAllowed):
            await administration.approve(served.office, wrong, waiting.handle, None)
    namesake = replace(await served.principal("abel"), actor="Ada Admin")  # no page lets one in
    with pytest.raises(NotAllowed):
        await administration.approve(served.office, namesake, waiting.handle, None)
    for wrong in (officer, program):
        with pytest.raises(NotAllowed):
            await administration.propose(served.office, wrong, LINK, None)
    assert len(await _acts(served)) == 1


async def test_two_who_approve_at_once(served: SoftwareOffice) -> None:
    """The proposal is used up by one of them, whatever both had confirmed."""
    await _second(served)
    await _second(served, "agnes", "Agnes Admin")
    waiting, both = await _proposed(served), asyncio.Barrier(2)

    async def approve(admin: Principal, given: Given | None) -> Any:
        if given is not None:
            await both.wait()
        return await administration.approve(served.office, admin, waiting.handle, given)

    confirmed = [served.confirmed(who, approve) for who in ("abel", "agnes")]
    outcomes = await asyncio.gather(*confirmed, return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "SecondPart"]
    assert len(await _acts(served)) == 2


async def test_a_proposal_expires(served: SoftwareOffice) -> None:
    """After 72 hours it must be made again."""
    await _second(served)
    waiting = await _proposed(served)
    served.clock.advance(PROPOSAL_SECONDS)

    with pytest.raises(Gone, match="expired"):
        await administration.approve(served.office, await served.principal("abel"), waiting.handle, None)


async def test_a_proposal_is_good_once(served: SoftwareOffice) -> None:
    """What was carried out is not carried out again."""
    await _second(served)
    waiting = await _proposed(served)
    await _approved(served, waiting)

    with pytest.raises(Conflict, match="carried out already"):
        await administration.approve(served.office, await served.principal("abel"), waiting.handle, None)


async def test_a_proposal_whose_act_was_swapped(served: SoftwareOffice) -> None:
    """Whoever writes rows can make it say something else; then it is not what the first one confirmed."""
    await _second(served)
    waiting = await _proposed(served)
    mallory = {**LINK.to_json(), "content": {**LINK.content, "actor": "Mallory Officer"}}
    swapped = Change(tables.admin_proposal, {"handle": waiting.handle}, {"action": json.dumps(mallory).encode()})
    await served.office.store.commit(WriteSet((swapped,)))

    with pytest.raises(Conflict, match="not what was proposed"):  # before the second one touches a key
        await administration.approve(served.office, await served.principal("abel"), waiting.handle, None)

    assert len(await _acts(served)) == 1


async def test_whoever_proposed_it_has_left(served: SoftwareOffice) -> None:
    """An act needs two people who are there."""
    await _second(served)
    waiting = await _proposed(served)
    account = next(row for row in await served.office.store.fetch(queries.STAFF, {}) if row["actor"] == "Ada Admin")
    await served.confirmed("abel", lambda who, given: staff.end(served.office, who, account["handle"], given))

    with pytest.raises(Conflict, match="has left since"):
        await _approved(served, waiting)


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        (
            Action("end-the-world"),
            "must be one of: change-authenticator-list, change-trusted-issuers, enrol-staff, rei",
        ),
        (Action("enrol-staff"), "by role, name and first_part"),
        (Action("enrol-staff", "ab" * 16, LINK.content), "by role, name and first_part"),
        (Action("enrol-staff", None, {**LINK.content, "role": "citizen"}), "by role, name and first_part"),
        (Action("enrol-staff", None, {**LINK.content, "actor": None}), "by role, name and first_part"),
        (Action("enrol-staff", None, {**LINK.content, "more": 1.5}), "by role, name and first_part"),
        (Action("enrol-staff", None, {**LINK.content, "actor": "x\x07"}), "printable"),
        (Action("enrol-staff", None, {**LINK.content, "actor": "Otto  Officer"}), "one space between its words"),
    ],
)
async def test_what_cannot_be_proposed(served: SoftwareOffice, action: Action, sentence: str) -> None:
    """An act that no page of ours proposes is refused before anybody is asked to confirm it."""
    with pytest.raises(Unprocessable, match=sentence):
        await administration.propose(served.office, await served.principal("admin"), action, None)


async def test_a_name_that_is_taken(served: SoftwareOffice) -> None:
    """Found when it is proposed, and again when it is approved."""
    await _second(served)
    waiting = await _proposed(served)
    await served.api.enrol("otto", await served.api.deployment.invite(Invited(Role.OFFICER, "Otto Officer")))

    with pytest.raises(Conflict, match="enrolled already"):
        await administration.propose(served.office, await served.principal("admin"), LINK, None)
    with pytest.raises(Conflict, match="enrolled already"):
        await administration.approve(served.office, await served.principal("abel"), waiting.handle, None)


async def test_the_operator_enrols_the_first_admins(served: SoftwareOffice) -> None:
    """Until two admins are active; after that the operator can invite organisations alone."""
    office = served.office

    async def invited(invited: Invited) -> Invitation:
        return await _by_operator(office, invited)

    for who, name in (("ada", "Ada Admin"), ("abel", "Abel Admin")):
        await served.api.enrol(who, (await invited(Invited(Role.ADMIN, name))).code)
    for role in enrol.STAFF:
        with pytest.raises(Conflict, match="is enrolled by both"):
            await invited(Invited(role, "Olive Officer"))
    assert await invited(Invited(Role.RELYING_PARTY, "Example Homes Ltd", Purpose.RENT))


async def test_the_operator_invites_nobody_under_a_taken_name(served: SoftwareOffice) -> None:
    """It is said where the link is made, not when it is used."""
    office = served.office
    await served.api.identity("admin")

    with pytest.raises(Conflict, match="enrolled already"):
        await _by_operator(office, Invited(Role.OFFICER, "ada  ADMIN"))


async def test_a_suspended_key_is_put_back_by_two(served: SoftwareOffice) -> None:
    """It opens nothing until another admin has approved it; then it counts from wherever it is."""
    await _second(served)
    key = await _key_of(served, "officer")
    await suspension.suspend(served.office, key, Suspension.CLONE)
    person = served.api.deployment.people["officer"]

    async def signs_in(count: int) -> None:
        begun = await sign_in.begin(served.office)
        answer = person.key.get(begun.options, served.office.deployment.iss, count=count)
        await sign_in.finish(served.office, Given(begun.ceremony, answer))

    with pytest.raises(KeySuspended):
        await signs_in(1)
    (suspended,) = await reinstate.suspended(served.office)
    waiting = await _proposed(served, reinstate.action(suspended))
    with pytest.raises(KeySuspended):
        await signs_in(2)

    assert await _approved(served, waiting) is None

    await signs_in(3)
    with pytest.raises(NotFound, match="no such suspended"):
        await administration.propose(served.office, await served.principal("admin"), waiting.action, None)


async def test_a_key_that_was_suspended_again(served: SoftwareOffice) -> None:
    """What was proposed was about the first time."""
    await _second(served)
    key = await _key_of(served, "officer")
    await suspension.suspend(served.office, key, Suspension.CLONE)
    (before,) = await reinstate.suspended(served.office)
    waiting, again = [await _proposed(served, reinstate.action(before)) for _ in range(2)]
    await _approved(served, waiting)
    served.clock.advance(1)
    await suspension.suspend(served.office, key, Suspension.MODEL)

    with pytest.raises(Conflict, match="not suspended as it was"):
        await administration.approve(served.office, await served.principal("abel"), again.handle, None)


async def test_neither_part_alone_opens_anything(served: SoftwareOffice) -> None:
    """Whoever approved it makes no second person of themselves, with a first part of their own making either."""
    await _second(served)
    link = await _approved(served, await _proposed(served))
    assert link is not None

    for typed in (link.part, FIRST_PART):
        with pytest.raises(MalformedRequest, match="in two parts"):
            await enrol.look_up(served.office, typed)
    with pytest.raises(NotFound):
        await enrol.look_up(served.office, f"0000-0000-0000-0000 {link.part}")


async def test_whoever_proposed_it_is_told_that_it_was_used(served: SoftwareOffice) -> None:
    """By name; they handed a part of the code over, or did not."""
    await _second(served)
    await served.api.enrol("otto", both_parts(await _approved(served, await _proposed(served))))

    (told,) = await notices.unseen(served.office, await served.principal("admin"))

    assert (told.kind, told.name) == (NoticeKind.STAFF_ENROLLED, "Otto Officer")
    assert await notices.unseen(served.office, await served.principal("abel")) == []


@pytest.mark.parametrize("part", [None, "", "ab" * 31, "AB" * 32, 7])
async def test_a_link_for_staff_needs_its_first_part(served: SoftwareOffice, part: Any) -> None:
    """As a SHA-256 in hex, which both confirm."""
    wanted = Action("enrol-staff", None, {**LINK.content, "first_part": part})
    await served.api.identity("admin")

    with pytest.raises(Unprocessable, match="first_part must be"):
        await _proposed(served, wanted)


async def test_the_key_that_proposed_it_was_suspended(served: SoftwareOffice) -> None:
    """A copy of it may have."""
    await _second(served)
    waiting = await _proposed(served)
    await suspension.suspend(served.office, await _key_of(served, "admin"), Suspension.CLONE)

    with pytest.raises(Conflict, match="suspended or removed since"):
        await _approved(served, waiting)


@pytest.mark.parametrize("whose", ["admin", "abel"])
@pytest.mark.parametrize("how", ["suspended", "ended"])
async def test_a_link_of_somebody_shown_the_door(whose: str, how: str, served: SoftwareOffice) -> None:
    """Whether they proposed or approved it: what waits opens nothing any more. Others' links go on."""
    await _second(served)
    await _second(served, "alma", "Alma Admin")
    link = both_parts(await _approved(served, await _proposed(served)))
    other = await served.api.deployment.invite(Invited(Role.RELYING_PARTY, "Example Homes Ltd", Purpose.RENT))
    key = await _key_of(served, whose)
    assert (await enrol.look_up(served.office, link)).invited.actor == "Otto Officer"

    if how == "suspended":
        await suspension.suspend(served.office, key, Suspension.CLONE)
    else:
        account: Any = await served.office.store.fetch_one(queries.ACCOUNT, {"id": key["account_id"]})
        await served.confirmed("alma", lambda who, given: staff.end(served.office, who, account["handle"], given))

    with pytest.raises(Conflict):
        await enrol.look_up(served.office, link)
    await enrol.look_up(served.office, other)


async def test_links_of_the_operator_end_with_the_second_admin(served: SoftwareOffice) -> None:
    """Nobody keeps one for later, when it would take two; an organisation's goes on."""
    office = served.office
    await served.api.identity("admin")
    staff = [
        (await _by_operator(office, Invited(role, name))).code
        for role, name in ((Role.ADMIN, "Pocket Admin"), (Role.OFFICER, "Pocket Officer"))
    ]
    homes = await served.api.deployment.invite(Invited(Role.RELYING_PARTY, "Example Homes Ltd", Purpose.RENT))
    for code in (*staff, homes):
        await enrol.look_up(office, code)

    await _second(served)

    for code in staff:
        with pytest.raises(Conflict):
            await enrol.look_up(office, code)
    assert (await enrol.look_up(office, homes)).invited.actor == "Example Homes Ltd"


async def test_admins_who_cannot_sign_in_are_not_active(served: SoftwareOffice) -> None:
    """Their keys were suspended, whatever for: the operator makes links again, or nobody could."""
    await _second(served)
    assert await two_admins_are_active(served.office.store)

    await suspension.suspend(served.office, await _key_of(served, "abel"), Suspension.MODEL)

    assert not await two_admins_are_active(served.office.store)
    await _by_operator(served.office, Invited(Role.ADMIN, "Third Admin"))
