"""Each role against each route: nobody reaches what is not theirs, and nobody learns more than that from trying."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest
import pytest_asyncio

from idverify.auth.authenticator_list import EMPTY
from idverify.auth.key_policy import KEY_POLICIES
from idverify.core.policy import ALLOWED, Act, Role
from idverify.services import enrol_staff
from idverify.services.invite import Invited
from idverify.web.endpoint import Caller, Endpoint
from idverify.web.routes import ROUTES
from tests.simulators.contract import contract
from tests.simulators.holder import Holding, holding
from tests.simulators.service import DETAILS, PERMISSION, VCT
from tests.simulators.software_office import SoftwareOffice, premises, software_office
from tests.simulators.two_parts import FIRST_HASH

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Where what is sent here is refused as what it is, to whoever may send it
UNFIT: Final = frozenset({"POST /api/v1/authenticators/metadata", "POST /api/v1/verification-receipts/pdf"})
# What each route that asks who is calling needs; ``None``: nothing but a session.
NEEDS: Final[dict[str, Act | None]] = {
    "POST /api/v1/sign-out": None,
    "POST /api/v1/sign-out-everywhere": None,
    "GET /api/v1/sessions": None,
    "POST /api/v1/sessions/{session}/end": None,
    "POST /api/v1/recovery-codes": Act.PRINT_CODES,
    "GET /api/v1/security-keys": None,
    "POST /api/v1/security-keys/options": None,
    "POST /api/v1/security-keys": None,
    "POST /api/v1/security-keys/{key}/name": None,
    "POST /api/v1/security-keys/{key}/removal": None,
    "GET /api/v1/notices": None,
    "POST /api/v1/notices/{notice}/seen": None,
    "POST /api/v1/notices/{notice}/cancellation": None,
    "POST /api/v1/people": Act.KEEP_PEOPLE,
    "POST /api/v1/people/search": Act.KEEP_PEOPLE,
    "GET /api/v1/people/{person}": Act.KEEP_PEOPLE,
    "POST /api/v1/people/{person}/decisions": Act.DECIDE,
    "POST /api/v1/people/{person}/offers": Act.OFFER,
    "POST /api/v1/people/{person}/enrolments": Act.ENROL_CITIZENS,
    "GET /api/v1/people/{person}/letters": Act.PRINT_LETTERS,
    "POST /api/v1/people/{person}/letters": Act.PRINT_LETTERS,
    "POST /api/v1/people/{person}/letter-codes": Act.PRINT_LETTERS,
    "POST /api/v1/letters/collection": Act.PRINT_LETTERS,
    "GET /api/v1/letters/{letter}": Act.PRINT_LETTERS,
    "GET /api/v1/letters/{letter}/receipt": Act.PRINT_LETTERS,
    "POST /api/v1/letter-batches": Act.PRINT_LETTERS,
    "GET /api/v1/letter-batches": Act.PRINT_LETTERS,
    "GET /api/v1/letter-batches/{batch}": Act.PRINT_LETTERS,
    "GET /api/v1/letter-batches/{batch}/letters": Act.PRINT_LETTERS,
    "POST /api/v1/letters-due": Act.PRINT_LETTERS,
    "GET /api/v1/own-letters": Act.SEE_OWN_RECORD,
    "POST /api/v1/own-letters": Act.COLLECT,
    "GET /api/v1/own-letters/{letter}": Act.SEE_OWN_RECORD,
    "GET /api/v1/own-letters/{letter}/receipt": Act.SEE_OWN_RECORD,
    "POST /api/v1/own-letter-codes": Act.COLLECT,
    "GET /api/v1/proposals": Act.DECIDE,
    "GET /api/v1/proposals/{proposal}": Act.DECIDE,
    "POST /api/v1/proposals/{proposal}/approval": Act.DECIDE,
    "POST /api/v1/people/{person}/erasure": Act.ERASE,
    "GET /api/v1/erasures": Act.ERASE,
    "POST /api/v1/erasures/{proposal}/approval": Act.ERASE,
    "GET /api/v1/authorisations": Act.EXPORT_EVIDENCE,
    "POST /api/v1/authorisations/{authorisation}/evidence": Act.EXPORT_EVIDENCE,
    "GET /api/v1/own-entries": Act.SEE_OWN_RECORD,
    "GET /api/v1/own-entries/{shard}/{index}/receipt": Act.SEE_OWN_RECORD,
    "GET /api/v1/own-copies": Act.SEE_OWN_RECORD,
    "POST /api/v1/own-copies/{copy}/retirement": Act.RETIRE_COPY,
    "GET /api/v1/ledger/shards": Act.KEEP_LEDGER,
    "POST /api/v1/ledger/shards": Act.KEEP_LEDGER,
    "POST /api/v1/ledger/shards/{proposal}/approval": Act.KEEP_LEDGER,
    "GET /api/v1/authenticators": Act.KEEP_AUTHENTICATORS,
    "POST /api/v1/authenticators/dry-run": Act.KEEP_AUTHENTICATORS,
    "POST /api/v1/authenticators/metadata": Act.KEEP_AUTHENTICATORS,
    "GET /api/v1/administration/proposals": Act.ADMINISTER,
    "POST /api/v1/administration/proposals": Act.ADMINISTER,
    "GET /api/v1/administration/proposals/{proposal}": Act.ADMINISTER,
    "POST /api/v1/administration/proposals/{proposal}/approval": Act.ADMINISTER,
    "POST /api/v1/verification-requests": Act.REQUEST_PRESENTATION,
    "POST /api/v1/verification-receipts/pdf": Act.VERIFY,
    "POST /api/v1/verify": Act.VERIFY,
    "GET /metrics": Act.READ_METRICS,
}
BODIES: Final[dict[str, Any]] = {
    "POST /api/v1/people": {"details": DETAILS},
    "POST /api/v1/people/search": {
        "travel_document": {"type": "P", "number": "X1", "issuing_state": "UTO", "expiry": "2031-01-01"}
    },
    "POST /api/v1/people/{person}/decisions": {
        "kind": "vary",
        "reason": "extended",
        "legal_basis": "Rules, part 1",
        "permission": PERMISSION,
    },
    "POST /api/v1/people/{person}/offers": {"type": VCT},
    "POST /api/v1/people/{person}/letters": {"type": VCT, "purpose": "work", "language": "cy", "large_print": True},
    "POST /api/v1/people/{person}/letter-codes": {"type": VCT},
    "POST /api/v1/letters/collection": {"type": VCT, "code": "0000-0000-0000-0000-0000"},
    "POST /api/v1/letters-due": {"type": VCT, "good_until": "2030-01-01"},
    "POST /api/v1/letter-batches": {"people": ["0" * 32], "choices": {"type": VCT}},
    "POST /api/v1/own-letters": {"type": VCT},
    "POST /api/v1/own-letter-codes": {"type": VCT},
    "POST /api/v1/people/{person}/erasure": {"reason": "asked-for", "legal_basis": "Retention schedule, part 2"},
    "POST /api/v1/own-copies/{copy}/retirement": {"reason": "lost"},
    "POST /api/v1/security-keys/{key}/name": {"key_name": "blue key"},
    "POST /api/v1/authenticators/dry-run": {"document": EMPTY.to_json()},
    "POST /api/v1/administration/proposals": enrol_staff.action(
        Invited(Role.OFFICER, "Otto Officer"), FIRST_HASH
    ).to_json(),
    "POST /api/v1/verification-requests": {"type": VCT},
    "POST /api/v1/verification-receipts/pdf": {"verification_receipt": "a.b.c"},
    "POST /api/v1/verify": {"document": "a.b.c~"},
}
PROGRAMS: Final = {"register": Role.OFFICER, "employer": Role.RELYING_PARTY, "monitor": Role.ADMIN}
PEOPLE: Final = {"officer": Role.OFFICER, "partner": Role.RELYING_PARTY, "admin": Role.ADMIN, "citizen": Role.CITIZEN}
PROPOSE_LINK: Final = "POST /api/v1/administration/proposals"
STEP_UP: Final = "/problems/step-up-required"


def name_of(route: Endpoint) -> str:
    """Method and path, parameters without their patterns."""
    path = re.sub(r"\{(\w+):.*?\}(?=/|$)", r"{\1}", route.path)
    return f"{route.method} {path}"


def _is_confirmed(name: str) -> bool:
    return next(route for route in ROUTES if name_of(route) == name).headers == ("Step-Up",)


GUARDED: Final = [route for route in ROUTES if route.caller is not Caller.ANYBODY]


@dataclass(frozen=True)
class Town:
    """An office, a person whom everything is about, a proposal on them, and that person's own account.

    ``gone`` is somebody who holds no document, and ``erasure`` the proposal to erase them. ``new_log`` is a proposal on
    the ledger, after the checkpoint ``last_known``, and ``link`` one to enrol an officer. ``confirmed`` is an act of
    the officer.
    """

    served: SoftwareOffice
    held: Holding
    proposal: str
    new_log: str
    last_known: dict[str, Any]
    citizen: str
    gone: str
    erasure: str
    confirmed: str
    link: str
    letter_code: str

    def body(self, name: str) -> Any:
        """What is sent to a route."""
        if name == "POST /api/v1/letters/collection":
            return {"type": VCT, "code": self.letter_code}
        if name == "POST /api/v1/letter-batches":
            return {"people": [self.held.person], "choices": {"type": VCT}}
        return {"last_known": self.last_known} if name == "POST /api/v1/ledger/shards" else BODIES.get(name)

    async def call(self, name: str, who: str | None) -> tuple[int, Any]:
        """One exchange, unconfirmed, about the person on record."""
        method, path = name.split(" ")
        act = NEEDS[name]
        waiting = {Act.ERASE: self.erasure, Act.KEEP_LEDGER: self.new_log, Act.ADMINISTER: self.link}
        waits = waiting.get(act or Act.DECIDE, self.proposal)
        path = path.replace("{person}", self.gone if act is Act.ERASE else self.held.person)
        path = path.replace("{proposal}", waits).replace("{shard}", "1").replace("{index}", "0")
        path = path.replace("{authorisation}", self.confirmed).replace("{session}", "0" * 32)
        path = path.replace("{notice}", "0" * 32).replace("{key}", "0" * 32)
        path = path.replace("{letter}", "0" * 32).replace("{batch}", "0" * 32)
        path = path.replace("{copy}", self.held.answer["handle"])
        caller = self.citizen if who == "citizen" else who
        headers = await self.served.api.identity(caller)
        status, answer, _ = await self.served.api.send(method, path, self.body(name), headers)
        contract().require_kept(method, path, status, answer)
        return status, answer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    """One office for all routes; nothing that is tried changes it."""
    async with software_office(tmp_path_factory.mktemp("town")) as served:
        held = await holding(served.api)
        ruling = {"kind": "suspend", "reason": "under-review", "legal_basis": "Rules, part 9"}
        waiting = await served.api.ok("POST", f"/api/v1/people/{held.person}/decisions", "second", ruling)
        citizen, gone = await served.api.enrol_citizen(held.person), await served.api.person_with_status()
        await served.api.enrol("abel", await served.api.deployment.invite(Invited(Role.ADMIN, "Abel Admin")))
        wish = BODIES["POST /api/v1/people/{person}/erasure"]
        erasure = await served.api.ok("POST", f"/api/v1/people/{gone}/erasure", "abel", wish)
        await served.office.log_book.publish()
        last_known = (await served.api.ok("GET", "/api/v1/ledger/shards", "admin"))["following"]["last_known"]
        new_log = await served.api.ok("POST", "/api/v1/ledger/shards", "abel", {"last_known": last_known})
        confirmed = (await served.api.ok("GET", "/api/v1/authorisations", "officer"))["confirmations"][-1]
        asked = f"/api/v1/people/{held.person}/letter-codes"
        letter_code = (await served.api.ok("POST", asked, "officer", {"type": VCT}))["code"]
        link = await served.api.ok(*PROPOSE_LINK.split(" "), "abel", BODIES[PROPOSE_LINK])
        yield Town(
            served,
            held,
            waiting["proposal"],
            new_log["proposal"],
            last_known,
            citizen,
            gone,
            erasure["proposal"],
            confirmed["authorisation"],
            link["proposal"],
            letter_code,
        )


async def test_the_table_has_every_route() -> None:
    """A route that is new must say here what it needs."""
    assert {name_of(route) for route in GUARDED} == NEEDS.keys()


@pytest.mark.parametrize("name", [name_of(route) for route in GUARDED])
async def test_a_stranger_gets_nowhere(town: Town, name: str) -> None:
    """Without a key or a session: 401, whatever is asked for."""
    status, problem = await town.call(name, None)

    assert (status, problem["type"]) == (401, "/problems/not-authenticated")


@pytest.mark.parametrize("who", [*PROGRAMS, *PEOPLE])
@pytest.mark.parametrize("name", [name for name, act in NEEDS.items() if act is not None])
async def test_each_role_at_each_route(town: Town, name: str, who: str) -> None:
    """Whose role lacks the act is refused; whose has it is answered, or asked to confirm if they can."""
    act, role = NEEDS[name], (PROGRAMS | PEOPLE)[who]
    status, answer = await town.call(name, who)

    if act not in ALLOWED[role]:
        assert (status, answer["type"]) == (403, "/problems/not-allowed")
        assert f"yours is {role.value}" in answer["detail"]
    elif not _is_confirmed(name):
        assert status in {200, 201, 404} or (status == 422 and name in UNFIT)
    elif who in PROGRAMS:
        assert (status, answer["type"]) == (403, "/problems/not-allowed")
        assert "an API key cannot" in answer["detail"]
    else:
        assert (status, answer["type"]) == (401, STEP_UP)


@pytest.mark.parametrize("who", PROGRAMS)
@pytest.mark.parametrize("name", [name for name, act in NEEDS.items() if act is None])
async def test_a_program_has_no_session(town: Town, name: str, who: str) -> None:
    """What belongs to a session is out of an API key's reach."""
    status, problem = await town.call(name, who)

    assert (status, problem["type"]) == (401, "/problems/not-authenticated")


