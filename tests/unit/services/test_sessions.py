"""Sessions: recognised by their token, ended by wish or by time, all in the same words."""

from __future__ import annotations

import pytest

from idverify.auth.key_policy import SESSION_LIMITS
from idverify.core.policy import Principal, Role
from idverify.errors import NotAllowed, NotAuthenticated
from idverify.services import sessions, sign_in
from idverify.services.ceremonies import Given
from idverify.services.sessions import Opened, recognise
from tests.simulators.databases import everything
from tests.simulators.software_office import SoftwareOffice

PEOPLE = {"officer": Role.OFFICER, "admin": Role.ADMIN, "partner": Role.RELYING_PARTY, "citizen": Role.CITIZEN}


async def _opened(served: SoftwareOffice, who: str) -> Opened:
    if who == "citizen":
        who = await served.api.enrol_citizen(await served.api.person_with_status())
    await served.api.identity(who)
    begun = await sign_in.begin(served.office)
    answer = served.api.deployment.people[who].key.get(begun.options, served.office.deployment.iss)
    return await sign_in.finish(served.office, Given(begun.ceremony, answer))


async def _sentence(served: SoftwareOffice, token: str) -> str:
    with pytest.raises(NotAuthenticated) as refused:
        await recognise(served.office, token)
    return refused.value.detail


@pytest.mark.parametrize(("who", "role"), PEOPLE.items())
async def test_a_session_that_nobody_uses_ends(served: SoftwareOffice, who: str, role: Role) -> None:
    """It holds in the last second of its role's idle time and not in the one after."""
    opened, limits = await _opened(served, who), SESSION_LIMITS[role]

    served.clock.advance(limits.idle - 1)
    assert await recognise(served.office, opened.token) == opened.principal
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
        assert await recognise(served.office, opened.token) == opened.principal
    served.clock.advance(left)

    assert "session has ended" in await _sentence(served, opened.token)


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
    assert await recognise(served.office, there.token) == there.principal


async def test_signing_out_everywhere_ends_them_all(served: SoftwareOffice) -> None:
    """Every session of the account ends, and nobody else's does."""
    mine, other = [await _opened(served, "officer") for _ in range(3)], await _opened(served, "second")

    await sessions.end_all(served.office, mine[0].principal)

    for session in mine:
        assert "session has ended" in await _sentence(served, session.token)
    assert await recognise(served.office, other.token) == other.principal


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
