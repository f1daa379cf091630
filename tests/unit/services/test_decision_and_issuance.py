"""A decision beats issuance, however many collect at once, and no copy slips through."""

from __future__ import annotations

import asyncio

from idverify.errors import IdverifyError
from idverify.services.issue import Collected, CollectionRequest, collect
from tests.simulators.service import Api
from tests.simulators.soft_wallet import SoftWallet
from tests.simulators.software_office import SoftwareOffice

AT_ONCE = 12


async def _request(api: Api, served: SoftwareOffice, person: str, number: int) -> CollectionRequest:
    offer, wallet = await api.offer(person), SoftWallet()
    proof = wallet.proof(offer["issuer"], offer["nonce"], served.clock.now())
    return CollectionRequest(offer["code"], proof, f"attempt-{number:04}")


async def test_a_revocation_amid_many_collections(served: SoftwareOffice) -> None:
    """The approval is carried out at once; whatever was issued before it is invalid, nothing is issued after it."""
    person = await served.api.person_with_status()
    requests = [await _request(served.api, served, person, number) for number in range(AT_ONCE)]
    ruling = {"kind": "revoke", "reason": "fraud-found", "legal_basis": "Rules, part 9"}
    waiting = await served.api.ok("POST", f"/api/v1/people/{person}/decisions", "officer", ruling)

    async def attempt(request: CollectionRequest) -> Collected | IdverifyError:
        try:
            return await collect(served.office, request)
        except IdverifyError as refused:
            return refused

    (status, made), *outcomes = await asyncio.gather(
        served.api.call("POST", f"/api/v1/proposals/{waiting['proposal']}/approval", "second"),
        *(attempt(request) for request in requests),
    )

    issued = [outcome for outcome in outcomes if isinstance(outcome, Collected)]
    copies = (await served.api.ok("GET", f"/api/v1/people/{person}", "officer"))["credentials"]
    assert (status, made["status"], made["credentials_changed"]) == (201, "revoked", len(issued))
    assert [copy["status"] for copy in copies] == ["invalid"] * len(issued)
