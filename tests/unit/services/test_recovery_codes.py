"""Printed one-time codes: what each opens, what ends them, and that the last key goes only where one is left."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from idverify.core.action import StepUpRequired
from idverify.core.policy import Principal, Role
from idverify.errors import Conflict, Gone, MalformedRequest, NotAllowed, NotAuthenticated, NotFound, TooManyKeys
from idverify.services import enrol, keys, notices, people, recovery_codes, staff
from idverify.services.ceremonies import Given
from idverify.services.invite import TERMS, Kind
from idverify.services.recovery_codes import SET_SIZE
from idverify.services.sessions import Opened, recognise
from idverify.stores import queries, tables
from idverify.stores.writes import Change, WriteSet
from tests.simulators.comers_back import Citizen, citizen, registered, signed_in
from tests.simulators.databases import everything
from tests.simulators.signed_in import PersonalKey
from tests.simulators.software_office import SoftwareOffice


async def _left(someone: Citizen) -> int:
    return await recovery_codes.left(someone.served.office, await someone.principal())


async def test_a_code_from_the_sheet_brings_back(served: SoftwareOffice) -> None:
    """The only key is lost: a code registers another one at once, to the same account, which removes the lost one."""
    anna, fresh = await citizen(served), PersonalKey()
    made, before = await anna.codes(), await anna.principal()
    (lost,) = await anna.held()

    opened = await registered(served, made.codes[3], fresh)
    of_lost = (await recognise(served.office, served.api.deployment.people[anna.who].token)).principal.signed_in
    served.api.deployment.people[anna.who].key = fresh
    served.api.deployment.people[anna.who].opened(opened.token, opened.csrf_token)
    await anna.remove(lost["handle"])

    assert (opened.principal.id, opened.principal.role) == (before.id, Role.CITIZEN)
    assert of_lost is not None
    assert of_lost.security_key == lost["id"]
    assert [row["name"] for row in await anna.held()] == ["new key"]
    assert await _left(anna) == SET_SIZE - 1
    assert (await people.own_record(served.office, opened.principal))["reference"].hex() == anna.person


async def test_a_return_ends_no_session_and_tells_every_one(served: SoftwareOffice) -> None:
    """Whoever finds the sheet cannot shut the owner out unseen: their session goes on and shows it."""
    anna = await citizen(served)
    made, owner = await anna.codes(), await anna.principal()

    finder = await registered(served, made.codes[0])

    assert await anna.principal() == owner
    told = [notice.kind for notice in await notices.unseen(served.office, owner)]
    assert told == [notices.NoticeKind.RECOVERY_CODE_USED]
    of_finder = [notice.kind for notice in await notices.unseen(served.office, finder.principal)]
    assert of_finder == [notices.NoticeKind.RECOVERY_CODES_MADE]


async def test_each_code_works_once(served: SoftwareOffice) -> None:
    """The others of its set go on working; it does not."""
    anna = await citizen(served)
    made = await anna.codes()
    await registered(served, made.codes[0])

    with pytest.raises(Conflict, match="was used, or replaced"):
        await registered(served, made.codes[0])
    assert (await registered(served, made.codes[1])).principal.role is Role.CITIZEN


async def test_of_many_with_one_code_one_comes_back(served: SoftwareOffice) -> None:
    """Ten browsers with one code at the same moment register one key."""
    anna = await citizen(served)
    code = (await anna.codes()).codes[0]
    begun = [await enrol.begin(served.office, code, None) for _ in range(10)]
    answers = [Given(one.ceremony, PersonalKey().create(one.options, served.office.deployment.iss)) for one in begun]

    outcomes = await asyncio.gather(
        *(enrol.finish(served.office, code, None, answer, "key") for answer in answers), return_exceptions=True
    )

    assert sum(isinstance(outcome, Opened) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 9
    assert len(await anna.held()) == 2


async def test_a_new_set_replaces_the_old_one(served: SoftwareOffice) -> None:
    """At once, also for whoever began with an old code before; a slip that waits is another matter."""
    anna = await citizen(served)
    old, slip = await anna.codes(), await anna.slip()
    begun = await enrol.begin(served.office, old.codes[0], None)
    answer = Given(begun.ceremony, PersonalKey().create(begun.options, served.office.deployment.iss))

    new = await anna.codes()

    for late in (
        enrol.look_up(served.office, old.codes[1]),
        enrol.finish(served.office, old.codes[0], None, answer, "k"),
    ):
        with pytest.raises(Conflict, match="replaced by a newer one"):
            await late
    assert await enrol.look_up(served.office, new.codes[0])
    assert await _left(anna) == SET_SIZE
    served.clock.advance(TERMS[Kind.RE_PROOFING].delay)
    assert (await enrol.look_up(served.office, slip.code)).kind is Kind.RE_PROOFING


async def test_a_slip_leaves_printed_codes_as_they_are(served: SoftwareOffice) -> None:
    """What an officer makes replaces what officers made, and nothing that the owner printed."""
    anna = await citizen(served)
    made = await anna.codes()
    await anna.slip()

    assert await _left(anna) == SET_SIZE
    assert (await enrol.look_up(served.office, made.codes[0])).kind is Kind.RECOVERY_CODE


async def test_codes_run_out(served: SoftwareOffice) -> None:
    """Good for five years, and not a second longer; then none is left."""
    anna = await citizen(served)
    made = await anna.codes()
    served.clock.advance(TERMS[Kind.RECOVERY_CODE].seconds - 1)
    assert await enrol.look_up(served.office, made.codes[0])
    served.clock.advance(1)

    with pytest.raises(Gone, match="has expired"):
        await enrol.begin(served.office, made.codes[0], None)
    assert await _left(anna) == 0


async def test_codes_are_kept_as_hashes(served: SoftwareOffice) -> None:
    """None of them is in any row, with or without its hyphens."""
    anna = await citizen(served)
    made = await anna.codes()
    dump = await everything(served.office.store)

    assert len(set(made.codes)) == SET_SIZE
    for code in made.codes:
        assert code not in dump
        assert code.replace("-", "") not in dump


@pytest.mark.parametrize(
    ("code", "error"), [("0000-0000-0000-0000-0000", NotFound), ("", MalformedRequest), ("x" * 5000, MalformedRequest)]
)
async def test_a_code_that_is_none(served: SoftwareOffice, code: str, error: type[Exception]) -> None:
    """Whatever somebody types is a refusal in words."""
    with pytest.raises(error):
        await enrol.look_up(served.office, code)


async def test_a_code_opens_its_own_account_alone(served: SoftwareOffice) -> None:
    """A ceremony that was begun with another's code registers nothing, and neither code is used up."""
    anna, bela = await citizen(served), await citizen(served)
    mine, others = (await anna.codes()).codes[0], (await bela.codes()).codes[0]
    begun = await enrol.begin(served.office, others, None)
    answer = Given(begun.ceremony, PersonalKey().create(begun.options, served.office.deployment.iss))

    with pytest.raises(NotAuthenticated):
        await enrol.finish(served.office, mine, None, answer, "key")

    assert (await registered(served, mine)).principal.id == (await anna.principal()).id


