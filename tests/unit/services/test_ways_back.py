"""A counter, a colleague: codes for accounts that there are, who is told, who can cancel, and what they open when."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from idverify.core.action import Action
from idverify.core.credential_type import Purpose
from idverify.core.policy import Principal, Role
from idverify.errors import Conflict, Gone, NotAllowed, NotAuthenticated, NotFound, NotYet, Unprocessable
from idverify.services import (
    administration,
    enrol,
    invite,
    keys,
    notices,
    people,
    recovery_codes,
    reproofing,
    restore_access,
    sessions,
)
from idverify.services.ceremonies import Given
from idverify.services.invite import TERMS, Invitation, Invited, Kind
from idverify.services.notices import Notice, NoticeKind
from idverify.services.sessions import Opened
from idverify.stores import queries, tables
from idverify.stores.writes import Change, WriteSet
from tests.simulators.bound_rows import rewritten
from tests.simulators.comers_back import DELAY, Citizen, citizen, registered, slip
from tests.simulators.signed_in import PersonalKey
from tests.simulators.software_office import SoftwareOffice
from tests.simulators.two_parts import FIRST_HASH, both_parts


async def _pending(someone: Citizen) -> Notice:
    """The notice that somebody asked for a code for their account."""
    found = await notices.unseen(someone.served.office, await someone.principal())
    return next(notice for notice in found if notice.pending)


async def _cancel(someone: Citizen, notice: Notice) -> None:
    await reproofing.cancel(someone.served.office, await someone.principal(), notice.handle)


async def _records(served: SoftwareOffice) -> list[str]:
    rows: list[Any] = await served.office.store.fetch(select(tables.ledger_record.c.type), {})
    return [row["type"] for row in rows]


async def test_a_code_from_a_counter_waits_a_day(served: SoftwareOffice) -> None:
    """Not a second earlier; then it registers a key to the account that there is, for a week."""
    anna = await citizen(served)
    made, before = await anna.slip(), await anna.principal()
    assert (made.not_before, made.expires_at) == (served.clock.now() + DELAY, served.clock.now() + 8 * DELAY)

    served.clock.advance(DELAY - 1)
    for early in (enrol.look_up(served.office, made.code), enrol.begin(served.office, made.code, None)):
        with pytest.raises(NotYet, match="Nothing else is needed") as refused:
            await early
        assert refused.value.not_before == made.not_before
    served.clock.advance(1)
    opened = await registered(served, made.code)

    assert opened.principal.id == before.id
    assert len(await anna.held()) == 2


async def test_a_code_from_a_counter_runs_out(served: SoftwareOffice) -> None:
    """A week after it began to work."""
    anna = await citizen(served)
    made = await anna.slip()
    served.clock.advance(DELAY + TERMS[Kind.RE_PROOFING].seconds)

    with pytest.raises(Gone, match="has expired"):
        await registered(served, made.code)


async def test_a_first_slip_works_at_once(served: SoftwareOffice) -> None:
    """Who has no account has nothing that somebody could take over."""
    made = await slip(served, await served.api.person_with_status())

    assert made.not_before is None
    assert (await registered(served, made.code)).principal.role is Role.CITIZEN


async def test_a_first_slip_adds_no_key_to_an_account(served: SoftwareOffice) -> None:
    """One that was made before there was an account, and was neither used nor replaced, opens none."""
    person = await served.api.person_with_status()
    made = await slip(served, person)
    await registered(served, made.code)
    unused = Change(tables.enrolment, {"kind": Kind.SLIP.value}, {"consumed_at": None})
    await served.office.store.commit(WriteSet((unused,)))

    with pytest.raises(Conflict, match="was for a first key"):
        await registered(served, made.code)


async def test_an_account_without_keys_waits_too(served: SoftwareOffice) -> None:
    """The last key was removed, where codes were left: whoever comes to the counter waits all the same."""
    anna = await citizen(served)
    await anna.codes()
    (only,) = await anna.held()
    account: Any = await anna.account()
    await anna.remove(only["handle"])

    made = await anna.slip()

    assert made.not_before == served.clock.now() + DELAY
    served.clock.advance(DELAY)
    assert (await registered(served, made.code)).principal.id == account["id"].hex()


async def test_the_owner_is_told_and_cancels(served: SoftwareOffice) -> None:
    """An impostor's code opens nothing; that the officer made it, and that it was cancelled, stays on record."""
    anna = await citizen(served)
    impostors = await anna.slip()
    pending = await _pending(anna)

    await _cancel(anna, pending)
    served.clock.advance(DELAY)

    with pytest.raises(Conflict, match="owner cancelled this code"):
        await registered(served, impostors.code)
    record: Any = await people.own_record(served.office, await anna.principal())
    seen = [(look["channel"], look["verdict"], look["role"]) for look in record["looks"]]
    assert seen[-2:] == [("enrolment", "made", "officer"), ("enrolment", "cancelled", "citizen")]
    assert (await _records(served)).count("security.enrolment-cancelled") == 1
    told = [notice.kind for notice in await notices.unseen(served.office, await anna.principal())]
    assert told == [NoticeKind.RE_PROOFING_CANCELLED]  # by now in another session: a day went by


