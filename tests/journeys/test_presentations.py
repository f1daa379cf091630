"""What a verifier learns, and that a presentation is good for one request, one asker, one moment."""

from __future__ import annotations

import re
import secrets
from typing import Any

import orjson
import pytest

from tests.simulators.contract import JudgedApi
from tests.simulators.databases import changed
from tests.simulators.holder import Holding, asked, decided_by_two, detail, failed, holding, results, shown
from tests.simulators.service import DETAILS, PERMISSION, VCT, Deployment
from tests.simulators.soft_wallet import SoftWallet

pytestmark = pytest.mark.drivers_alike

WHO = {"family_name", "given_name"}
EVERYTHING = sorted({*DETAILS, *PERMISSION, "age_over_18", "status_reference", "decision_date"})
VERIFY = "/api/v1/verify"


@pytest.fixture
async def held(api: JudgedApi) -> Holding:
    """A credential in a wallet."""
    return await holding(api)


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("employer", WHO | {"work", "permission_end"}),
        ("landlord", WHO | {"rent", "permission_end"}),
    ],
)
async def test_the_purpose_decides_what_is_seen(api: JudgedApi, held: Holding, who: str, seen: set[str]) -> None:
    """A wallet that shows everything still tells a relying party only what its purpose allows."""
    answer = await shown(api, who, held, EVERYTHING)

    assert answer["verdict"] == "accept"
    assert answer["claims"].keys() == seen
    for value in ("1974-08-12", "QU", "SKILLED-WORKER"):
        assert value not in orjson.dumps(answer).decode()


async def test_an_officer_sees_what_was_shown(api: JudgedApi, held: Holding) -> None:
    """An officer, who has no purpose to stay within, sees every claim that the holder showed and no other."""
    everything = await shown(api, "officer", held, EVERYTHING)
    chosen = await shown(api, "officer", held, ["age_over_18"])

    assert everything["claims"].keys() >= {*DETAILS, *PERMISSION}
    assert everything["claims"]["birthdate"] == "1974-08-12"
    assert chosen["claims"] == {
        "age_over_18": True,
        "issuing_authority": everything["claims"]["issuing_authority"],
        "issuing_country": "UT",
    }


async def test_nothing_is_told_of_a_rejected_document(api: JudgedApi, held: Holding) -> None:
    """Of a rejected document not one claim is told, neither as a claim nor inside a sentence."""
    await decided_by_two(api, held.person, "revoke", "fraud-found")

    answers = [await shown(api, who, held, EVERYTHING) for who in ("officer", "employer")]

    for answer in answers:
        assert (answer["verdict"], answer["claims"]) == ("reject", None)
        told = orjson.dumps(answer).decode()
        for value in ("SPECIMEN", "ANNA", "1974-08-12", "SKILLED-WORKER", "Sponsored"):
            assert value not in told


async def test_the_reason_of_a_withdrawal_is_for_officers(api: JudgedApi, held: Holding) -> None:
    """An officer learns when and why a document was withdrawn; a relying party that it was, and no more."""
    await decided_by_two(api, held.person, "revoke", "fraud-found")

    to_officer, to_employer = [await shown(api, who, held, WHO) for who in ("officer", "employer")]

    (withdrawn,) = (check["evidence"]["withdrawn"] for check in to_officer["checks"] if check["id"] == "status")
    assert (withdrawn["kind"], withdrawn["reason"]) == ("revoke", "fraud-found")
    assert re.fullmatch(r"Revoked on \d+ [A-Z][a-z]+ \d{4} by decision\. .+", detail(to_officer, "status"))
    assert "fraud" not in orjson.dumps(to_employer).decode()
    assert detail(to_employer, "status").startswith("Revoked: ")


