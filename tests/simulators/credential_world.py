"""A synthetic authority, wallet and verifier with fixed keys: the same documents on every run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any

from cryptography import x509 as cryptography_x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from idverify.core.credential import Credential, Issuer, StatusReference, day_rounded
from idverify.core.trust import TrustedIssuer, TrustStore
from idverify.formats import jose, key_binding, sdjwt, sdjwt_vc, x509, x509_build
from idverify.formats.base import Entropy, HolderBindingExpected
from idverify.formats.strict_json import encode_json

NOW = 1_790_000_000  # 21 September 2026
DAY = 86_400
ISS = "https://issuer.example"
CRL_URI = f"{ISS}/crl"
VCT = "urn:idverify:immigration-status:1"
STATUS_URI = f"{ISS}/status/1"
ASKED = HolderBindingExpected("https://verifier.example", "n-0S6_WzA2Mj")
CLAIMS: Mapping[str, Any] = {
    "family_name": "Example",
    "given_name": "Ada",
    "birthdate": "1990-01-31",
    "nationalities": ["XA"],
    "work": {"allowed": "limited", "hours_per_week": 20},
    "study": {"allowed": "yes"},
    "rent": {"allowed": "yes"},
    "travel": {"allowed": "yes"},
    "public_funds": {"recourse": False},
    "permission_end": None,
    "issuing_country": "XU",
}
DISCLOSABLE = frozenset(CLAIMS) - {"issuing_country"}


def private_key(secret: int) -> ec.EllipticCurvePrivateKey:
    """A P-256 key that everybody can make again."""
    return ec.derive_private_key(secret, ec.SECP256R1())


ROOT_KEY, ISSUER_KEY, HOLDER_KEY, STRANGER_KEY = (private_key(secret) for secret in (1001, 1002, 1003, 1004))


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public key of ``key`` as DER SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """The raw ``r||s`` signature that a token gives, the same on every run (RFC 6979)."""
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def entropy() -> Entropy:
    """Repeatable salts."""
    numbers = count()
    return lambda size: hashlib.sha256(f"salt {next(numbers)}".encode()).digest()[:size]


def certified(name: str, key: ec.EllipticCurvePrivateKey, serial: int, days: int) -> x509_build.Certified:
    """A certificate's subject, valid from the day before ``NOW``."""
    return x509_build.Certified("XU", name, spki(key), (1 << 100) + serial, NOW - DAY, NOW + days * DAY)


def root(key: ec.EllipticCurvePrivateKey = ROOT_KEY, name: str = "Example Root") -> bytes:
    """A self-signed root in DER."""
    tbs = x509_build.tbs_root(certified(name, key, 1, 3650), uri=ISS, crl_uri=CRL_URI)
    return x509_build.seal_certificate(tbs, sign(key, tbs))


def leaf(
    purpose: x509.Purpose = x509.Purpose.DOCUMENT,
    *,
    iss: str = ISS,
    key: ec.EllipticCurvePrivateKey = ISSUER_KEY,
    root_key: ec.EllipticCurvePrivateKey = ROOT_KEY,
    serial: int = 2,
    days: int = 400,
) -> bytes:
    """A signer's certificate in DER, under the root of ``root_key``."""
    subject = certified("Example Signer", key, serial, days)
    tbs = x509_build.tbs_leaf(subject, purpose, root(root_key), iss=iss, crl_uri=CRL_URI)
    return x509_build.seal_certificate(tbs, sign(root_key, tbs))


