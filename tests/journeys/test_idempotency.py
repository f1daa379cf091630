"""Collecting exactly once: repeats, races, used and expired offers."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from typing import Any

import pytest

from tests.simulators.bound_rows import rewritten
from tests.simulators.contract import JudgedApi
from tests.simulators.holder import collection
from tests.simulators.service import DETAILS, VCT, Deployment
from tests.simulators.soft_wallet import SoftWallet

CREDENTIALS = "/api/v1/credentials"


async def _collect(api: JudgedApi, body: dict[str, Any], key: str) -> tuple[int, Any]:
    return await api.call("POST", CREDENTIALS, None, body, {"Idempotency-Key": key})


async def _credentials(api: JudgedApi, person: str) -> list[str]:
    held = await api.ok("GET", f"/api/v1/people/{person}", "officer")
    return [credential["credential"] for credential in held["credentials"]]


async def test_a_repeat_returns_the_same_credential(api: JudgedApi) -> None:
    """Asked again with the same key, the service answers the same in every byte and issues nothing."""
    person = await api.person_with_status()
    body, key = collection(SoftWallet(), await api.offer(person)), secrets.token_hex(8)

    first = await _collect(api, body, key)
    second = await _collect(api, body, key)

    assert first[0] == 201
    assert second == first
    assert await _credentials(api, person) == [first[1]["handle"]]


async def test_a_key_stands_for_one_request(api: JudgedApi) -> None:
    """The same key with another body is refused, and the first answer stays what it was."""
    offer = await api.offer(await api.person_with_status())
    body, key = collection(SoftWallet(), offer), secrets.token_hex(8)

    first = await _collect(api, body, key)
    other = await _collect(api, collection(SoftWallet(), offer), key)

    assert first[0] == 201
    assert (other[0], other[1]["type"]) == (422, "/problems/unprocessable")
    assert "Idempotency-Key" in other[1]["detail"]
    assert await _collect(api, body, key) == first


@pytest.mark.parametrize("same_key", [True, False], ids=["same key", "a key each"])
async def test_a_race_has_one_winner(api: JudgedApi, same_key: bool) -> None:  # noqa: FBT001  a parameter of the test
    """Eight requests at once for one offer make one credential; the others are told of the conflict."""
    person = await api.person_with_status()
    body, key = collection(SoftWallet(), await api.offer(person)), secrets.token_hex(8)
    keys = [key if same_key else secrets.token_hex(8) for _ in range(8)]

    answers = await asyncio.gather(*(_collect(api, body, one) for one in keys))

    assert {status for status, _ in answers} <= {201, 409}
    handles = {answer["handle"] for status, answer in answers if status == 201}
    assert len(handles) == 1
    assert set(await _credentials(api, person)) == handles


async def test_a_used_offer(api: JudgedApi) -> None:
    """An offer that was used is refused to another key, and the sentence says what to do."""
    body = collection(SoftWallet(), await api.offer(await api.person_with_status()))
    await _collect(api, body, secrets.token_hex(8))

    status, problem = await _collect(api, body, secrets.token_hex(8))

    assert (status, problem["type"]) == (409, "/problems/conflict")
    assert "new one" in problem["detail"]


async def test_an_expired_offer(api: JudgedApi, deployment: Deployment) -> None:
    """An offer whose time is over is gone."""
    offer = await api.offer(await api.person_with_status())
    of_offer = {"code_hash": hashlib.sha256(offer["code"].encode()).digest()}
    expired = rewritten(deployment.location, deployment.doors, "offer", {"expires_at": 1}, **of_offer)

    status, problem = await _collect(api, collection(SoftWallet(), offer), secrets.token_hex(8))

    assert expired == 1
    assert (status, problem["type"]) == (410, "/problems/expired")


async def test_an_invented_offer(api: JudgedApi) -> None:
    """A code that was never given out finds nothing."""
    offer = await api.offer(await api.person_with_status())
    body = collection(SoftWallet(), offer) | {"code": "A" * 27}

    status, _ = await _collect(api, body, secrets.token_hex(8))

    assert status == 404


@pytest.mark.parametrize("key", ["", "short", "with a space in it", "x" * 129])
async def test_a_key_has_a_form(api: JudgedApi, key: str) -> None:
    """A missing or unfit idempotency key is refused before anything is looked at."""
    status, problem = await _collect(api, {"code": "A" * 27, "proof": "x"}, key)

    assert (status, problem["type"]) == (400, "/problems/malformed-request")


async def test_a_wrong_proof_leaves_the_offer_usable(api: JudgedApi) -> None:
    """Proofs for another nonce, another issuer or another time are refused; the right one then collects."""
    person, wallet = await api.person_with_status(), SoftWallet()
    offer = await api.offer(person)
    wrong = [
        wallet.proof(offer["issuer"], "another-nonce"),
        wallet.proof("https://elsewhere.example", offer["nonce"]),
        wallet.proof(offer["issuer"], offer["nonce"], at=int(time.time()) - 3600),
        "this.is.none",
    ]

    refused = [await _collect(api, {"code": offer["code"], "proof": proof}, secrets.token_hex(8)) for proof in wrong]
    right, _ = await _collect(api, collection(wallet, offer), secrets.token_hex(8))

    assert [status for status, _ in refused] == [422] * 4
    assert all("key proof" in problem["detail"].lower() for _, problem in refused)
    assert right == 201
    assert len(await _credentials(api, person)) == 1


async def test_no_decision_no_offer(api: JudgedApi) -> None:
    """Somebody on record without a granted status is offered nothing."""
    person = (await api.ok("POST", "/api/v1/people", "officer", {"details": DETAILS}))["person"]

    status, problem = await api.call("POST", f"/api/v1/people/{person}/offers", "officer", {"type": VCT})

    assert (status, problem["type"]) == (422, "/problems/unprocessable")
    assert "none" in problem["detail"]
