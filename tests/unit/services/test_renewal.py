"""A session gets a new token with every act that is confirmed in it, in the transaction that carries the act out."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from idverify.auth import session_tokens
from idverify.core.action import StepUpRequired
from idverify.core.policy import Principal
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.errors import Conflict, IdverifyError, NotAuthenticated
from idverify.services import keys, new_shard, sessions, sign_in, staff, step_up
from idverify.services.ceremonies import Given, Renewal
from idverify.services.offer import Offer, Wanted, offer
from idverify.services.sessions import Opened, recognise
from idverify.stores import queries, tables
from tests.simulators.signed_in import PersonalKey
from tests.simulators.software_office import SoftwareOffice

Act = Callable[[Principal, Given | None], Awaitable[Any]]


async def _session(served: SoftwareOffice, who: str) -> Opened:
    await served.principal(who)
    return await recognise(served.office, served.api.deployment.people[who].token)


async def _given(served: SoftwareOffice, who: str, session: Opened, act: Act) -> Given:
    """The confirmation of an act, from a browser with the session's cookie."""
    with pytest.raises(StepUpRequired) as asked:
        await act(session.principal, None)
    begun = await step_up.begin(served.office, session.principal, asked.value.action)
    answer = served.api.deployment.people[who].key.get(begun.options, served.office.deployment.iss)
    return Given(begun.ceremony, answer, Renewal(session.token, session_tokens.make(os.urandom)))


def _new(given: Given) -> str:
    assert given.renewal is not None
    return given.renewal.new


async def _is_over(served: SoftwareOffice, token: str) -> bool:
    try:
        await recognise(served.office, token)
    except NotAuthenticated:
        return True
    return False


@pytest.fixture
async def offering(served: SoftwareOffice) -> Act:
    """To offer a credential to a person who may have one."""
    person = bytes.fromhex(await served.api.person_with_status())
    return lambda who, given: offer(served.office, who, person, Wanted(IMMIGRATION_STATUS.id), given)


async def test_the_token_is_new_and_the_session_is_the_same(served: SoftwareOffice, offering: Act) -> None:
    """The old token opens nothing from then on. What forms carry holds on, and so do the session's limits."""
    before = await _session(served, "officer")
    given = await _given(served, "officer", before, offering)

    await offering(before.principal, given)

    assert await _is_over(served, before.token)
    assert await recognise(served.office, _new(given)) == replace(before, token=_new(given))


async def test_whoever_has_no_cookie_renews_nothing(served: SoftwareOffice, offering: Act) -> None:
    """Without a renewal the act is carried out, and the token stays."""
    before = await _session(served, "officer")
    given = await _given(served, "officer", before, offering)

    await offering(before.principal, replace(given, renewal=None))

    assert await recognise(served.office, before.token) == before


async def test_what_is_refused_renews_nothing(served: SoftwareOffice, offering: Act) -> None:
    """A confirmation that does not hold, and one that was used, leave the session as it was."""
    before = await _session(served, "officer")
    given = await _given(served, "officer", before, offering)
    wrong = PersonalKey()
    wrong.user_handle = served.api.deployment.people["officer"].key.user_handle
    begun = await step_up.begin(served.office, before.principal, await _action(before, offering))
    forged = replace(given, ceremony=begun.ceremony, response=wrong.get(begun.options, served.office.deployment.iss))

    for answer in (forged, forged):
        with pytest.raises(IdverifyError):
            await offering(before.principal, answer)
        assert await recognise(served.office, before.token) == before
    assert await _is_over(served, _new(given))


async def _action(session: Opened, act: Act) -> Any:
    with pytest.raises(StepUpRequired) as asked:
        await act(session.principal, None)
    return asked.value.action


async def test_an_act_that_fails_renews_nothing(served: SoftwareOffice) -> None:
    """Confirmed rightly and refused in its transaction: neither the act nor the new token is there."""
    before = await _session(served, "officer")
    only = (await keys.mine(served.office, before.principal))[0]["handle"]

    async def removing(who: Principal, given: Given | None) -> None:
        await keys.remove(served.office, who, only, given)

    given = await _given(served, "officer", before, removing)
    with pytest.raises(Conflict, match="your only key"):
        await removing(before.principal, given)

    assert await recognise(served.office, before.token) == before
    assert await _is_over(served, _new(given))