async def test_who_prints_codes(served: SoftwareOffice) -> None:
    """Citizens and people of organisations, with their key; neither staff nor programs."""
    office = served.office
    for who in ("officer", "admin"):
        with pytest.raises(NotAllowed, match="needs the role relying-party or citizen"):
            await recovery_codes.make(office, await served.principal(who), None)
    with pytest.raises(NotAllowed, match="an API key cannot"):
        await recovery_codes.make(office, Principal("key", "Bank", Role.RELYING_PARTY, None), None)
    with pytest.raises(StepUpRequired):
        await recovery_codes.make(office, await served.principal("partner"), None)

    made = await served.confirmed("partner", lambda who, given: recovery_codes.make(office, who, given))
    opened = await registered(served, made.codes[0])

    partner = await served.principal("partner")
    assert (opened.principal.actor, opened.principal.purpose) == (partner.actor, partner.purpose)
    assert opened.principal.id == partner.id


async def test_codes_of_an_account_that_ended(served: SoftwareOffice) -> None:
    """They end with it, also for whoever began before."""
    partner = await served.principal("partner")
    made = await served.confirmed("partner", lambda who, given: recovery_codes.make(served.office, who, given))
    account = await served.office.store.fetch_one(queries.ACCOUNT, {"id": bytes.fromhex(partner.id)})
    begun = await enrol.begin(served.office, made.codes[0], None)
    answer = Given(begun.ceremony, PersonalKey().create(begun.options, served.office.deployment.iss))
    await served.confirmed(
        "admin",
        lambda who, given: staff.end(served.office, who, account["handle"], given),  # type: ignore[index]
    )

    for late in (
        enrol.look_up(served.office, made.codes[1]),
        enrol.finish(served.office, made.codes[0], None, answer, "k"),
    ):
        with pytest.raises(Conflict, match="was used, or replaced"):
            await late