async def test_it_can_be_cancelled_until_it_is_used(served: SoftwareOffice) -> None:
    """Also once it works, also by whoever signs in later; not after it was used, replaced or cancelled."""
    anna = await citizen(served)
    await anna.slip()
    first = await _pending(anna)
    await anna.slip("second")
    with pytest.raises(Conflict, match="used, replaced or cancelled"):
        await _cancel(anna, first)
    second = await _pending(anna)
    served.clock.advance(DELAY)

    await _cancel(anna, second)

    with pytest.raises(NotFound, match="no such notice"):
        await _cancel(anna, second)


async def test_used_and_cancelled_at_the_same_moment(served: SoftwareOffice) -> None:
    """One of them comes first: a key and no cancellation, or a cancellation and no key."""
    anna = await citizen(served)
    made = await anna.slip()
    served.clock.advance(DELAY)
    pending = await _pending(anna)
    begun = await enrol.begin(served.office, made.code, None)
    answer = Given(begun.ceremony, PersonalKey().create(begun.options, served.office.deployment.iss))

    outcomes = await asyncio.gather(
        enrol.finish(served.office, made.code, None, answer, "key"), _cancel(anna, pending), return_exceptions=True
    )

    used = isinstance(outcomes[0], Opened)
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 1
    assert (outcomes[1] is None) is not used
    assert len(await anna.held()) == 1 + used


async def test_nobody_cancels_for_somebody_else(served: SoftwareOffice) -> None:
    """Another's notice is not there, and one without a code has none to cancel."""
    anna, bela = await citizen(served), await citizen(served)
    made = await anna.slip()
    with pytest.raises(NotFound, match="no such notice"):
        await _cancel(bela, await _pending(anna))
    await registered(served, (await bela.codes()).codes[0])
    (used,) = await notices.unseen(served.office, await bela.principal())

    with pytest.raises(NotFound, match="no code to cancel"):
        await _cancel(bela, used)
    served.clock.advance(DELAY)
    assert await enrol.look_up(served.office, made.code)


async def test_a_code_that_waits_cannot_be_put_away(served: SoftwareOffice) -> None:
    """Every session shows it until it is over; once it was used, what shows is that it was."""
    anna = await citizen(served)
    made = await anna.slip()
    pending = await _pending(anna)
    with pytest.raises(Conflict, match="If it was not you, cancel it"):
        await notices.see(served.office, await anna.principal(), pending.handle)
    await notices.see_all(served.office, await anna.principal())
    served.clock.advance(DELAY)
    assert (await _pending(anna)).handle == pending.handle

    await registered(served, made.code)

    told = await notices.unseen(served.office, await anna.principal())
    assert [(notice.kind, notice.pending) for notice in told] == [(NoticeKind.RE_PROOFING_USED, False)]


async def test_a_letter_says_when(served: SoftwareOffice) -> None:
    """Its writer leaves a look; without a code that waits there is no letter, and for nobody but officers."""
    anna = await citizen(served)
    handle, olive = bytes.fromhex(anna.person), await served.principal("officer")
    with pytest.raises(NotFound, match="No code waits"):
        await reproofing.asked(served.office, olive, handle)
    made = await anna.slip()

    asked = await reproofing.asked(served.office, olive, handle)

    assert (asked.at, asked.not_before, asked.expires_at) == (served.clock.now(), made.not_before, made.expires_at)
    assert asked.whose.family_name == "SPECIMEN"
    with pytest.raises(NotAllowed):
        await reproofing.asked(served.office, await anna.principal(), handle)