async def test_a_forged_document_tells_no_reason(api: JudgedApi, held: Holding) -> None:
    """A forged document names anybody's copy; not even an officer learns from it what was decided on them."""
    await decided_by_two(api, held.person, "revoke", "fraud-found")

    answer = await api.ok("POST", VERIFY, "officer", {"document": _forged(held)})

    assert "signature" in failed(answer)
    assert "by decision" not in orjson.dumps(answer).decode()
    assert "fraud" not in orjson.dumps(answer).decode()


async def test_a_request_is_answered_once(api: JudgedApi, held: Holding) -> None:
    """The second answer to the same request is a conflict, whether it is the same presentation or a new one."""
    request = await asked(api, "employer")
    first, second = _answer(held, request), _answer(held, request)

    assert (await api.ok("POST", VERIFY, "employer", first))["verdict"] == "accept"
    for again in (first, second):
        status, problem = await api.call("POST", VERIFY, "employer", again)
        assert (status, problem["type"]) == (409, "/problems/conflict")


async def test_even_a_rejected_answer_uses_the_request_up(api: JudgedApi, held: Holding) -> None:
    """Nobody may try presentations against one request until one fits."""
    request = await asked(api, "employer")
    wrong = {"document": held.credential, "verification_request": request["verification_request"]}

    assert (await api.ok("POST", VERIFY, "employer", wrong))["verdict"] == "reject"
    status, _ = await api.call("POST", VERIFY, "employer", _answer(held, request))

    assert status == 409


async def test_a_request_expires(api: JudgedApi, held: Holding, deployment: Deployment) -> None:
    """After its time a request is gone, and says so."""
    request = await asked(api, "employer")
    of_request = {"handle": bytes.fromhex(request["verification_request"])}
    changed(deployment.location, "UPDATE verification_request SET expires_at = 1 WHERE handle = :handle", of_request)

    status, problem = await api.call("POST", VERIFY, "employer", _answer(held, request))

    assert (status, problem["type"]) == (410, "/problems/expired")


async def test_a_request_is_for_who_made_it(api: JudgedApi, held: Holding) -> None:
    """To anybody else somebody's request does not exist, and stays unused."""
    request = await asked(api, "employer")
    body = _answer(held, request)
    invented = body | {"verification_request": secrets.token_hex(16)}

    stolen = await api.call("POST", VERIFY, "landlord", body)
    unknown = await api.call("POST", VERIFY, "landlord", invented)

    assert stolen == unknown
    assert stolen[0] == 404
    assert (await api.ok("POST", VERIFY, "employer", body))["verdict"] == "accept"


async def test_a_replayed_presentation_is_rejected(api: JudgedApi, held: Holding) -> None:
    """A presentation made for one request does not answer another, though it is genuine in all else."""
    earlier, later = await asked(api, "employer"), await asked(api, "employer")
    replayed = _answer(held, earlier) | {"verification_request": later["verification_request"]}

    answer = await api.ok("POST", VERIFY, "employer", replayed)

    assert (answer["verdict"], failed(answer), answer["claims"]) == ("reject", ["audience"], None)
    assert detail(answer, "audience") == "The key binding was made for another request."


@pytest.mark.parametrize(
    ("changes", "check"),
    [({"audience": "https://elsewhere.example"}, "audience"), ({"nonce": "n-0S6_WzA2Mj-n-0S6_Wz"}, "audience")],
    ids=["another audience", "another nonce"],
)
async def test_a_presentation_for_somebody_else(
    api: JudgedApi, held: Holding, changes: dict[str, str], check: str
) -> None:
    """A key binding that names another verifier or another nonce rejects."""
    request = await asked(api, "employer")
    body = _answer(held, request) | {"document": held.present(request | changes, WHO)}

    answer = await api.ok("POST", VERIFY, "employer", body)

    assert (answer["verdict"], failed(answer)) == ("reject", [check])


