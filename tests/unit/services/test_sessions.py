"""Sessions: recognised by their token, ended by wish or by time, all in the same words."""

from __future__ import annotations

import pytest

from idverify.auth.key_policy import SESSION_LIMITS, SHARED_LIMITS
from idverify.core.policy import Principal, Role
from idverify.errors import NotAllowed, NotAuthenticated, NotFound
from idverify.services import sessions, sign_in
from idverify.services.ceremonies import Given
from idverify.services.sessions import Opened, recognise
from tests.simulators.databases import everything
from tests.simulators.software_office import SoftwareOffice

PEOPLE = {"officer": Role.OFFICER, "admin": Role.ADMIN, "partner": Role.RELYING_PARTY, "citizen": Role.CITIZEN}


async def _opened(served: SoftwareOffice, who: str, *, shared_computer: bool = False) -> Opened:
    if who == "citizen":
        who = await served.api.enrol_citizen(await served.api.person_with_status())
    await served.api.identity(who)
    begun = await sign_in.begin(served.office)
    answer = served.api.deployment.people[who].key.get(begun.options, served.office.deployment.iss)
    return await sign_in.finish(served.office, Given(begun.ceremony, answer), shared_computer=shared_computer)


async def _handle(served: SoftwareOffice, session: Opened) -> bytes:
    """By which its owner ends a session."""
    listed = await sessions.mine(served.office, session.principal)
    return next(one.handle for one in listed if one.is_current)


async def _sentence(served: SoftwareOffice, token: str) -> str:
    with pytest.raises(NotAuthenticated) as refused:
        await recognise(served.office, token)
    return refused.value.detail


@pytest.mark.parametrize(("who", "role"), PEOPLE.items())
async def test_a_session_that_nobody_uses_ends(served: SoftwareOffice, who: str, role: Role) -> None:
    """It holds in the last second of its role's idle time and not in the one after."""
    opened, limits = await _opened(served, who), SESSION_LIMITS[role]

    served.clock.advance(limits.idle - 1)
    assert await recognise(served.office, opened.token) == opened
    served.clock.advance(limits.idle)
    assert "session has ended" in await _sentence(served, opened.token)


@pytest.mark.parametrize(("who", "role"), PEOPLE.items())
async def test_a_session_that_is_used_ends_too(served: SoftwareOffice, who: str, role: Role) -> None:
    """Use keeps it alive until its role's absolute limit, and no longer."""
    opened, limits = await _opened(served, who), SESSION_LIMITS[role]
    step, left = limits.idle - 1, limits.absolute

    while left > step:
        served.clock.advance(step)
        left -= step
        assert await recognise(served.office, opened.token) == opened
    served.clock.advance(left)

    assert "session has ended" in await _sentence(served, opened.token)


@pytest.mark.parametrize(("who", "role"), PEOPLE.items())
async def test_a_session_on_a_shared_computer_ends_sooner(served: SoftwareOffice, who: str, role: Role) -> None:
    """Its own limits hold, in use and out of it; the session knows what it is."""
    opened, limits = await _opened(served, who, shared_computer=True), SHARED_LIMITS[role]
    assert opened.principal.signed_in is not None
    assert opened.principal.signed_in.shared_computer
    step, left = limits.idle - 1, limits.absolute

    while left > step:
        served.clock.advance(step)
        left -= step
        assert await recognise(served.office, opened.token) == opened
    served.clock.advance(left)

    assert "session has ended" in await _sentence(served, opened.token)
    again = await _opened(served, who if who != "citizen" else "officer", shared_computer=True)
    served.clock.advance(limits.idle)
    assert "session has ended" in await _sentence(served, again.token)


