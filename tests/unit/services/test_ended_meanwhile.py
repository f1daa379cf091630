"""Whoever is shown the door between confirming an act and its commit carries nothing out any more."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import pytest
import pytest_asyncio
from sqlalchemy import Table, select

from idverify.core.action import Action
from idverify.core.credential_type import Purpose
from idverify.core.decision import DecisionKind
from idverify.core.policy import Principal, Role, require_person
from idverify.core.types.immigration_status import IMMIGRATION_STATUS, ImmigrationPermission
from idverify.errors import NotAuthenticated
from idverify.services import (
    access,
    administration,
    decide,
    enrol_staff,
    invite,
    keys,
    offer,
    recovery_codes,
    staff,
    step_up,
)
from idverify.services.ceremonies import Given
from idverify.services.decide import Ruling
from idverify.services.invite import Invited
from idverify.services.office import Office
from idverify.services.step_up import Authorisation
from idverify.stores import queries, tables
from idverify.stores.writes import Change, WriteSet
from tests.simulators.rulings import content
from tests.simulators.service import DETAILS, PERMISSION
from tests.simulators.signed_in import PersonalKey
from tests.simulators.software_office import SoftwareOffice, software_office
from tests.simulators.two_parts import FIRST_HASH

pytestmark = pytest.mark.asyncio(loop_scope="module")

PERMITTED: Final = ImmigrationPermission.model_validate(PERMISSION).model_dump(mode="json")
WANTED: Final = offer.Wanted(IMMIGRATION_STATUS.id)
# What acts leave behind
LEFT_BEHIND: Final = (
    tables.authorisation,
    tables.decision,
    tables.proposal,
    tables.offer,
    tables.enrolment,
    tables.api_key,
    tables.account,
    tables.person,
    tables.security_key,
    tables.look,
    tables.notice,
    tables.ledger_record,
)


@dataclass(frozen=True)
class Town:
    """An office, a person with an active status and one without, a proposal on the former, and their own account."""

    served: SoftwareOffice
    person: bytes
    newcomer: bytes
    proposal: bytes
    citizen: str
    officer: bytes

    async def rows(self) -> list[list[tuple[Any, ...]]]:
        """Everything that acts leave behind."""
        store = self.served.office.store
        return [[tuple(row) for row in await store.fetch(select(table), {})] for table in LEFT_BEHIND]

    async def end(self, table: Table, row: bytes, at: int | None) -> None:
        """End an account or a session, or undo that."""
        await self.served.office.store.commit(WriteSet((Change(table, {"id": row}, {"ended_at": at}),)))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """One office for all cases: they change nothing."""
    async with software_office(tmp_path_factory.mktemp("office")) as served:
        person, api = await served.api.person_with_status(), served.api
        newcomer = (await api.ok("POST", "/api/v1/people", "officer", {"details": DETAILS}))["person"]
        suspension = {"kind": "suspend", "reason": "under-review", "legal_basis": "Rules, part 9"}
        proposal = (await api.ok("POST", f"/api/v1/people/{person}/decisions", "officer", suspension))["proposal"]
        accounts: list[Any] = await served.office.store.fetch(queries.STAFF, {})
        subject, other, waiting = map(bytes.fromhex, (person, newcomer, proposal))
        yield Town(served, subject, other, waiting, await api.enrol_citizen(person), accounts[0]["handle"])


Act = Callable[[Town, Office, Principal, Given | None], Awaitable[Any]]


def _grant(town: Town) -> Ruling:
    return Ruling(town.newcomer, DecisionKind.GRANT, "application-granted", content(PERMITTED))


def _revocation(town: Town) -> Ruling:
    return Ruling(town.person, DecisionKind.REVOKE, "fraud-found", content())


PARTNER: Final = Invited(Role.RELYING_PARTY, "Example Homes Ltd", Purpose.RENT)
LINK: Final = enrol_staff.action(Invited(Role.OFFICER, "Otto Officer"), FIRST_HASH)

# Act -> who does it, and how
ACTS: Final[dict[str, tuple[str, Act]]] = {
    "decide": ("officer", lambda town, office, who, given: decide.decide(office, who, _grant(town), given)),
    "propose": ("officer", lambda town, office, who, given: decide.decide(office, who, _revocation(town), given)),
    "approve": ("second", lambda town, office, who, given: decide.approve(office, who, town.proposal, given)),
    "offer": ("officer", lambda town, office, who, given: offer.offer(office, who, town.person, WANTED, given)),
    "collect": ("citizen", lambda _, office, who, given: offer.offer_to_self(office, who, WANTED, given)),
    "slip": ("officer", lambda town, office, who, given: invite.invite_citizen(office, who, town.person, given)),
    "link": ("admin", lambda _, office, who, given: invite.invite_organisation(office, who, PARTNER, given)),
    "proposal by an admin": ("admin", lambda _, office, who, given: administration.propose(office, who, LINK, given)),
    "end": ("admin", lambda town, office, who, given: staff.end(office, who, town.officer, given)),
    "API key": ("partner", lambda _, office, who, given: access.create_key_for(office, who, "", Purpose.WORK, given)),
    "codes": ("citizen", lambda _, office, who, given: recovery_codes.make(office, who, given)),
    "add a key": ("officer", lambda _, office, who, given: keys.begin_adding(office, who, given)),
}
DOORS: Final = {"account": tables.account, "session": tables.session}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", ACTS)
async def test_a_confirmation_does_not_outlive_its_owner(
    town: Town, name: str, door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Account or session end after the act was confirmed: it is refused, and no row of it is there."""
    who, act = ACTS[name]
    caller = town.citizen if who == "citizen" else who
    principal, require = await town.served.principal(caller), step_up.require
    row, before = getattr(require_person(principal), door), await town.rows()

    async def then_shown_the_door(
        office: Office, principal: Principal, action: Action, given: Given | None
    ) -> Authorisation:
        confirmed = await require(office, principal, action, given)
        await town.end(DOORS[door], row, town.served.clock.now())
        return confirmed

    monkeypatch.setattr(step_up, "require", then_shown_the_door)
    with pytest.raises(NotAuthenticated, match="session has ended"):
        await town.served.confirmed(caller, lambda person, given: act(town, town.served.office, person, given))
    await town.end(DOORS[door], row, None)

    assert await town.rows() == before


@pytest.mark.parametrize("door", DOORS)
async def test_a_key_is_not_added_afterwards(town: Town, door: str) -> None:
    """A thief who began to add their own key to a session does not finish once that is over."""
    office, olive = town.served.office, await town.served.principal("officer")
    begun = await town.served.confirmed("officer", lambda who, given: keys.begin_adding(office, who, given))
    answer = Given(begun.ceremony, PersonalKey().create(begun.options, office.deployment.iss))
    row, before = getattr(require_person(olive), door), await town.rows()
    await town.end(DOORS[door], row, town.served.clock.now())

    with pytest.raises(NotAuthenticated, match="session has ended"):
        await keys.finish_adding(office, olive, answer, "mine now")
    await town.end(DOORS[door], row, None)

    assert await town.rows() == before
