"""Whom the benchmarks of the formats are played by: an issuer with its certificate, a holder, and a verifier."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from idverify.core.credential import Credential, Issuer, Place, StatusReference, day_rounded
from idverify.core.trust import TrustedIssuer, TrustStore
from idverify.core.verdict import Result
from idverify.errors import IdverifyError
from idverify.formats import jose, x509, x509_build
from idverify.formats.base import CredentialFormat, HolderBindingExpected

ISS: Final = "https://bench.example"
ES256: Final = ec.ECDSA(hashes.SHA256())
_DAY: Final = 86_400

Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Stage:
    """An issuer with its certificate, a holder, a verifier who relies on the issuer, and the time."""

    issuer_key: ec.EllipticCurvePrivateKey
    holder_key: ec.EllipticCurvePrivateKey
    issuer: Issuer
    trust: TrustStore
    type: str
    now: int

    def credential(self, claims: Mapping[str, Any], disclosable: frozenset[Place] = frozenset()) -> Credential:
        """What is issued."""
        return Credential(
            type=self.type,
            claims=claims,
            disclosable=disclosable,
            issued_at=day_rounded(self.now),
            expires_at=self.now + 90 * _DAY,
            status=StatusReference(f"{ISS}/status/1", 5),
            holder_key=jose.public_jwk(self.holder_key.public_key()),
        )


def stage(kind: str) -> Stage:
    """With fresh keys, for documents of the type ``kind``; certified for two days already."""
    root_key, issuer_key, holder_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    now = int(time.time())

    def certified(name: str, key: ec.EllipticCurvePrivateKey, serial: int) -> x509_build.Certified:
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return x509_build.Certified("XU", name, spki, (1 << 100) + serial, now - 2 * _DAY, now + 400 * _DAY)

    unsigned = x509_build.tbs_root(certified("Bench Root", root_key, 1), uri=ISS, crl_uri=f"{ISS}/crl")
    root = x509_build.seal_certificate(unsigned, sign(root_key, unsigned))
    subject = certified("Bench Signer", issuer_key, 2)
    unsigned = x509_build.tbs_leaf(subject, x509.Purpose.DOCUMENT, root, iss=ISS, crl_uri=f"{ISS}/crl")
    chain = (x509_build.seal_certificate(unsigned, sign(root_key, unsigned)),)
    trusted = TrustedIssuer(ISS, "Bench", (root,), frozenset({kind}), f"{ISS}/status/")
    issuer = Issuer(ISS, chain, x509.key_id(chain[0]))
    return Stage(issuer_key, holder_key, issuer, TrustStore({ISS: trusted}), kind, now)


def sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """The raw ``r||s`` signature, in software."""
    r, s = decode_dss_signature(key.sign(message, ES256))
    return r.to_bytes(jose.P256_BYTES, "big") + s.to_bytes(jose.P256_BYTES, "big")


def verifying(of: Stage, form: CredentialFormat, document: bytes, expected: HolderBindingExpected | None) -> Call:
    """Reads and checks; an error where it does not hold, so that nothing else is ever measured."""

    def verify() -> None:
        presented = form.read(document)
        for check in form.check(presented, of.trust, of.now, expected):
            if check.result is Result.FAIL:
                raise IdverifyError(f"The document of the benchmark must hold: {check.detail}")

    return verify
