"""Signed receipts of checks, for whoever asked for one: made before the look is committed, which keeps their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from idverify.core.action import canonical_json
from idverify.core.policy import Principal, Role
from idverify.core.trust import TrustedIssuer, TrustedRoot, TrustedType, TrustStore
from idverify.core.verdict import Result
from idverify.errors import DocumentError
from idverify.formats import verification_receipt
from idverify.formats.claims_json import claims_digest
from idverify.formats.verification_receipt import Relied, VerificationReceipt
from idverify.services.another_token import on_another_token
from idverify.services.looks import Looked
from idverify.services.office import VERIFICATION_SIGNER, Office
from idverify.services.verify import Verified


@on_another_token
async def make(office: Office, asker: Principal, looked: Looked) -> bytes:
    """The receipt of one check.

    Raises ``Unavailable`` where the HSM is away, or the deployment has no key for it yet.
    """
    said = _said(office, asker, looked)
    signer = office.keys.issuer(VERIFICATION_SIGNER)
    unsigned = verification_receipt.prepare(said, signer)
    return verification_receipt.seal(unsigned, await office.signer.sign(signer.key_id, unsigned.payload))


def said_by_us(office: Office, encoded: bytes) -> Mapping[str, Any]:
    """What a receipt says that this service signed, with whichever key it had for that. Raises ``DocumentError``."""
    verdict, said = verification_receipt.check(encoded, office.trust, office.clock.now())
    if said is None:
        broken = next(check for check in verdict.checks if check.result is not Result.PASS)
        raise DocumentError((broken.evidence or {}).get("rule", "signature"), broken.detail)
    if said["iss"] != office.deployment.iss:
        raise DocumentError("issuer-known", f"It is one of {said['iss'][:200]}.")
    return said


def _said(office: Office, asker: Principal, looked: Looked) -> VerificationReceipt:
    submission, answer = looked.submission, looked.answer
    ours, presented, expected = office.deployment, looked.verified.presented, submission.expected
    return VerificationReceipt(
        iss=ours.iss,
        issued_at=office.clock.now(),
        organisation=asker.actor if asker.role is Role.RELYING_PARTY else ours.name,
        role=asker.role.value,
        purpose=None if asker.purpose is None else asker.purpose.value,
        channel=looked.verified.channel.value,
        format=None if presented is None else presented.format,
        type=None if presented is None else presented.type,
        document=hashlib.sha256(submission.document).digest(),
        claims=None if answer.claims is None else claims_digest(answer.claims),
        verdict=answer.verdict.to_json(),
        relied=_relied(office, looked.verified),
        request=None if expected is None else (expected.audience, hashlib.sha256(expected.nonce.encode()).digest()),
    )


def _relied(office: Office, verified: Verified) -> Relied:
    status = None if verified.presented is None else verified.presented.status
    kept = None if status is None else office.statuses.kept().get(status.uri)
    listed = None
    if status is not None and kept is not None:
        listed = status.uri, kept.issued_at, hashlib.sha256(kept.token).digest()
    return Relied(trust_digest(office.trust), min(office.trust.crl_ends.values(), default=None), listed)


def trust_digest(trust: TrustStore) -> bytes:
    """SHA-256 of whom a verifier relies on, for what and when, and which certificates it knows to be revoked."""
    return _trust_digest(tuple(sorted(trust.everybody.items())), trust.revoked_serials)


@lru_cache(maxsize=8)  # trust changes by two admins' act, checks are many
def _trust_digest(issuers: tuple[tuple[str, TrustedIssuer], ...], revoked: frozenset[tuple[str, int]]) -> bytes:
    said = {
        "issuers": [
            {
                "name": name,
                "roots": sorted((_relied_root(root) for root in _roots(issuer)), key=repr),
                "types": sorted((_relied_type(kind) for kind in _types(issuer)), key=repr),
                "status_bases": sorted(issuer.list_bases),
            }
            for name, issuer in issuers
        ],
        "revoked": sorted([issuer, f"{serial:x}"] for issuer, serial in revoked),
    }
    return hashlib.sha256(canonical_json(said)).digest()


def _roots(issuer: TrustedIssuer) -> Iterable[TrustedRoot]:
    """Its roots in their terms; of an issuer without terms, at any time."""
    return issuer.root_terms or (TrustedRoot(0, None, root, "") for root in issuer.roots)


def _types(issuer: TrustedIssuer) -> Iterable[TrustedType]:
    """Its types in their terms; of an issuer without terms, in any format."""
    return issuer.type_terms if issuer.root_terms else (TrustedType(0, None, "", kind) for kind in issuer.types)


def _relied_root(root: TrustedRoot) -> list[str | int | None]:
    return [hashlib.sha256(root.certificate).hexdigest(), root.since, root.until]


def _relied_type(kind: TrustedType) -> list[str | int | None]:
    return [kind.format, kind.type, kind.since, kind.until]