def unusual_leaf(
    extensions: Iterable[tuple[cryptography_x509.ExtensionType, bool]],
    *,
    key: ec.EllipticCurvePrivateKey = ISSUER_KEY,
    root_key: ec.EllipticCurvePrivateKey = ROOT_KEY,
    root_name: str = "Example Root",
    country: str = "XU",
) -> bytes:
    """A leaf whose extensions, key, root or country are given, for what our own profile would never build."""
    usual, authority = x509.read_certificate(CHAIN[0]), x509.read_certificate(root(root_key, root_name))
    named = cryptography_x509.NameAttribute(NameOID.COUNTRY_NAME, country)
    builder = (
        cryptography_x509.CertificateBuilder()
        .subject_name(cryptography_x509.Name([named, *list(usual.subject)[1:]]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(3)
        .not_valid_before(usual.not_valid_before_utc)
        .not_valid_after(usual.not_valid_after_utc)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    unsigned = builder.sign(private_key(1), hashes.SHA256()).tbs_certificate_bytes
    return x509_build.seal_certificate(unsigned, sign(root_key, unsigned))


ROOT, CHAIN = root(), (leaf(),)
TRUSTED = TrustedIssuer(ISS, "Example Authority", (ROOT,), frozenset({VCT}), f"{ISS}/status/")
TRUST = TrustStore({ISS: TRUSTED})
ISSUER = Issuer(ISS, CHAIN, b"12345678")
# Who signs status lists has a certificate of their own: that of a document may be revoked without it.
LISTS = Issuer(ISS, (leaf(x509.Purpose.STATEMENT, serial=4),), b"12345678")
FORMAT = sdjwt_vc.SdJwtVc()


def credential(claims: Mapping[str, Any] = CLAIMS, disclosable: frozenset[str] = DISCLOSABLE) -> Credential:
    """A credential of ninety days, bound to the holder's key."""
    holder = jose.public_jwk(HOLDER_KEY.public_key())
    reference = StatusReference(STATUS_URI, 5)
    places = frozenset((name,) for name in disclosable)
    return Credential(VCT, claims, places, day_rounded(NOW), NOW + 90 * DAY, reference, holder)


def issue(one: Credential | None = None, issuer: Issuer = ISSUER) -> bytes:
    """A whole SD-JWT VC as the holder gets it."""
    unsigned = FORMAT.prepare(one or credential(), issuer, entropy())
    return FORMAT.seal(unsigned, sign(ISSUER_KEY, unsigned.payload))


def present(document: bytes, asked: HolderBindingExpected = ASKED, at: int = NOW) -> bytes:
    """``document`` with a key binding by its holder."""
    unsigned = key_binding.prepare(document, asked, at)
    return document + jose.jws(unsigned, sign(HOLDER_KEY, unsigned))


def jwt(header: Mapping[str, Any], claims: Mapping[str, Any], key: ec.EllipticCurvePrivateKey) -> bytes:
    """Any header and claims, signed: for documents that our own code would never issue."""
    unsigned = jose.signing_input(header, encode_json(claims))
    return jose.jws(unsigned, sign(key, unsigned))


def disclosure(*elements: Any) -> bytes:
    """An encoded disclosure with a salt of its own."""
    salt = jose.b64url_encode(hashlib.sha256(repr(elements).encode()).digest()[:16])
    return jose.b64url_encode(encode_json([salt, *elements])).encode("ascii")


def digest(encoded: bytes) -> str:
    """What stands in ``_sd`` for a disclosure."""
    return sdjwt.digest_of(encoded)


def header(**changes: Any) -> dict[str, Any]:
    """The header of an SD-JWT VC of ours, changed."""
    return {"alg": "ES256", "typ": "dc+sd-jwt", "x5c": jose.x5c_header(CHAIN)} | changes


def payload(**changes: Any) -> dict[str, Any]:
    """The least payload that holds, changed; ``None`` leaves a claim out."""
    holder = {"jwk": jose.public_jwk(HOLDER_KEY.public_key())}
    claims = {"iss": ISS, "iat": day_rounded(NOW), "exp": NOW + DAY, "vct": VCT, "cnf": holder} | changes
    return {name: value for name, value in claims.items() if value is not None}


def sd_jwt(
    claims: Mapping[str, Any],
    disclosures: Iterable[bytes] = (),
    *,
    head: Mapping[str, Any] | None = None,
    key: ec.EllipticCurvePrivateKey = ISSUER_KEY,
) -> bytes:
    """A signed SD-JWT of any content."""
    return b"~".join([jwt(head or header(), claims, key), *disclosures, b""])
