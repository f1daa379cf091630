"""Wallets that collect credentials as fast as they can, and remember what they were answered."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientError

from idverify.stores.open import Location
from tests.simulators.invariants import broken, missing
from tests.simulators.service import VCT, Api
from tests.simulators.soft_wallet import SoftWallet

CREATED, UNAVAILABLE = 201, 503
PAUSE_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 0.05


@dataclass(frozen=True)
class Attempt:
    """One request to collect; a repeat is the same in every byte."""

    code: str
    proof: str
    idempotency_key: str


class Issuers:
    """People, each with a wallet. ``answers`` holds what was acknowledged, ``unanswered`` what was not."""

    def __init__(self, api: Api) -> None:
        self.answers: dict[Attempt, dict[str, Any]] = {}
        self.unanswered: set[Attempt] = set()
        self._api = api
        self._people: list[str] = []
        self._settled: set[Attempt] = set()

    async def prepare(self, count: int) -> None:
        """Record the people and grant each a status."""
        self._people = [await self._api.person_with_status() for _ in range(count)]

    async def rush(self, until: asyncio.Event) -> None:
        """Every person collects one credential after another, until told or until the service is gone.

        Each takes a time of its own to answer an offer: in step, all would wait for the same answer at any moment.
        """
        await asyncio.gather(*(self._collect_again_and_again(person, until) for person in self._people))

    async def settle(self, location: Location) -> None:
        """Hold a service that has started again to its promises.

        Nothing acknowledged is missing and nothing stands half done; whoever got no answer gets one by a repeat, and
        whoever got one gets the same again.
        """
        assert broken(location) == []
        assert missing(location, list(self.answers.values())) == []
        fresh, unanswered = self.answers.keys() - self._settled, self.unanswered.copy()
        repeated = await asyncio.gather(*map(self._attempt, unanswered))
        assert [answer for status, answer in repeated if status != CREATED] == []
        for attempt in fresh:
            status, again = await self._post(attempt)
            assert (status, _lasting(again)) == (CREATED, _lasting(self.answers[attempt]))
        self._settled = set(self.answers)
        assert broken(location) == []

    async def _collect_again_and_again(self, person: str, until: asyncio.Event) -> None:
        wallet = SoftWallet()
        try:
            while not until.is_set():
                status, offer = await self._api.call(
                    "POST", f"/api/v1/people/{person}/offers", "officer", {"type": VCT}
                )
                if status == UNAVAILABLE:
                    await asyncio.sleep(PAUSE_SECONDS)
                    continue
                assert status == CREATED, (status, offer)
                await asyncio.sleep(LONGEST_WAIT_SECONDS * secrets.randbelow(1000) / 1000)
                proof = wallet.proof(offer["issuer"], offer["nonce"])
                await self._attempt(Attempt(offer["code"], proof, secrets.token_hex(16)))
        except ClientError:
            return  # the service is gone

    async def _attempt(self, attempt: Attempt) -> tuple[int, Any]:
        self.unanswered.add(attempt)
        status, answer = await self._post(attempt)
        assert status in {CREATED, UNAVAILABLE}, (status, answer)
        if status == CREATED:
            self.unanswered.discard(attempt)
            self.answers[attempt] = answer
        return status, answer

    async def _post(self, attempt: Attempt) -> tuple[int, Any]:
        body = {"code": attempt.code, "proof": attempt.proof}
        headers = {"Idempotency-Key": attempt.idempotency_key}
        return await self._api.call("POST", "/api/v1/credentials", None, body, headers)


def _lasting(answer: dict[str, Any]) -> dict[str, Any]:
    """All but the receipt, which a checkpoint may cover only by the time of the repeat."""
    return {name: value for name, value in answer.items() if name != "receipt"}