async def test_what_the_owner_sees(served: SoftwareOffice) -> None:
    """The sessions that hold, oldest first: since when, last used, by which key, where; nobody else's."""
    await _opened(served, "second")
    await served.api.identity("officer")
    served.clock.advance(1)
    start = served.clock.now()
    first = await _opened(served, "officer")
    served.clock.advance(61)
    shared = await _opened(served, "officer", shared_computer=True)
    await recognise(served.office, first.token)
    listed = [one for one in await sessions.mine(served.office, first.principal) if one.created_at >= start][-2:]

    assert [(one.created_at, one.last_used_at) for one in listed] == [(start, start + 61), (start + 61, start + 61)]
    assert [one.expires_at for one in listed] == [first.expires_at, shared.expires_at]
    assert [(one.shared_computer, one.is_current) for one in listed] == [(False, True), (True, False)]
    assert {one.key_name for one in listed} == {"My key"}
    served.clock.advance(SHARED_LIMITS[Role.OFFICER].idle)
    assert listed[1].handle not in {one.handle for one in await sessions.mine(served.office, first.principal)}


async def test_one_session_ends(served: SoftwareOffice) -> None:
    """Whichever the owner wants, and no other; the answer says whether it was this one."""
    here, there, third = [await _opened(served, "officer") for _ in range(3)]

    assert await sessions.end_one(served.office, here.principal, await _handle(served, there)) is False
    assert "session has ended" in await _sentence(served, there.token)
    assert [await recognise(served.office, each.token) for each in (here, third)] == [here, third]
    assert await sessions.end_one(served.office, here.principal, await _handle(served, here)) is True
    assert "session has ended" in await _sentence(served, here.token)
    assert await recognise(served.office, third.token) == third


async def test_nobody_ends_another_s_session(served: SoftwareOffice) -> None:
    """It is as if there were none, like one that has ended, and one that never was."""
    mine, theirs = await _opened(served, "officer"), await _opened(served, "second")
    handle = await _handle(served, theirs)

    for wrong in (handle, bytes(16)):
        with pytest.raises(NotFound, match="You have no such session"):
            await sessions.end_one(served.office, mine.principal, wrong)
    assert await recognise(served.office, theirs.token) == theirs
    await sessions.end(served.office, theirs.principal)
    with pytest.raises(NotFound, match="You have no such session"):
        await sessions.end_one(served.office, theirs.principal, handle)


async def test_tokens_that_open_nothing(served: SoftwareOffice) -> None:
    """An ended session, an unknown token and what is no token are refused in the same words."""
    opened = await _opened(served, "officer")
    await sessions.end(served.office, opened.principal)

    sentences = {await _sentence(served, token) for token in (opened.token, "A" * 43, "", "nonsense", "\u00fc" * 43)}

    assert len(sentences) == 1


async def test_signing_out_ends_this_session(served: SoftwareOffice) -> None:
    """Signing out is for one browser; signing out twice changes nothing."""
    here, there = await _opened(served, "officer"), await _opened(served, "officer")

    await sessions.end(served.office, here.principal)

    assert "session has ended" in await _sentence(served, here.token)
    assert await recognise(served.office, there.token) == there


async def test_signing_out_everywhere_ends_them_all(served: SoftwareOffice) -> None:
    """Every session of the account ends, and nobody else's does."""
    mine, other = [await _opened(served, "officer") for _ in range(3)], await _opened(served, "second")

    await sessions.end_all(served.office, mine[0].principal)

    for session in mine:
        assert "session has ended" in await _sentence(served, session.token)
    assert await recognise(served.office, other.token) == other


async def test_a_program_has_no_session(served: SoftwareOffice) -> None:
    """An API key cannot sign out, because it never signed in."""
    program = Principal("key", "Case System", Role.OFFICER, None)

    for ending in (sessions.end, sessions.end_all):
        with pytest.raises(NotAllowed, match="an API key cannot"):
            await ending(served.office, program)


async def test_tokens_are_kept_as_hashes(served: SoftwareOffice) -> None:
    """Whoever reads the database can open no session with it."""
    opened = await _opened(served, "officer")

    dump = await everything(served.office.store)

    assert opened.token not in dump
    assert opened.principal.signed_in is not None
    assert opened.principal.signed_in.session.hex() in dump