async def test_an_account_that_ends_at_this_moment(served: SoftwareOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the commit: no key is bound to an account that is over."""
    partner = await served.principal("partner")
    made = await served.confirmed("partner", lambda who, given: recovery_codes.make(served.office, who, given))
    bound_entries = enrol.bound_entries

    async def ends(*asked: Any) -> Any:
        over = Change(tables.account, {"id": bytes.fromhex(partner.id)}, {"ended_at": served.clock.now()})
        await served.office.store.commit(WriteSet((over,)))
        return await bound_entries(*asked)

    monkeypatch.setattr(enrol, "bound_entries", ends)
    with pytest.raises(Gone, match="has ended"):
        await registered(served, made.codes[0])
    with pytest.raises(Gone, match="has ended"):
        await enrol.look_up(served.office, made.codes[0])
    assert len(await served.office.store.fetch(select(tables.security_key), {})) == 1


async def test_whoever_lost_as_many_keys_as_may_be_comes_back(served: SoftwareOffice) -> None:
    """The limit is for adding keys at leisure; a code adds one more, and then there is no room for others."""
    anna = await citizen(served)
    office, most = served.office, served.office.key_policies[Role.CITIZEN].most_keys
    for number in (SET_SIZE, most - SET_SIZE):
        for code in (await anna.codes()).codes[:number]:
            await registered(served, code)

    assert len(await anna.held()) == most + 1
    with pytest.raises(TooManyKeys):
        await keys.begin_adding(office, await anna.principal(), None)


async def test_the_last_key_goes_where_a_code_is_left(served: SoftwareOffice) -> None:
    """Without one it stays, and the refusal says what to do; with one it goes, and a code leads back in."""
    anna = await citizen(served)
    (only,) = await anna.held()
    with pytest.raises(Conflict, match="Add another one, or print recovery codes"):
        await anna.remove(only["handle"])
    made, account = await anna.codes(), await anna.account()

    await anna.remove(only["handle"])

    with pytest.raises(NotAuthenticated):
        await recognise(served.office, served.api.deployment.people[anna.who].token)
    assert (await registered(served, made.codes[0])).principal.id == account["id"].hex()


async def test_used_codes_are_no_way_back(served: SoftwareOffice) -> None:
    """Codes that were used or have expired do not let the last key go."""
    anna = await citizen(served)
    await anna.codes()
    (only,) = await anna.held()
    served.clock.advance(TERMS[Kind.RECOVERY_CODE].seconds)

    with pytest.raises(Conflict, match="your only key"):
        await anna.remove(only["handle"])


async def test_a_suspended_key_is_no_way_back(served: SoftwareOffice) -> None:
    """It opens nothing, so the key beside it is the last one; it can be removed itself, with what it opened."""
    anna, spare = await citizen(served), PersonalKey()
    made = await anna.codes()
    other = await registered(served, made.codes[0], spare)
    await anna.codes()
    served.clock.advance(TERMS[Kind.RECOVERY_CODE].seconds)
    reopened = await signed_in(served, spare)
    (mine,) = [row for row in await anna.held() if row["name"] != "new key"]
    (suspended,) = [row for row in await anna.held() if row["name"] == "new key"]
    over = Change(tables.security_key, {"id": suspended["id"]}, {"suspended_at": served.clock.now()})
    await served.office.store.commit(WriteSet((over,)))

    with pytest.raises(Conflict, match="your only key"):
        await anna.remove(mine["handle"])
    await anna.remove(suspended["handle"])

    ended = select(tables.session.c.ended_at).where(tables.session.c.security_key_id == suspended["id"])
    rows = await served.office.store.fetch(ended, {})
    assert other.principal.id == reopened.principal.id
    assert len(rows) == 2
    assert all(row["ended_at"] is not None for row in rows)


async def test_staff_keep_their_last_key(served: SoftwareOffice) -> None:
    """They have no codes, so they are told to add a key and nothing else."""
    (only,) = await keys.mine(served.office, await served.principal("officer"))

    with pytest.raises(Conflict, match="Add another one before you remove it"):
        await served.confirmed("officer", lambda who, given: keys.remove(served.office, who, only["handle"], given))