async def test_what_the_officer_confirms_is_what_is_made(served: SoftwareOffice) -> None:
    """Somebody enrols between the question and the answer: the officer agreed to another code, and makes none."""
    person = await served.api.person_with_status()
    first = await slip(served, person)

    async def then_enrols(who: Principal, given: Given | None) -> Invitation:
        if given is not None:
            await registered(served, first.code)
        return await invite.invite_citizen(served.office, who, bytes.fromhex(person), given)

    with pytest.raises(Conflict, match="not the act that was to be confirmed"):
        await served.confirmed("officer", then_enrols)


async def test_codes_from_before_there_were_kinds(served: SoftwareOffice) -> None:
    """A link and a slip that an earlier version made are good for what they were."""
    link = await served.api.deployment.invite(Invited(Role.OFFICER, "Nora Newcomer"))
    made = await slip(served, await served.api.person_with_status())
    rewritten(served.api.deployment.location, served.office.doors, "enrolment", {"kind": None}, consumed_at=None)

    assert (await registered(served, link)).principal.actor == "Nora Newcomer"
    assert (await registered(served, made.code)).principal.role is Role.CITIZEN


BANK = Invited(Role.RELYING_PARTY, "Example Bank plc", Purpose.WORK)


async def _colleague(served: SoftwareOffice, who: str = "colleague", invited: Invited = BANK) -> Any:
    """Somebody of an organisation who has an account; its row."""
    await served.api.enrol(who, await served.api.deployment.invite(invited))
    principal = await served.principal(who)
    return await served.office.store.fetch_one(queries.ACCOUNT, {"id": bytes.fromhex(principal.id)})


async def _restored(served: SoftwareOffice, account: bytes, who: str = "partner") -> Invitation:
    return await served.confirmed(
        who, lambda partner, given: restore_access.restore_colleague(served.office, partner, account, given)
    )


async def test_a_colleague_makes_a_link(served: SoftwareOffice) -> None:
    """It adds a key to the account that there is, once; its owner is told where they are signed in."""
    account = await _colleague(served)
    made = await _restored(served, account["handle"])
    told = [notice.kind for notice in await notices.unseen(served.office, await served.principal("colleague"))]

    opened = await registered(served, made.code)

    assert told == [NoticeKind.ACCESS_RESTORED]
    assert (opened.principal.id, opened.principal.actor) == (account["id"].hex(), BANK.actor)
    assert opened.principal.purpose is BANK.purpose
    assert len(await keys.mine(served.office, opened.principal)) == 2
    with pytest.raises(Conflict):
        await registered(served, made.code)


async def test_a_newer_link_replaces_the_older(served: SoftwareOffice) -> None:
    """And leaves printed codes as they are; both are good for fifteen minutes at most."""
    account = await _colleague(served)
    codes = await served.confirmed("colleague", lambda who, given: recovery_codes.make(served.office, who, given))
    older = await _restored(served, account["handle"])
    newer = await _restored(served, account["handle"])

    with pytest.raises(Conflict, match="replaced by a newer one"):
        await registered(served, older.code)
    assert await enrol.look_up(served.office, codes.codes[0])
    served.clock.advance(TERMS[Kind.LINK].seconds)
    with pytest.raises(Gone):
        await registered(served, newer.code)


async def test_whom_nobody_makes_a_link_for(served: SoftwareOffice) -> None:
    """Not for oneself, nor for another organisation or purpose, nor for staff; and citizens and staff for nobody."""
    lets = Invited(Role.RELYING_PARTY, "Example Bank plc", Purpose.RENT)
    others = [
        await _colleague(served, "lettings", lets),
        await _colleague(served, "airline", Invited(Role.RELYING_PARTY, "Example Airways", Purpose.WORK)),
    ]
    partner = await served.principal("partner")
    own: Any = await served.office.store.fetch_one(queries.ACCOUNT, {"id": bytes.fromhex(partner.id)})
    olive = await served.principal("officer")
    staff: Any = await served.office.store.fetch_one(queries.ACCOUNT, {"id": bytes.fromhex(olive.id)})

    for account in (own, staff, *others):
        with pytest.raises(NotFound, match="no such account"):
            await restore_access.restore_colleague(served.office, partner, account["handle"], None)
    for who in (olive, await (await citizen(served)).principal()):
        with pytest.raises(NotAllowed):
            await restore_access.restore_colleague(served.office, who, own["handle"], None)


