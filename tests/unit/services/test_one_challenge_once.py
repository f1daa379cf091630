"""One answer, sent two hundred times at the same moment to two front ends of one database, is taken once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import select

from idverify.core.policy import Role
from idverify.errors import CeremonyUsed
from idverify.services import keys
from idverify.services.ceremonies import Given
from idverify.services.invite import Invited
from idverify.services.office import Office
from idverify.stores import tables
from idverify.stores.open import Location, open_store
from idverify.web.server import make_app, make_runner
from tests.simulators.service import VCT, free_port
from tests.simulators.signed_in import PersonalKey
from tests.simulators.software_office import Premises, SoftwareOffice, premises

TIMES = 200
# Whoever comes last may find the enrolment code used up, too, or the session's token renewed by the act.
REFUSALS = {"/problems/ceremony-used", "/problems/conflict", "/problems/not-authenticated"}


@dataclass(frozen=True)
class FrontEnds:
    """A service and another one beside it; ``urls`` are where both answer, for the one address that people know."""

    served: SoftwareOffice
    other: Office
    urls: tuple[str, str]


@pytest.fixture
async def front_ends(tmp_path: Path, location: Location) -> AsyncIterator[FrontEnds]:
    """Two of them over each driver, each with its own connections."""
    async with premises(tmp_path, location) as house, house.open() as served, _second(house) as (other, port):
        yield FrontEnds(served, other, (house.api.deployment.url, f"http://localhost:{port}"))


@asynccontextmanager
async def _second(house: Premises) -> AsyncIterator[tuple[Office, int]]:
    async with open_store(house.location, house.clock) as store:
        office, port = await house.office(store), free_port()
        runner = make_runner(make_app(office))
        await runner.setup()
        try:
            await web.TCPSite(runner, "localhost", port).start()
            yield office, port
        finally:
            await runner.cleanup()


@dataclass(frozen=True)
class Sent:
    """A request that uses a challenge up."""

    path: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


async def _sign_in(served: SoftwareOffice) -> Sent:
    await served.api.identity("officer")
    begun = await served.api.begun("/api/v1/sign-in/options")
    response = served.api.deployment.people["officer"].key.get(begun["public_key"], served.api.deployment.url)
    return Sent("/api/v1/sign-in", {"ceremony": begun["ceremony"], "response": response})


async def _enrolment(served: SoftwareOffice) -> Sent:
    asked = {"code": await served.api.deployment.invite(Invited(Role.OFFICER, "Nora Newcomer")), "name": None}
    begun = await served.api.begun("/api/v1/enrolments/options", asked)
    response = PersonalKey().create(begun["public_key"], served.api.deployment.url)
    return Sent("/api/v1/enrolments", {**asked, "ceremony": begun["ceremony"], "response": response})


async def _step_up(served: SoftwareOffice) -> Sent:
    path, body = f"/api/v1/people/{await served.api.person_with_status()}/offers", {"type": VCT}
    _, asked = await served.api.call("POST", path, "officer", body, confirm=False)
    officer = served.api.deployment.people["officer"]
    confirmed = officer.step_up(asked["step_up"], served.api.deployment.url)
    return Sent(path, body, {**await served.api.identity("officer"), **confirmed})


@pytest.mark.parametrize(
    ("prepared", "done"),
    [(_sign_in, tables.session), (_enrolment, tables.account), (_step_up, tables.offer)],
    ids=["sign-in", "enrolment", "step-up"],
)
async def test_over_http(
    front_ends: FrontEnds, prepared: Callable[[SoftwareOffice], Awaitable[Sent]], done: Any
) -> None:
    """One is served, and what it leads to is there once; all the others are refused."""
    served = front_ends.served
    sent = await prepared(served)
    before = len(await served.office.store.fetch(select(done.c.id), {}))

    answers = await asyncio.gather(
        *(
            served.api.send("POST", front_ends.urls[number % 2] + sent.path, sent.body, sent.headers)
            for number in range(TIMES)
        )
    )
    outcomes = Counter(answer["type"] if status >= 400 else "done" for status, answer, _ in answers)

    assert outcomes.pop("done") == 1
    assert set(outcomes) <= REFUSALS
    assert outcomes.total() == TIMES - 1
    assert len(await served.office.store.fetch(select(done.c.id), {})) == before + 1


async def test_another_key(front_ends: FrontEnds) -> None:
    """Likewise with a key that is added, by two services that both hold the session."""
    served = front_ends.served
    begun = await served.confirmed("officer", lambda who, given: keys.begin_adding(served.office, who, given))
    given = Given(begun.ceremony, PersonalKey().create(begun.options, served.office.deployment.iss))
    olive = await served.principal("officer")

    outcomes = await asyncio.gather(
        *(
            keys.finish_adding((served.office, front_ends.other)[number % 2], olive, given, "spare")
            for number in range(TIMES)
        ),
        return_exceptions=True,
    )

    assert Counter(type(outcome) for outcome in outcomes) == {type(None): 1, CeremonyUsed: TIMES - 1}
    assert len(await keys.mine(served.office, olive)) == 2
