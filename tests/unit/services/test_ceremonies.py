"""A challenge is good once, for one thing, for a time; whoever answers it wrongly has used it up as well."""

from __future__ import annotations

import asyncio

import pytest

from idverify.errors import CeremonyExpired, CeremonyUsed, NotFound
from idverify.services.ceremonies import SECONDS, Ceremony, burn, keep
from tests.simulators.software_office import SoftwareOffice

CHALLENGE = bytes(32)


async def _kept(served: SoftwareOffice, kind: Ceremony) -> bytes:
    return await keep(served.office, kind, CHALLENGE, served.clock.now())


@pytest.mark.parametrize("kind", list(Ceremony))
async def test_it_is_used_in_its_last_second_and_not_after(served: SoftwareOffice, kind: Ceremony) -> None:
    """Each kind has its time; after it the answer is that it took too late."""
    early, late = await _kept(served, kind), await _kept(served, kind)

    served.clock.advance(SECONDS[kind] - 1)
    row = await burn(served.office, kind, early)
    served.clock.advance(1)
    with pytest.raises(CeremonyExpired, match="too late"):
        await burn(served.office, kind, late)

    assert (row["kind"], row["challenge"]) == (kind.value, CHALLENGE)


async def test_one_for_another_kind_answers_nothing(served: SoftwareOffice) -> None:
    """A challenge to sign in with is no challenge to confirm with; to ask wrongly does not use it up."""
    handle = await _kept(served, Ceremony.SIGN_IN)

    for kind in (Ceremony.ENROL, Ceremony.ADD_KEY, Ceremony.STEP_UP):
        with pytest.raises(NotFound):
            await burn(served.office, kind, handle)
    with pytest.raises(NotFound):
        await burn(served.office, Ceremony.SIGN_IN, bytes(16))

    assert (await burn(served.office, Ceremony.SIGN_IN, handle))["handle"] == handle


@pytest.mark.parametrize("kind", list(Ceremony))
async def test_of_two_hundred_at_once_one_uses_it(served: SoftwareOffice, kind: Ceremony) -> None:
    """However many answer one challenge at the same time: one gets it, the others are told that it is used."""
    handle = await _kept(served, kind)

    outcomes = await asyncio.gather(*(burn(served.office, kind, handle) for _ in range(200)), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes if isinstance(outcome, Exception)] == [CeremonyUsed] * 199
