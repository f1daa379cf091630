"""A person's own keys: several, each with a name; nobody locks themselves out, and nobody touches another's."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest
from sqlalchemy import select

from idverify.auth.key_policy import KEY_POLICIES
from idverify.core.action import StepUpRequired
from idverify.core.policy import Principal, Role
from idverify.errors import (
    CeremonyRefused,
    Conflict,
    KeyAlreadyRegistered,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    TooManyKeys,
)
from idverify.services import keys, sign_in, step_up
from idverify.services.ceremonies import Given
from idverify.services.sessions import Opened, recognise
from idverify.stores import tables
from tests.simulators.authenticator import Authenticator
from tests.simulators.signed_in import PersonalKey
from tests.simulators.software_office import SoftwareOffice


async def _added(served: SoftwareOffice, who: str, key: PersonalKey | None = None, name: str = "spare") -> PersonalKey:
    key = key or PersonalKey()
    begun = await served.confirmed(who, lambda person, given: keys.begin_adding(served.office, person, given))
    answer = key.create(begun.options, served.office.deployment.iss)
    await keys.finish_adding(served.office, await served.principal(who), Given(begun.ceremony, answer), name)
    return key


async def _handle(served: SoftwareOffice, who: str, key: PersonalKey) -> bytes:
    held = await keys.mine(served.office, await served.principal(who))
    (handle,) = (row["handle"] for row in held if row["credential_id"] == key.authenticator.credential_id)
    return bytes(handle)


async def _removed(served: SoftwareOffice, who: str, key: bytes) -> None:
    await served.confirmed(who, lambda person, given: keys.remove(served.office, person, key, given))


async def _first(served: SoftwareOffice, who: str) -> bytes:
    """The handle of the key that somebody enrolled with."""
    await served.api.identity(who)
    return await _handle(served, who, served.api.deployment.people[who].key)


async def _signed_in(served: SoftwareOffice, key: PersonalKey) -> Opened:
    begun = await sign_in.begin(served.office)
    return await sign_in.finish(
        served.office, Given(begun.ceremony, key.get(begun.options, served.office.deployment.iss))
    )


async def _names(served: SoftwareOffice, who: str) -> set[str]:
    return {row["name"] for row in await keys.mine(served.office, await served.principal(who))}


async def _records(served: SoftwareOffice) -> list[str]:
    rows: list[Any] = await served.office.store.fetch(select(tables.ledger_record.c.type), {})
    return [row["type"] for row in rows]


@pytest.mark.parametrize("who", ["officer", "citizen"])
async def test_a_second_key_signs_in_like_the_first(served: SoftwareOffice, who: str) -> None:
    """A spare key, confirmed with the one at hand, is the same account's; both stand on the ledger."""
    if who == "citizen":
        who = await served.api.enrol_citizen(await served.api.person_with_status())
    owner = await served.principal(who)
    before = await _records(served)

    spare = await _added(served, who)

    assert (await _signed_in(served, spare)).principal.id == owner.id
    assert await _names(served, who) == {"My key", "spare"}
    assert sorted((await _records(served))[len(before) :]) == ["authenticator.bound", "authorisation", *["cover"] * 3]


async def test_a_key_is_called_something_else(served: SoftwareOffice) -> None:
    """Only by its owner: to anybody else it is not there, and they are told the same of one that is nowhere."""
    key = await _first(served, "officer")
    await keys.rename(served.office, await served.principal("officer"), key, "  blue   key ")

    for who, handle in (("second", key), ("officer", bytes(16))):
        with pytest.raises(NotFound, match="no such key"):
            await keys.rename(served.office, await served.principal(who), handle, "mine now")

    assert await _names(served, "officer") == {"blue key"}


async def test_a_removed_key_ends_what_it_opened(served: SoftwareOffice) -> None:
    """The sessions of a key that was lost end with it; those of the other key go on, and the ledger says so."""
    spare = await _added(served, "officer")
    lost, kept = await _signed_in(served, spare), await served.principal("officer")

    await _removed(served, "officer", await _handle(served, "officer", spare))

    with pytest.raises(NotAuthenticated):
        await recognise(served.office, lost.token)
    assert await served.principal("officer") == kept
    assert await _names(served, "officer") == {"My key"}
    assert (await _records(served)).count("authenticator.removed") == 1


async def test_a_removed_key_cannot_come_back(served: SoftwareOffice) -> None:
    """What a key confirmed is checked against its row, so its id is never given to another."""
    spare = await _added(served, "officer")
    await _removed(served, "officer", await _handle(served, "officer", spare))

    with pytest.raises(KeyAlreadyRegistered):
        await _added(served, "officer", spare)


@pytest.mark.parametrize("who", ["officer", "second"])
async def test_one_key_under_another_id(served: SoftwareOffice, who: str) -> None:
    """One key is one account's, once, however many ids it gives itself, and also after it was removed."""
    spare, twin = await _added(served, "officer"), PersonalKey()
    twin.authenticator = Authenticator(spare.authenticator.key, secrets.token_bytes(32))
    with pytest.raises(KeyAlreadyRegistered):
        await _added(served, who, twin)
    await _removed(served, "officer", await _handle(served, "officer", spare))

    with pytest.raises(KeyAlreadyRegistered):
        await _added(served, who, twin)