@pytest.mark.parametrize("who", PEOPLE)
@pytest.mark.parametrize("name", [name for name, act in NEEDS.items() if "{" in name and act is None])
async def test_a_key_session_or_notice_that_is_not_there(town: Town, name: str, who: str) -> None:
    """Whoever is signed in may look for their own, and finds no other."""
    status, problem = await town.call(name, who)

    assert (status, problem["type"]) == (404, "/problems/not-found")


# Citizens have copies of their own: ``tests/unit/services/test_retire.py``.
@pytest.mark.parametrize("program", [False, True])
@pytest.mark.parametrize(
    "name", [name for name, act in NEEDS.items() if "{" in name and act not in (None, Act.RETIRE_COPY)]
)
async def test_what_is_not_there(town: Town, name: str, *, program: bool) -> None:
    """A reference that was made up finds nothing; a program that may not act on it anyway is told that alone."""
    method, path = name.split(" ")
    of_admins = (Act.ERASE, Act.KEEP_LEDGER, Act.ADMINISTER)
    who = ("admin", "monitor") if NEEDS[name] in of_admins else ("officer", "register")
    made_up = re.sub(r"\{(person|proposal|authorisation)\}", "0" * 32, path)

    status, answer = await town.served.api.call(method, made_up, who[program], town.body(name), confirm=False)

    confirmed = _is_confirmed(name) and "{proposal}" not in name
    refused = (403, "/problems/not-allowed") if program and confirmed else (404, "/problems/not-found")
    assert (status, answer["type"]) == refused


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def newcomers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SoftwareOffice]:
    """An office whose staff and organisations need two keys each, and have one."""
    two_keys = {role: replace(policy, attested=False) for role, policy in KEY_POLICIES.items()}
    folder = tmp_path_factory.mktemp("newcomers")
    async with premises(folder) as made, replace(made, key_policies=two_keys).open() as served:
        yield served


@pytest.mark.parametrize("name", [name for name, act in NEEDS.items() if act not in (None, *ALLOWED[Role.CITIZEN])])
async def test_an_account_with_one_key_of_two(newcomers: SoftwareOffice, name: str) -> None:
    """Whoever's role has the act is told to register a second key first, at every route; signing out needs none."""
    act, (method, path) = NEEDS[name], name.split(" ")
    who = next(who for who, role in PEOPLE.items() if act in ALLOWED[role])
    path = re.sub(r"\{(person|proposal|authorisation|letter|batch)\}", "0" * 32, path)
    checkpoint = {"last_known": {"origin": "example/log/1", "size": 1, "root": "A" * 43 + "="}}
    body = checkpoint if name == "POST /api/v1/ledger/shards" else BODIES.get(name)

    status, problem, _ = await newcomers.api.send(method, path, body, await newcomers.api.identity(who))

    assert (status, problem["type"]) == (403, "/problems/second-key-needed")
    assert "second security key first" in problem["detail"]
