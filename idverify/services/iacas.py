"""Our roots as wallets and verifiers of mdocs ask for them (OpenID4VCI ``mdoc_iacas_uri``), as GOV.UK Wallet does."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final
from uuid import UUID

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from idverify.formats import jose, x509
from idverify.services.office import Office

PATH: Final = "/iacas"


def iacas(office: Office) -> dict[str, Any]:
    """The document that is published: every root of ours, whether it is within its dates, and what it holds."""
    at, ours = office.clock.now(), office.trust.issuers[office.deployment.iss]
    return {"data": [_iaca(root, at) for root in ours.roots]}


def _iaca(root: bytes, at: int) -> dict[str, Any]:
    certificate, key = x509.read_certificate(root), x509.signing_key(root)
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    region = x509.region(root)
    begins, ends = x509.not_before(root), x509.not_after(root)
    data = {
        "notBefore": _instant(begins),
        "notAfter": _instant(ends),
        "country": region.country,
        "commonName": str(names[0].value),
    }
    return {
        "id": str(UUID(bytes=x509.fingerprint(root)[:16])),  # stable, and nobody's choice
        "active": begins <= at <= ends,
        "certificatePem": certificate.public_bytes(Encoding.PEM).decode("ascii"),
        "certificateData": data if region.state is None else {**data, "stateOrProvinceName": region.state},
        "certificateFingerprint": x509.fingerprint(root).hex(),
        "publicKeyJwk": {**jose.public_jwk(key), "alg": "ES256", "kid": x509.key_id(root).hex()},
    }


def _instant(at: int) -> str:
    """With the thousandths that JavaScript writes: GOV.UK's test harness compares the texts."""
    return f"{dt.datetime.fromtimestamp(at, dt.UTC):%Y-%m-%dT%H:%M:%S}.000Z"