async def test_of_two_acts_at_once_one_is_done(served: SoftwareOffice, offering: Act) -> None:
    """Both were confirmed rightly and come with one token: it is good for one. Nothing of the other is left."""
    before = await _session(served, "officer")
    both = [await _given(served, "officer", before, offering) for _ in range(2)]
    offers = len(await served.office.store.fetch(select(tables.offer.c.id), {}))
    acts = len(await served.office.store.fetch(select(tables.authorisation.c.id), {}))

    outcomes = await asyncio.gather(*(offering(before.principal, given) for given in both), return_exceptions=True)

    [done] = [place for place, outcome in enumerate(outcomes) if isinstance(outcome, Offer)]
    refused = outcomes[1 - done]
    assert isinstance(refused, NotAuthenticated)
    assert "Something else was confirmed in this session meanwhile" in refused.detail
    assert len(await served.office.store.fetch(select(tables.offer.c.id), {})) == offers + 1
    assert len(await served.office.store.fetch(select(tables.authorisation.c.id), {})) == acts + 1
    assert await recognise(served.office, _new(both[done])) == replace(before, token=_new(both[done]))
    assert await _is_over(served, before.token)
    assert await _is_over(served, _new(both[1 - done]))


async def test_many_acts_with_one_token(served: SoftwareOffice, offering: Act) -> None:
    """Ten confirmations that race for one session: exactly one is carried out, and the session is one."""
    before = await _session(served, "officer")
    given = [await _given(served, "officer", before, offering) for _ in range(10)]

    outcomes = await asyncio.gather(*(offering(before.principal, each) for each in given), return_exceptions=True)

    assert sum(isinstance(outcome, Offer) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, NotAuthenticated) for outcome in outcomes) == 9
    assert sum([not await _is_over(served, _new(each)) for each in given]) == 1


async def test_a_token_that_was_stolen_before_carries_nothing_out_after(served: SoftwareOffice, offering: Act) -> None:
    """Even a request that was let in with it: the token is asked for again in the transaction of the act."""
    before = await _session(served, "officer")
    first = await _given(served, "officer", before, offering)
    late = await _given(served, "officer", before, offering)
    await offering(before.principal, first)

    with pytest.raises(NotAuthenticated, match="Something else was confirmed"):
        await offering(before.principal, late)

    assert await recognise(served.office, _new(first)) == replace(before, token=_new(first))


async def test_another_session_of_mine_stays_as_it_is(served: SoftwareOffice, offering: Act) -> None:
    """An act renews the session that it was confirmed in, and no other; no token moves from one to the other."""
    here = await _session(served, "officer")
    begun = await sign_in.begin(served.office)
    answer = served.api.deployment.people["officer"].key.get(begun.options, served.office.deployment.iss)
    there = await sign_in.finish(served.office, Given(begun.ceremony, answer))
    given = await _given(served, "officer", here, offering)
    planted = replace(given, renewal=Renewal(there.token, _new(given)))

    with pytest.raises(NotAuthenticated):
        await offering(here.principal, planted)
    again = await _given(served, "officer", here, offering)
    await offering(here.principal, again)

    assert await recognise(served.office, there.token) == there
    assert await recognise(served.office, _new(again)) == replace(here, token=_new(again))


async def test_every_kind_of_transaction_renews(served: SoftwareOffice) -> None:
    """An act that is confirmed first and carried out in steps, and one that waits for a second person, as well."""
    admin = await _session(served, "admin")

    async def adding(who: Principal, given: Given | None) -> None:
        await keys.begin_adding(served.office, who, given)

    given = await _given(served, "admin", admin, adding)
    await adding(admin.principal, given)
    assert await _is_over(served, admin.token)
    admin = await recognise(served.office, _new(given))

    await served.office.log_book.publish()
    following = (await new_shard.state(served.office, admin.principal)).following
    assert following is not None
    last_known = following.last_known

    async def proposing(who: Principal, given: Given | None) -> None:
        await new_shard.propose(served.office, who, last_known, given)

    given = await _given(served, "admin", admin, proposing)
    await proposing(admin.principal, given)
    assert await _is_over(served, admin.token)
    assert await recognise(served.office, _new(given)) == replace(admin, token=_new(given))


async def test_who_was_shown_the_door_meanwhile_gets_no_token(served: SoftwareOffice, offering: Act) -> None:
    """A session that ended between the key's answer and the act stays ended."""
    before, admin = await _session(served, "officer"), await _session(served, "admin")
    given = await _given(served, "officer", before, offering)
    account: Any = await served.office.store.fetch_one(queries.ACCOUNT_NAMED, {"name_as_read": "olive officer"})
    row: Any = await served.office.store.fetch_one(queries.ACCOUNT, {"id": account["id"]})
    await served.confirmed("admin", lambda who, said: staff.end(served.office, who, row["handle"], said))

    with pytest.raises(IdverifyError):
        await offering(before.principal, given)

    assert await _is_over(served, _new(given))
    assert await _is_over(served, before.token)
    assert await recognise(served.office, admin.token) == admin
    assert [one.is_current for one in await sessions.mine(served.office, admin.principal)] == [True]