async def _staff(served: SoftwareOffice, who: str) -> Any:
    account = bytes.fromhex((await served.principal(who)).id)
    return await served.office.store.fetch_one(queries.ACCOUNT, {"id": account})


async def test_staff_come_back_to_the_account_that_they_have(served: SoftwareOffice) -> None:
    """What two admins agreed to: the same account, under the same name; what they confirmed as lost is gone."""
    office, account = served.office, await _staff(served, "officer")
    wanted = restore_access.staff_action(account, FIRST_HASH)
    await served.api.enrol("abel", await served.api.deployment.invite(Invited(Role.ADMIN, "Abel Admin")))
    made = await served.agreed(wanted)
    lost, token = (await served.principal("officer")).signed_in, served.api.deployment.people["officer"].token
    opened = await registered(served, both_parts(made))

    assert (opened.principal.id, opened.principal.actor) == (account["id"].hex(), "Olive Officer")
    (new,) = await keys.mine(office, opened.principal)
    assert lost is not None
    assert new["id"] != lost.security_key
    with pytest.raises(NotAuthenticated):
        await sessions.recognise(office, token)
    records = await _records(served)
    assert records.count("authenticator.removed") == 1
    assert "security.enrolment-made" in records
    (told,) = await notices.unseen(office, await served.principal("admin"))
    assert (told.kind, told.name, told.pending) == (NoticeKind.STAFF_ENROLLED, "Olive Officer", False)
    assert await notices.unseen(office, await served.principal("abel")) == []


async def test_nobody_who_can_sign_in_has_lost_every_key(served: SoftwareOffice) -> None:
    """An admin neither proposes nor approves that of themselves."""
    office = served.office
    await served.api.identity("admin")
    await served.api.enrol("abel", await served.api.deployment.invite(Invited(Role.ADMIN, "Abel Admin")))
    ada, abel = [restore_access.staff_action(await _staff(served, who), FIRST_HASH) for who in ("admin", "abel")]

    with pytest.raises(Conflict, match="has not lost every key"):
        await administration.propose(office, await served.principal("admin"), ada, None)
    waiting = await served.confirmed("admin", lambda who, given: administration.propose(office, who, abel, given))
    with pytest.raises(Conflict, match="has not lost every key"):
        await administration.approve(office, await served.principal("abel"), waiting.handle, None)


async def test_which_accounts_two_admins_restore(served: SoftwareOffice) -> None:
    """None of a citizen or an organisation, none that is nowhere, none that ended or is called otherwise by now."""
    anna = await (await citizen(served)).account()
    for account in (anna, await _staff(served, "partner")):
        with pytest.raises(NotFound):
            await restore_access.staff_account(served.office, restore_access.staff_action(account, FIRST_HASH))
    with pytest.raises(NotFound):
        await restore_access.staff_account(served.office, Action("restore-access", "00" * 16))
    with pytest.raises(Unprocessable, match="first_part"):
        await restore_access.staff_account(served.office, restore_access.action(await _staff(served, "officer")))
    olive = await _staff(served, "officer")
    called_otherwise = restore_access.staff_action({**olive, "actor": "Oscar Officer"}, FIRST_HASH)
    with pytest.raises(Conflict):
        await restore_access.staff_account(served.office, called_otherwise)
    ended = Change(tables.account, {"id": olive["id"]}, {"ended_at": served.clock.now()})
    await served.office.store.commit(WriteSet((ended,)))
    with pytest.raises(Conflict, match="has ended"):
        await restore_access.staff_account(served.office, restore_access.staff_action(olive, FIRST_HASH))


async def test_a_program_makes_no_link(served: SoftwareOffice) -> None:
    """An API key of the organisation does not."""
    program = Principal("key", "Example Bank plc", Role.RELYING_PARTY, Purpose.WORK)

    with pytest.raises(NotAllowed, match="an API key cannot"):
        await restore_access.restore_colleague(served.office, program, bytes(16), None)
