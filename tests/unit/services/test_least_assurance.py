"""Whoever checks may demand how well it was checked who the person is: less rejects, silence refers."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from idverify.core.assurance import Confidence, Eidas, IdentityAssurance, Minimum, Protection, claim
from idverify.core.verdict import Check, CheckId, Outcome, Result, Verdict
from idverify.formats.status_list import StatusValue
from idverify.services import verify
from idverify.services.verify import Submission
from tests.simulators import credential_world as world
from tests.simulators.holder import asked, holding
from tests.simulators.software_office import SoftwareOffice
from tests.unit.services.test_verify_knockout import source, status_token, verifier

CHECKED = dt.date(2026, 5, 3)
MEDIUM = IdentityAssurance(checked_on=CHECKED, confidence=Confidence.MEDIUM, authentication=Protection.HIGH)
HIGH = Minimum(confidence=Confidence.HIGH)


def stating(said: Any) -> bytes:
    """The example presentation, with this said of the identity."""
    return world.present(world.issue(world.credential({**world.CLAIMS, "identity_assurance": said})))


def of(held: IdentityAssurance | None) -> Any:
    """The claim as JSON has it."""
    said = claim(held)
    return said | {"time": said["time"].isoformat()} if "time" in said else said


async def verdict(document: bytes, least: Minimum, *, trusted: bool = True) -> Verdict:
    """The verdict on a presentation of which a minimum is demanded."""
    seen = verifier(source(status_token(StatusValue.VALID)))
    seen = seen if trusted else verify.Verifier(type(seen.trust)({}), seen.statuses, seen.log_policy)
    submission = Submission(document, expected=world.ASKED, least_assurance=least)
    return (await verify.verify(seen, submission, world.NOW)).verdict


def found(told: Verdict) -> Check:
    """The check."""
    return next(check for check in told.checks if check.id is CheckId.ASSURANCE)


@pytest.mark.parametrize(
    ("said", "least", "result", "outcome"),
    [
        (of(MEDIUM), Minimum(), Result.NOT_APPLICABLE, Outcome.ACCEPT),
        (of(None), Minimum(), Result.NOT_APPLICABLE, Outcome.ACCEPT),
        ({"odd": 1}, Minimum(), Result.NOT_APPLICABLE, Outcome.ACCEPT),
        (of(MEDIUM), Minimum(confidence=Confidence.MEDIUM), Result.PASS, Outcome.ACCEPT),
        (of(MEDIUM), Minimum(confidence=Confidence.LOW, authentication=Protection.HIGH), Result.PASS, Outcome.ACCEPT),
        (of(MEDIUM), HIGH, Result.FAIL, Outcome.REJECT),
        (of(MEDIUM), Minimum(eidas=Eidas.LOW), Result.FAIL, Outcome.REJECT),
        (of(None), HIGH, Result.UNKNOWN, Outcome.REFER),
        ({"odd": 1}, HIGH, Result.UNKNOWN, Outcome.REFER),
        ("high", HIGH, Result.UNKNOWN, Outcome.REFER),
    ],
)
async def test_what_is_stated_against_what_is_demanded(
    said: Any, least: Minimum, result: Result, outcome: Outcome
) -> None:
    """Reached, not reached, not stated, stated in words that are not ours, not demanded."""
    told = await verdict(stating(said), least)

    assert (found(told).result, told.verdict) == (result, outcome)
    if outcome is Outcome.REFER:
        assert told.next_step.startswith("Ask the person to show how their identity was checked")


async def test_nobody_believes_what_a_stranger_states() -> None:
    """Where the issuer is not trusted, what it says of the identity is not looked at."""
    told = await verdict(stating(of(MEDIUM)), HIGH, trusted=False)

    assert (found(told).result, "not trusted" in found(told).detail) == (Result.UNKNOWN, True)


async def test_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little rejects; without the step it would pass, and without the demand silence would."""
    less, silent = stating(of(MEDIUM)), stating(of(None))
    assert ((await verdict(less, HIGH)).verdict, (await verdict(silent, HIGH)).verdict) == ("reject", "refer")

    with monkeypatch.context() as without:
        without.setattr(verify, "_assurance", lambda *_: Check(CheckId.ASSURANCE, Result.PASS, "skipped"))
        assert (await verdict(less, HIGH)).verdict is Outcome.ACCEPT
    monkeypatch.setattr(verify, "_DEMANDED", frozenset())
    assert (await verdict(silent, HIGH)).verdict is Outcome.ACCEPT


def test_two_demands_are_both_met() -> None:
    """Of each level the higher."""
    one = Minimum(confidence=Confidence.HIGH, eidas=Eidas.LOW)
    other = Minimum(confidence=Confidence.MEDIUM, authentication=Protection.LOW, eidas=Eidas.HIGH)
    both = Minimum(confidence=Confidence.HIGH, authentication=Protection.LOW, eidas=Eidas.HIGH)

    assert one.raised_by(other) == other.raised_by(one) == both
    assert Minimum().raised_by(Minimum()) == Minimum()


async def test_a_request_demands_it(served: SoftwareOffice) -> None:
    """What the verification request demands holds for its answer, whatever the check itself demands."""
    held = await holding(served.api)

    async def answered(in_request: Any, in_check: Any) -> Any:
        demanded = {} if in_request is None else {"assurance": in_request}
        wanted = {"type": (await asked(served.api, "employer"))["type"], **demanded}
        request = await served.api.ok("POST", "/api/v1/verification-requests", "employer", wanted)
        body = {
            "document": held.present(request, ["work"]),
            "verification_request": request["verification_request"],
            **({} if in_check is None else {"assurance": in_check}),
        }
        answer = await served.api.ok("POST", "/api/v1/verify", "employer", body)
        return answer["verdict"], {one["id"]: one for one in answer["checks"]}["assurance"]

    assert (await answered(None, None))[0] == "accept"
    for demands in (({"eidas": "low"}, None), (None, {"eidas": "low"})):
        word, told = await answered(*demands)
        assert (word, told["result"]) == ("refer", "unknown")
    _, told = await answered({"eidas": "low", "confidence": "high"}, {"eidas": "high"})
    assert told["evidence"]["demanded"] == {"eidas": "high", "confidence": "high"}


@pytest.mark.parametrize("odd", [{"confidence": "maximum"}, {"loa": "high"}, "high", {"eidas": 3}])
async def test_a_demand_that_is_none(served: SoftwareOffice, odd: Any) -> None:
    """Levels and frameworks that are not known here are no request."""
    for path, body in (("verify", {"document": "a"}), ("verification-requests", {"type": "a"})):
        assert (await served.api.call("POST", f"/api/v1/{path}", "employer", {**body, "assurance": odd}))[0] == 400


async def test_a_demand_beside_a_document(served: SoftwareOffice) -> None:
    """Where the body is the document, the query demands."""
    headers = {**await served.api.identity("employer"), "Content-Type": "text/plain"}
    for query, expected in (("confidence=high", 200), ("confidence=best", 400), ("eidas=low&eidas=high", 400)):
        url = f"{served.api.deployment.url}/api/v1/verify?{query}"
        async with served.api.session.post(url, data=b"junk", headers=headers) as answer:
            assert answer.status == expected