async def test_a_credential_without_its_holder(api: JudgedApi, held: Holding) -> None:
    """A copy of the credential answers no request; handed over without one, it is for a human to check."""
    request = await asked(api, "employer")
    stolen = {"document": held.credential, "verification_request": request["verification_request"]}

    asked_for = await api.ok("POST", VERIFY, "employer", stolen)
    handed_over = await api.ok("POST", VERIFY, "officer", {"document": held.credential})

    assert (asked_for["verdict"], failed(asked_for)) == ("reject", ["holder_binding"])
    assert (handed_over["verdict"], results(handed_over)["holder_binding"]) == ("refer", "unknown")
    assert "photo" in handed_over["next_step"]


async def test_a_credential_in_a_stranger_s_wallet(api: JudgedApi, held: Holding) -> None:
    """A wallet with another key cannot present the credential."""
    request = await asked(api, "employer")
    stranger = Holding(held.person, SoftWallet(), held.answer)

    answer = await api.ok("POST", VERIFY, "employer", _answer(stranger, request))

    assert (answer["verdict"], failed(answer)) == ("reject", ["holder_binding"])


async def test_the_subject_s_record_shows_every_look(api: JudgedApi, held: Holding) -> None:
    """Who looked, in what role and for what purpose, with which verdict, is on the person's record."""
    await shown(api, "employer", held, WHO)
    await shown(api, "landlord", held, WHO)
    await api.ok("POST", VERIFY, "officer", {"document": held.credential})

    looks = (await api.ok("GET", f"/api/v1/people/{held.person}", "officer"))["looks"]

    seen = [(look["actor"], look["role"], look["purpose"], look["channel"], look["verdict"]) for look in looks]
    assert sorted(seen, key=str) == [
        ("Example Employer Ltd", "relying-party", "work", "presentation", "accept"),
        ("Example Homes Ltd", "relying-party", "rent", "presentation", "accept"),
        ("Olive Officer", "officer", None, "document", "refer"),
        ("Olive Officer", "officer", None, "offer", "made"),
        ("Olive Officer", "officer", None, "record", "viewed"),
    ]


async def test_a_forged_document_puts_no_look_on_anybody(api: JudgedApi, held: Holding) -> None:
    """A document whose signature does not hold names a status index that nobody may write looks to."""
    answer = await api.ok("POST", VERIFY, "employer", {"document": _forged(held)})

    assert answer["verdict"] == "reject"
    looks = (await api.ok("GET", f"/api/v1/people/{held.person}", "officer"))["looks"]
    assert [look["channel"] for look in looks] == ["offer", "record"]  # the officer's own, before and just now


async def test_roles_do_not_reach_over_each_other(api: JudgedApi, held: Holding) -> None:
    """A relying party sees no person and offers nothing; an admin verifies nothing; without a key, nothing."""
    person = f"/api/v1/people/{held.person}"
    attempts: list[tuple[str, str, str | None, Any, int]] = [
        ("GET", person, "employer", None, 403),
        ("POST", f"{person}/offers", "employer", {"type": VCT}, 403),
        ("POST", "/api/v1/people", "landlord", {"details": DETAILS}, 403),
        ("GET", "/api/v1/proposals", "employer", None, 403),
        ("POST", VERIFY, "admin", {"document": held.credential}, 403),
        ("GET", person, "admin", None, 403),
        ("GET", person, None, None, 401),
        ("POST", VERIFY, None, {"document": held.credential}, 401),
    ]
    for method, path, who, body, expected in attempts:
        status, problem = await api.call(method, path, who, body)
        assert status == expected, (method, path, who)
        assert problem["detail"]


def _answer(held: Holding, request: dict[str, Any]) -> dict[str, Any]:
    return {"document": held.present(request, WHO), "verification_request": request["verification_request"]}


def _forged(held: Holding) -> str:
    """The credential with another signature."""
    signed, tilde, rest = held.credential.partition("~")
    return signed[:-4] + ("AAAA" if not signed.endswith("AAAA") else "BBBB") + tilde + rest
