"""Thousands of changed answers, most of which parse: each is taken or refused in our own words, and none is a fault.

The same seed draws the same changes; keys and challenges differ. With ``--long``, a hundred thousand go over HTTP.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random

import orjson
import pytest

from idverify.auth import webauthn
from idverify.core.credential_type import Purpose
from idverify.core.policy import Role
from idverify.errors import CeremonyMalformed, CeremonyRefused, KeyNotAllowed, UserVerificationNeeded
from idverify.services import enrol, invite, sign_in
from idverify.services.invite import Invited
from tests.simulators import authenticator as sim
from tests.simulators import mutator
from tests.simulators.mutator import Asked
from tests.simulators.signed_in import PersonalKey, from_text
from tests.simulators.software_office import SoftwareOffice

pytestmark = pytest.mark.asyncio(loop_scope="module")

PURE, SERVED, LONG = 10_000, 500, 50_000  # the last two over each of two drivers
AT_ONCE = 50
SPOILED = 0.05  # the share of bodies whose JSON itself is changed
ANSWERS = {
    (200, ""),
    (400, "malformed-request"),
    (400, "ceremony-malformed"),
    (401, "verification-failed"),
    (401, "origin-not-allowed"),
    (401, "user-verification-needed"),
    (403, "key-not-allowed"),
    (403, "key-suspended"),  # once an answer whose counter did not rise has told of a copy
    (404, "not-found"),  # where a spoiled body names another ceremony or code
    (409, "key-already-registered"),  # two short ids that were drawn alike
}
UNPARSED = {"malformed-request", "ceremony-malformed"}

Draw = Callable[[Random], tuple[str, bytes]]
"""Draws the answer to a ceremony that has begun: the path that it goes to, and the body."""


def judged(judge: Callable[[], object]) -> str:
    """What the pure functions make of an answer: ``held``, ``malformed`` or ``refused``; all else flies on: a bug."""
    try:
        judge()
    except CeremonyMalformed:
        return "malformed"
    except (CeremonyRefused, KeyNotAllowed, UserVerificationNeeded):
        return "refused"
    return "held"


async def test_the_rules_themselves() -> None:
    """Nothing leaves the pure functions but the errors of ceremonies, and more than half of the answers reach rules."""
    random, key = Random(5), sim.Authenticator()  # noqa: S311  to be drawn again
    asked = Asked(sim.RP_ID, sim.ORIGIN, sim.CHALLENGE, key, sim.USER_HANDLE)
    expected = webauthn.Expectation(sim.RP_ID, frozenset({sim.ORIGIN}), sim.CHALLENGE)
    known = webauthn.KnownKey(key.credential_id, key.cose_key, 1, False, sim.USER_HANDLE)
    outcomes: Counter[str] = Counter()
    for number in range(PURE):
        if number % 2:
            made = mutator.registration(random, asked)
            outcomes[judged(partial(webauthn.check_registration, expected, made))] += 1
        else:
            given = mutator.assertion(random, asked)
            of_somebody = judged(partial(webauthn.check_assertion, expected, known, given))
            of_nobody = judged(partial(webauthn.check_nothing, expected, given))
            outcomes[of_somebody] += 1
            assert of_nobody == ("refused" if of_somebody == "held" else of_somebody)

    assert outcomes.keys() == {"held", "malformed", "refused"}
    assert outcomes["malformed"] <= PURE / 2


async def _sign_in(served: SoftwareOffice, _: int) -> Draw:
    key, begun = served.api.deployment.people["officer"].key, await sign_in.begin(served.office)
    challenge = from_text(begun.options["challenge"])
    asked = Asked(begun.options["rpId"], served.api.deployment.url, challenge, key.authenticator, key.user_handle)
    sent = {"ceremony": begun.ceremony.hex()}
    return lambda random: ("/api/v1/sign-in", _dumped({**sent, "response": mutator.assertion(random, asked)}))


async def _enrolment(served: SoftwareOffice, number: int) -> Draw:
    office, invited = served.office, Invited(Role.RELYING_PARTY, f"Example {number} plc", Purpose.WORK)
    code = (await invite.invite(office.store, office.doors, office.clock, office.entropy, invited, "a test")).code
    begun, key = await enrol.begin(office, code, None), PersonalKey().authenticator
    challenge, user_handle = from_text(begun.options["challenge"]), from_text(begun.options["user"]["id"])
    asked = Asked(begun.options["rp"]["id"], served.api.deployment.url, challenge, key, user_handle)
    sent = {"code": code, "ceremony": begun.ceremony.hex()}
    return lambda random: ("/api/v1/enrolments", _dumped({**sent, "response": mutator.registration(random, asked)}))


def _dumped(body: object) -> bytes:
    """JSON, with the lone surrogates in it that ``orjson`` does not write."""
    return json.dumps(body).encode()


async def _answered(served: SoftwareOffice, path: str, body: bytes) -> tuple[int, str]:
    headers = {"Content-Type": "application/json"}
    url = served.api.deployment.url + path
    async with served.api.session.post(url, data=body, headers=headers) as response:
        problem = orjson.loads(await response.read())
        return response.status, problem["type"].rpartition("/")[2] if response.status >= 400 else ""


async def over_http(served: SoftwareOffice, bodies: int) -> Counter[tuple[int, str]]:
    """What the service answers to so many bodies, by status and code: sign-ins and enrolments by turns."""
    random, outcomes = Random(6), Counter[tuple[int, str]]()  # noqa: S311  to be drawn again
    await served.api.identity("officer")
    for start in range(0, bodies, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, bodies))
        begun = await asyncio.gather(*((_sign_in, _enrolment)[number % 2](served, number) for number in numbers))
        drawn = [draw(random) for draw in begun]
        sent = [(path, mutator.spoiled(random, body) if random.random() < SPOILED else body) for path, body in drawn]
        outcomes.update(await asyncio.gather(*(_answered(served, path, body) for path, body in sent)))
    return outcomes


def require_no_fault(outcomes: Counter[tuple[int, str]]) -> None:
    """Every answer is one of ours, and at least half of the bodies got past parsing."""
    assert outcomes.keys() <= ANSWERS, outcomes
    assert sum(count for (_, code), count in outcomes.items() if code not in UNPARSED) >= outcomes.total() / 2
    assert {(200, ""), (401, "verification-failed"), (400, "ceremony-malformed")} <= outcomes.keys()


async def test_over_http(served: SoftwareOffice) -> None:
    """Some hundred bodies to the real routes, over each driver."""
    require_no_fault(await over_http(served, SERVED))


@pytest.mark.long
async def test_a_hundred_thousand_over_http(served: SoftwareOffice) -> None:
    """Half of them over each driver."""
    outcomes = await over_http(served, LONG)

    assert outcomes.total() == LONG
    require_no_fault(outcomes)
