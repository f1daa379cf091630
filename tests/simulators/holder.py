"""The people of a journey: a holder with a wallet, a verifier who asks, two officers who decide."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.simulators.service import VCT, Api
from tests.simulators.soft_wallet import SoftWallet
from tests.simulators.software_office import SoftwareOffice


@dataclass(frozen=True)
class Holding:
    """A credential in a wallet: the service's answer, whose it is, and the key it is bound to."""

    person: str
    wallet: SoftWallet
    answer: dict[str, Any]

    @property
    def credential(self) -> str:
        """The SD-JWT with every disclosure."""
        return str(self.answer["credential"])

    def present(self, request: dict[str, Any], claims: Iterable[str]) -> str:
        """An answer to a verification request that shows the named claims."""
        return self.wallet.present(self.credential, claims, request["audience"], request["nonce"])


async def holding(api: Api, person: str | None = None, *, wait: int = 0) -> Holding:
    """A person (a new one unless given) collects a credential into a new wallet; ``wait`` seconds for the receipt."""
    person, wallet = person or await api.person_with_status(), SoftWallet()
    body, key = collection(wallet, await api.offer(person)), secrets.token_hex(8)
    answer = await api.ok("POST", "/api/v1/credentials", None, body, Idempotency_Key=key, Prefer=f"wait={wait}")
    return Holding(person, wallet, answer)


async def holding_with_receipt(served: SoftwareOffice, person: str | None = None) -> Holding:
    """The same with its receipt, for which nobody waits here until the office next publishes: it does so at once."""
    collecting = asyncio.create_task(holding(served.api, person, wait=4))
    while not collecting.done():
        await served.office.publisher.publish_once()
        await asyncio.sleep(0.01)
    return await collecting


def collection(wallet: SoftWallet, offer: dict[str, Any]) -> dict[str, Any]:
    """The body that collects an offer."""
    return {"code": offer["code"], "proof": wallet.proof(offer["issuer"], offer["nonce"])}


async def asked(api: Api, who: str) -> dict[str, Any]:
    """A verification request of ``who``."""
    request: dict[str, Any] = await api.ok("POST", "/api/v1/verification-requests", who, {"type": VCT})
    return request


async def shown(api: Api, who: str, held: Holding, claims: Iterable[str], **more: Any) -> dict[str, Any]:
    """What ``who`` learns after asking ``held`` for a presentation; ``more`` goes into the request's body."""
    request = await asked(api, who)
    body = {
        "document": held.present(request, claims),
        "verification_request": request["verification_request"],
        **more,
    }
    answer: dict[str, Any] = await api.ok("POST", "/api/v1/verify", who, body)
    return answer


async def decided_by_two(api: Api, person: str, kind: str, reason: str) -> dict[str, Any]:
    """One officer proposes, another carries it out."""
    ruling = {"kind": kind, "reason": reason, "legal_basis": "Rules, part 9"}
    waiting = await api.ok("POST", f"/api/v1/people/{person}/decisions", "officer", ruling)
    made: dict[str, Any] = await api.ok("POST", f"/api/v1/proposals/{waiting['proposal']}/approval", "second")
    return made


def results(answer: dict[str, Any]) -> dict[str, str]:
    """Check id to result of a verdict."""
    return {check["id"]: check["result"] for check in answer["checks"]}


def failed(answer: dict[str, Any]) -> list[str]:
    """The checks that failed."""
    return [check for check, result in results(answer).items() if result == "fail"]


def detail(answer: dict[str, Any], check_id: str) -> str:
    """What one check says."""
    return next(str(check["detail"]) for check in answer["checks"] if check["id"] == check_id)
