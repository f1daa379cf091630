"""What users of other systems complain about, by number, asked of the service that issues and publishes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import pytest

from idverify.core.types import CREDENTIAL_TYPES
from idverify.errors import Unavailable
from idverify.formats import jose, sdjwt, sdjwt_vc_draft, x509
from idverify.services.establish import CERTIFIED_ROLES
from tests.simulators.holder import collection, holding
from tests.simulators.soft_wallet import SoftWallet
from tests.simulators.software_office import SoftwareOffice


def signer_of(credential: str) -> bytes:
    """The certificate that signed an SD-JWT VC."""
    token = jose.read_jws(sdjwt.read(credential.encode()).issuer_signed, sdjwt_vc_draft.PROFILE)
    return jose.x5c(token.header)[0]


async def test_complaint_1_status_lists_are_for_everybody(served: SoftwareOffice) -> None:
    """Whoever checks gets the list that a document names, without any key or account, in either form."""
    held = await holding(served.api)
    status = served.office.trust.issuers[served.office.deployment.iss].status_base
    for form in ("jwt", "cwt"):
        media_type = f"application/statuslist+{form}"
        assert (await served.api.call("GET", "/status/1", headers={"Accept": media_type}))[0] == 200
    assert f"{status.rstrip('/')}/1" in jose.b64url_decode(held.credential.split(".")[1].encode(), "").decode()


async def test_complaint_7_each_type_is_signed_by_a_key_of_its_own(served: SoftwareOffice) -> None:
    """One that is lost or expires takes no other type with it, nor status lists, nor receipts."""
    issuers = served.office.keys.issuers
    leaves = {role: x509.signing_key(issuers[role].chain[0]).public_numbers() for role in CERTIFIED_ROLES}
    assert len(set(leaves.values())) == len(CERTIFIED_ROLES)
    held = await holding(served.api)
    (role,) = (role for role in leaves if issuers[role].chain[0] == signer_of(held.credential))
    assert role in {kind.key_role for kind in CREDENTIAL_TYPES.values()}


async def test_complaint_9_what_cannot_be_issued_is_an_error_by_name(served: SoftwareOffice) -> None:
    """Without the token the answer is 503 and a problem that says what to do, never a credential that is none."""
    wallet, person = SoftWallet(), await served.api.person_with_status()
    body, key = collection(wallet, await served.api.offer(person)), secrets.token_hex(8)
    served.token.away = Unavailable("It was taken away.")
    sent = {"Idempotency-Key": key}
    status, answer = await served.api.call("POST", "/api/v1/credentials", None, body, sent)
    served.token.away = None

    assert status == 503
    assert isinstance(answer, Mapping)
    assert "credential" not in answer
    assert str(answer["type"]).rpartition("/")[2] == "unavailable"
    assert answer["detail"]
    again = await served.api.ok("POST", "/api/v1/credentials", None, body, Idempotency_Key=key)
    assert again["credential"].count("~") > 1


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/status/1", "/status", "/iacas", "/.well-known/jwt-vc-issuer", "/types"])
async def test_complaint_10_nobody_registers_with_what_is_published(
    served: SoftwareOffice, method: str, path: str
) -> None:
    """Lists, roots and keys are read here, and put there by nobody: 404 or 405, whoever asks."""
    for who in (None, "employer", "officer"):
        async with served.api.session.request(
            method, served.api.deployment.url + path, json={"status": 0}, headers=await served.api.identity(who)
        ) as response:
            assert response.status in {403, 404, 405}