async def test_the_last_key_stays(served: SoftwareOffice) -> None:
    """Nobody locks themselves out, also not by two removals at the same moment."""
    spare, owner = await _added(served, "officer"), await served.principal("officer")
    handles = [await _first(served, "officer"), await _handle(served, "officer", spare)]
    confirmed = [await _confirmation(served, owner, handle) for handle in handles]

    outcomes = await asyncio.gather(
        *(keys.remove(served.office, owner, *one) for one in zip(handles, confirmed, strict=True)),
        return_exceptions=True,
    )

    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Conflict | CeremonyRefused | NotAuthenticated) for outcome in outcomes) == 1


async def _confirmation(served: SoftwareOffice, owner: Principal, key: bytes) -> Given:
    with pytest.raises(StepUpRequired) as asked:
        await keys.remove(served.office, owner, key, None)
    begun = await step_up.begin(served.office, owner, asked.value.action)
    answer = served.api.deployment.people["officer"].key.get(begun.options, served.office.deployment.iss)
    return Given(begun.ceremony, answer)


async def test_the_only_key_stays(served: SoftwareOffice) -> None:
    """The sentence says what to do first."""
    only = await _first(served, "officer")

    with pytest.raises(Conflict, match="Add another one before"):
        await _removed(served, "officer", only)


async def test_another_s_key_is_not_there(served: SoftwareOffice) -> None:
    """Removing another's key is refused before anything is asked for."""
    others = await _first(served, "second")

    with pytest.raises(NotFound):
        await keys.remove(served.office, await served.principal("officer"), others, None)

    assert await _names(served, "second") == {"My key"}


async def test_an_account_has_so_many_keys(served: SoftwareOffice) -> None:
    """At the limit of its role's policy no further one is begun."""
    most = KEY_POLICIES[Role.OFFICER].most_keys
    for number in range(most - 1):
        await _added(served, "officer", name=f"key {number}")

    with pytest.raises(Conflict, match="as many keys as one account may have"):
        await keys.begin_adding(served.office, await served.principal("officer"), None)


async def test_one_key_too_many_that_was_begun_before(served: SoftwareOffice) -> None:
    """Whoever begins several while there is room for one finishes one."""
    most, olive = KEY_POLICIES[Role.OFFICER].most_keys, await served.principal("officer")
    for number in range(most - 2):
        await _added(served, "officer", name=f"key {number}")
    begun = [
        await served.confirmed("officer", lambda who, given: keys.begin_adding(served.office, who, given))
        for _ in range(2)
    ]
    first, second = (
        Given(one.ceremony, PersonalKey().create(one.options, served.office.deployment.iss)) for one in begun
    )

    await keys.finish_adding(served.office, olive, first, "the last one")
    with pytest.raises(Conflict, match="as many keys as one account may have"):
        await keys.finish_adding(served.office, olive, second, "one too many")

    assert len(await keys.mine(served.office, olive)) == most


async def test_adding_is_finished_where_it_was_begun(served: SoftwareOffice) -> None:
    """Neither another person nor another session of the same one finishes it."""
    begun = await served.confirmed("officer", lambda who, given: keys.begin_adding(served.office, who, given))
    again = await served.confirmed("officer", lambda who, given: keys.begin_adding(served.office, who, given))
    elsewhere = await _signed_in(served, served.api.deployment.people["officer"].key)

    for who, one in ((await served.principal("second"), begun), (elsewhere.principal, again)):
        answer = PersonalKey().create(one.options, served.office.deployment.iss)
        with pytest.raises(CeremonyRefused) as refused:
            await keys.finish_adding(served.office, who, Given(one.ceremony, answer), "mine now")
        assert refused.value.rule == "session"


async def test_a_program_has_no_keys_of_this_kind(served: SoftwareOffice) -> None:
    """Whoever calls with an API key has no security keys to see or change."""
    program = Principal("key", "Case System", Role.OFFICER, None)

    for act in (
        keys.mine(served.office, program),
        keys.begin_adding(served.office, program, None),
        keys.rename(served.office, program, bytes(16), "key"),
        keys.remove(served.office, program, bytes(16), None),
    ):
        with pytest.raises(NotAllowed, match="an API key cannot"):
            await act


async def test_keys_added_at_once_are_not_more_than_there_may_be(served: SoftwareOffice) -> None:
    """Every ceremony began while there was room; the room is looked for again where the key is written."""
    who, most = "officer", served.office.key_policies[Role.OFFICER].most_keys
    begun = [
        await served.confirmed(who, lambda person, given: keys.begin_adding(served.office, person, given))
        for _ in range(most + 2)
    ]
    person = await served.principal(who)
    answers = [Given(one.ceremony, PersonalKey().create(one.options, served.office.deployment.iss)) for one in begun]

    outcomes = await asyncio.gather(
        *(keys.finish_adding(served.office, person, answer, "spare") for answer in answers), return_exceptions=True
    )

    assert len(await keys.mine(served.office, person)) == most
    assert sum(isinstance(outcome, TooManyKeys) for outcome in outcomes) == 3
