"""X.509 as a verifier sees it: a chain up to a root we chose, and a leaf that may sign what it signed.

The path itself (signatures, names, validity, basic constraints, key usage of authorities, algorithms) is
checked by ``cryptography``'s RFC 5280 verifier with an explicit policy; its web defaults for leaves refuse
document signers (critical extended key usage, no host name), so what a leaf must be stands here, in ``LEAF_RULES``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import NamedTuple, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID, ObjectIdentifier
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

from idverify.core.trust import TrustedIssuer, TrustStore
from idverify.errors import DocumentError

MAX_CERTIFICATE = 4 * 1024
MAX_CRL = 4 * 1024 * 1024

# What cryptography raises for bytes that are not what they should be, found by changing them one by one.
_MALFORMED = (
    TypeError,
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
# RFC 5280 section 4.1.2.2, at the start of a certificate; cryptography only warns of it, until a future release.
_NO_POSITIVE_SERIAL = re.compile(
    rb"(?:\x30(?:[\x00-\x7f]|\x81.|\x82..)){2}(?:\xa0\x03\x02\x01.)?\x02(?:.[\x80-\xff]|\x01\x00)", re.DOTALL
)
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


class Purpose(Enum):
    """What a leaf may sign: its one extended key usage."""

    DOCUMENT = ObjectIdentifier("1.0.18013.5.1.2")  # ISO/IEC 18013-5 annex B.1.4: document signer
    # RFC 9336 section 3.1. The status list draft's own purpose has no number yet; typ tells statements apart.
    STATEMENT = ObjectIdentifier("1.3.6.1.5.5.7.3.36")
    VICAL = ObjectIdentifier("1.0.18013.5.1.8")  # ISO/IEC 18013-5 annex C.1.7.2: provider of a list of issuers
    # Ours (ITU-T X.667, a UUID as OID): whoever signs status lists must not be able to say whom to trust.
    TRUST_LIST = ObjectIdentifier("2.25.148177995793149423696356949372862082912")
    # Ours: whoever tells a person what the ledger holds about them says nothing else.
    ENTRIES = ObjectIdentifier("2.25.156910992779791066949173162863378590408")
    # Ours: whoever says what a check found issues no document and names nobody as trusted.
    VERIFICATION = ObjectIdentifier("2.25.177549816252514323708134002250486102295")
    # Ours: whoever signs letters and codes on paper issues nothing that a wallet holds.
    PAPER = ObjectIdentifier("2.25.303599112884320831768298295026662796121")
    TIME_STAMP = ObjectIdentifier("1.3.6.1.5.5.7.3.8")  # RFC 3161 section 2.3: critical, and alone


class Region(NamedTuple):
    """Where a certificate's subject says it is, as it stands there; ``None``: it does not say."""

    country: str | None
    state: str | None


@dataclass(frozen=True, slots=True)
class VerifiedLeaf:
    """The signer at the end of a verified path. Times are Unix seconds and hold for the whole path.

    ``path`` names every certificate below the root as (issuer in RFC 4514 form, serial number), as CRLs do.
    ``region`` is the leaf's, ``root_region`` that of the root.
    """

    public_key: ec.EllipticCurvePublicKey
    san_uris: tuple[str, ...]
    serial: int
    issuer: str
    not_before: int
    not_after: int
    path: frozenset[tuple[str, int]]
    region: Region
    root_region: Region


class SignerExpected(NamedTuple):
    """Who may have signed: anybody certified for ``iss`` and ``purposes`` under ``roots`` (DER), ``at`` Unix time."""

    iss: str
    roots: tuple[bytes, ...]
    purposes: frozenset[Purpose]
    revoked: frozenset[tuple[str, int]]
    at: int


def leaf_not_ca(leaf: x509.Certificate, _purposes: frozenset[Purpose]) -> None:
    """RFC 5280 section 4.2.1.9: an authority's key signs certificates, never documents."""
    if any(basic.ca for basic in _extension(leaf, x509.BasicConstraints)):
        raise DocumentError("leaf-not-ca", "The signing certificate must not be that of an authority.")


def leaf_key_usage(leaf: x509.Certificate, _purposes: frozenset[Purpose]) -> None:
    """RFC 5280 section 4.2.1.3: ``digitalSignature``."""
    if not any(usage.digital_signature for usage in _extension(leaf, x509.KeyUsage)):
        raise DocumentError("leaf-key-usage", "The signing certificate must allow digital signatures.")


def leaf_purpose(leaf: x509.Certificate, purposes: frozenset[Purpose]) -> None:
    """RFC 5280 section 4.2.1.12: made for this kind of statement, and for no other kind."""
    allowed = {purpose.value for purpose in purposes}
    usages = [set(usage) for usage in _extension(leaf, x509.ExtendedKeyUsage)]
    if not usages or not usages[0] <= allowed:
        raise DocumentError("leaf-purpose", f"The signing certificate must be made for {_names(allowed)} only.")


def made_for(der: bytes, purpose: Purpose) -> bool:
    """Whether a certificate (DER) says that it is made for this alone, believed or not."""
    return [set(usage) for usage in _extension(read_certificate(der), x509.ExtendedKeyUsage)] == [{purpose.value}]


LeafRule = Callable[[x509.Certificate, frozenset[Purpose]], None]
LEAF_RULES: tuple[LeafRule, ...] = (leaf_not_ca, leaf_key_usage, leaf_purpose)


def _names(oids: Iterable[ObjectIdentifier]) -> str:
    return " or ".join(sorted(oid.dotted_string for oid in oids))


def _extension(certificate: x509.Certificate, kind: type[_Extension]) -> tuple[_Extension, ...]:
    try:
        return (certificate.extensions.get_extension_for_class(kind).value,)
    except x509.ExtensionNotFound:
        return ()


@lru_cache(maxsize=1024)
def read_certificate(der: bytes) -> x509.Certificate:
    """A certificate as received: parsed, not believed. Raises ``DocumentError`` (``certificate``, ``size``)."""
    if len(der) > MAX_CERTIFICATE:
        raise DocumentError("size", f"A certificate may be {MAX_CERTIFICATE} bytes long; got {len(der)}.")
    if _NO_POSITIVE_SERIAL.match(der):
        raise DocumentError("certificate", "The serial number of a certificate must be positive.")
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.public_key()
        # Parsed when first asked for: asked for here, so that a malformed part is found here.
        _ = certificate.extensions, certificate.issuer, certificate.subject
        _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except _MALFORMED as wrong:
        raise DocumentError("certificate", f"A certificate must be X.509 v3 in DER: {wrong}.") from None
    return certificate


@lru_cache(maxsize=1024)
def signing_key(der: bytes) -> ec.EllipticCurvePublicKey:
    """The P-256 key of a certificate, believed or not. Raises ``DocumentError``."""
    key = read_certificate(der).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise DocumentError("leaf-key", "The signing certificate must hold a P-256 key.")
    return key


def _path_to_root(chain: tuple[bytes, ...], roots: tuple[bytes, ...]) -> list[x509.Certificate]:
    """RFC 5280 section 6, at the moment the leaf began: its window is compared with every call's own time."""
    leaf, *authorities = [read_certificate(der) for der in chain]
    if not roots:
        raise DocumentError("path", "The certificates must lead to a root of the trusted issuer; it has none.")
    policy = (
        PolicyBuilder()
        .store(Store([read_certificate(root) for root in roots]))
        .time(leaf.not_valid_before_utc)
        .max_chain_depth(len(chain))
        .extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=ExtensionPolicy.permit_all())
    )
    try:
        path = policy.build_client_verifier().verify(leaf, authorities).chain
    except VerificationError as wrong:
        reason = str(wrong).partition(" (encountered")[0]
        raise DocumentError("path", f"The certificates must lead to a root of the trusted issuer: {reason}.") from None
    if path[:-1] != [leaf, *authorities]:
        # RFC 7515 section 4.1.6: each certificate certifies the one before it; nothing is along for the ride
        raise DocumentError("path", "The certificates must be the path itself, in order, without the root.")
    return path


@lru_cache(maxsize=1024)
def _verified(chain: tuple[bytes, ...], roots: tuple[bytes, ...], purposes: frozenset[Purpose]) -> VerifiedLeaf:
    path = _path_to_root(chain, roots)
    leaf = path[0]
    for rule in LEAF_RULES:
        rule(leaf, purposes)
    return VerifiedLeaf(
        public_key=signing_key(chain[0]),
        san_uris=subject_uris(chain[0]),
        serial=leaf.serial_number,
        issuer=leaf.issuer.rfc4514_string(),
        not_before=max(int(part.not_valid_before_utc.timestamp()) for part in path),
        not_after=min(int(part.not_valid_after_utc.timestamp()) for part in path),
        path=frozenset((part.issuer.rfc4514_string(), part.serial_number) for part in path[:-1]),
        region=_region(leaf),
        root_region=_region(path[-1]),
    )


def _region(certificate: x509.Certificate) -> Region:
    def first(oid: ObjectIdentifier) -> str | None:
        return next((str(name.value) for name in certificate.subject.get_attributes_for_oid(oid)), None)

    return Region(first(NameOID.COUNTRY_NAME), first(NameOID.STATE_OR_PROVINCE_NAME))


def path_validity(leaf: VerifiedLeaf, at: int) -> None:
    """RFC 5280 section 4.1.2.5, for the whole path."""
    if not leaf.not_before <= at <= leaf.not_after:
        raise DocumentError("path-validity", "The signing certificate is not valid at this time: too early or expired.")


def san_names_issuer(leaf: VerifiedLeaf, iss: str, _revoked: frozenset[tuple[str, int]]) -> None:
    """The certificate was made for this issuer: its subject alternative name carries ``iss`` as a URI."""
    if iss not in leaf.san_uris:
        raise DocumentError("san-names-issuer", f"The signing certificate must name {iss}; it does not.")


def path_not_revoked(leaf: VerifiedLeaf, _iss: str, revoked: frozenset[tuple[str, int]]) -> None:
    """RFC 5280 section 6.3: no certificate of the path is on a list that we verified."""
    if found := leaf.path & revoked:
        raise DocumentError("path-not-revoked", f"The certificate {min(found)} was revoked by its issuer.")


TIME_RULES: tuple[Callable[[VerifiedLeaf, int], None], ...] = (path_validity,)
SIGNER_RULES: tuple[Callable[[VerifiedLeaf, str, frozenset[tuple[str, int]]], None], ...] = (
    san_names_issuer,
    path_not_revoked,
)


def verify_chain(
    chain: tuple[bytes, ...], roots: tuple[bytes, ...], at: int, *, purposes: frozenset[Purpose]
) -> VerifiedLeaf:
    """The signer at the end of ``chain`` (DER, leaf first, root left out), valid ``at`` Unix seconds.

    The path is verified once per chain and set of roots; the time is checked each call. Raises ``DocumentError``:
    ``certificate``, ``size``, ``path``, ``path-validity``, or the name of a rule of ``LEAF_RULES``.
    """
    leaf = _verified(chain, roots, purposes)
    for rule in TIME_RULES:
        rule(leaf, at)
    return leaf


def verify_signer(chain: tuple[bytes, ...], expected: SignerExpected) -> VerifiedLeaf:
    """``verify_chain``, and the leaf speaks for ``expected.iss`` and is not revoked. Raises ``DocumentError``."""
    leaf = verify_chain(chain, expected.roots, expected.at, purposes=expected.purposes)
    for rule in SIGNER_RULES:
        rule(leaf, expected.iss, expected.revoked)
    return leaf


def require_signed_in_period(leaf: bytes, signed_at: int) -> None:
    """RFC 3280 section 4.2.1.4: the key of ``leaf`` (DER) signed while it might, which ends long before it does.

    ``signed_at`` is Unix seconds, by the signature's own word or a time stamp's. Raises ``DocumentError``
    (``key-usage-period``).
    """
    if not signs_from(leaf) <= signed_at <= signs_until(leaf):
        raise DocumentError("key-usage-period", "The signing key was not in use at the time of the signature.")


def require_may_sign(leaf: bytes, at: int, until: int) -> None:
    """What is signed ``at`` this time and is to hold ``until`` then may be signed with the key of ``leaf`` (DER).

    Raises ``DocumentError``: ``key-usage-period``, or ``outlives-certificate``.
    """
    if not signs_from(leaf) <= at <= signs_until(leaf):
        raise DocumentError("key-usage-period", "The signing key is not in use at this time. It must be renewed first.")
    if until > not_after(leaf):
        raise DocumentError(
            "outlives-certificate",
            "The signing certificate would expire before the document. It must be renewed first.",
        )


@lru_cache(maxsize=1024)
def subject_uris(der: bytes) -> tuple[str, ...]:
    """The URIs by which a certificate names its subject (RFC 5280 section 4.2.1.6), believed or not."""
    names = _extension(read_certificate(der), x509.SubjectAlternativeName)
    return tuple(names[0].get_values_for_type(x509.UniformResourceIdentifier)) if names else ()


@lru_cache(maxsize=1024)
def issuer_name(der: bytes) -> str:
    """The name of the authority under which a certificate says it was issued, in RFC 4514 form, believed or not."""
    return read_certificate(der).issuer.rfc4514_string()


@lru_cache(maxsize=4096)
def names_as_issuer(der: bytes, root: bytes) -> bool:
    """Whether a certificate says that ``root`` issued it: by name, and by key identifier where both have one."""
    certificate, authority = read_certificate(der), read_certificate(root)
    if certificate.issuer != authority.subject:
        return False
    asked = [each.key_identifier for each in _extension(certificate, x509.AuthorityKeyIdentifier)]
    given = [each.digest for each in _extension(authority, x509.SubjectKeyIdentifier)]
    return not (asked and given) or asked[0] in {None, given[0]}


def root_is_authority(root: x509.Certificate) -> None:
    """RFC 5280 section 4.2.1.9, and ISO/IEC 18013-5 annex B.1.2: it certifies others."""
    if not any(basic.ca for basic in _extension(root, x509.BasicConstraints)):
        raise DocumentError("root-is-authority", "A root must be the certificate of an authority.")


def root_signs_certificates(root: x509.Certificate) -> None:
    """RFC 5280 section 4.2.1.3: ``keyCertSign``."""
    if not any(usage.key_cert_sign for usage in _extension(root, x509.KeyUsage)):
        raise DocumentError("root-signs-certificates", "A root's key must be for signing certificates.")


def root_signs_itself(root: x509.Certificate) -> None:
    """ISO/IEC 18013-5 annex B.1.2: self-signed, so that whoever has the name has the key."""
    try:
        root.verify_directly_issued_by(root)
    except (InvalidSignature, *_MALFORMED):
        raise DocumentError("root-signs-itself", "A root must be signed with its own key.") from None


ROOT_RULES: tuple[Callable[[x509.Certificate], None], ...] = (
    root_is_authority,
    root_signs_certificates,
    root_signs_itself,
)


def require_root(der: bytes) -> x509.Certificate:
    """A certificate that can be trusted as a root. Raises ``DocumentError`` with the rule of ``ROOT_RULES``."""
    root = read_certificate(der)
    for rule in ROOT_RULES:
        rule(root)
    return root


def fingerprint(der: bytes) -> bytes:
    """SHA-256 of a certificate as it stands: how people compare roots."""
    return hashlib.sha256(der).digest()


@lru_cache(maxsize=1024)
def key_id(der: bytes) -> bytes:
    """Our id of the key that a certificate names: the first 8 bytes of SHA-256 over its SPKI."""
    spki = read_certificate(der).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()[:8]


@lru_cache(maxsize=1024)
def not_before(der: bytes) -> int:
    """When a certificate begins, Unix seconds."""
    return int(read_certificate(der).not_valid_before_utc.timestamp())


@lru_cache(maxsize=1024)
def region(der: bytes) -> Region:
    """Where a certificate's subject says it is, believed or not."""
    return _region(read_certificate(der))


@lru_cache(maxsize=1024)
def not_after(der: bytes) -> int:
    """When a certificate ends, Unix seconds."""
    return int(read_certificate(der).not_valid_after_utc.timestamp())


def _unix(moment: dt.datetime) -> int:
    """A time of an extension, which is UTC and does not say so."""
    return int(moment.replace(tzinfo=dt.UTC).timestamp())


@lru_cache(maxsize=1024)
def signs_from(der: bytes) -> int:
    """When the key of a certificate begins to sign, Unix seconds: with the certificate, unless that says otherwise."""
    periods = _extension(read_certificate(der), x509.PrivateKeyUsagePeriod)
    return max([not_before(der), *(_unix(one.not_before) for one in periods if one.not_before is not None)])


@lru_cache(maxsize=1024)
def signs_until(der: bytes) -> int:
    """When the key of a certificate ceases to sign, Unix seconds: with the certificate, unless that says otherwise."""
    periods = _extension(read_certificate(der), x509.PrivateKeyUsagePeriod)
    return min([not_after(der), *(_unix(one.not_after) for one in periods if one.not_after is not None)])


@dataclass(frozen=True, slots=True)
class Crl:
    """A verified revocation list; times in Unix seconds.

    ``revoked`` has the form of ``TrustStore.revoked_serials``, ``entries`` are (serial number, revoked at), in order.
    """

    number: int
    this_update: int
    next_update: int
    revoked: frozenset[tuple[str, int]]
    entries: tuple[tuple[int, int], ...]


def read_crl(der: bytes, issuer: bytes) -> Crl:
    """RFC 5280 sections 5 and 6.3.3, signed by the certificate ``issuer`` (DER).

    Raises ``DocumentError``: ``crl``, ``crl-signature``, ``crl-key-usage``, ``size``.
    """
    if len(der) > MAX_CRL:
        raise DocumentError("size", f"A revocation list may be {MAX_CRL} bytes long; got {len(der)}.")
    authority = read_certificate(issuer)
    key = authority.public_key()
    try:
        crl = x509.load_der_x509_crl(der)
        signed = isinstance(key, ec.EllipticCurvePublicKey) and crl.is_signature_valid(key)
        if crl.issuer != authority.subject or not signed:
            raise DocumentError("crl-signature", "The revocation list is not signed by its authority.")
        if not all(usage.crl_sign for usage in _extension(authority, x509.KeyUsage)):
            raise DocumentError("crl-key-usage", "The authority's key is not for signing revocation lists.")
        return _whole_crl(crl)
    except _MALFORMED as wrong:
        raise DocumentError("crl", f"A revocation list must be an X.509 v2 CRL in DER: {wrong}.") from None


def _whole_crl(crl: x509.CertificateRevocationList) -> Crl:
    numbers = [extension.value for extension in crl.extensions if isinstance(extension.value, x509.CRLNumber)]
    extensions = [*crl.extensions, *(extension for entry in crl for extension in entry.extensions)]
    if not numbers or crl.next_update_utc is None or any(extension.critical for extension in extensions):
        # A delta or partial list (section 5.2.4, 5.2.5) is critical: it must not pass for the whole list. So is an
        # entry that is about another issuer's certificate (section 5.3.3).
        raise DocumentError("crl", "The revocation list must be complete, with a number and a next update.")
    name = crl.issuer.rfc4514_string()
    return Crl(
        number=numbers[0].crl_number,
        this_update=int(crl.last_update_utc.timestamp()),
        next_update=int(crl.next_update_utc.timestamp()),
        revoked=frozenset((name, entry.serial_number) for entry in crl),
        entries=tuple((entry.serial_number, int(entry.revocation_date_utc.timestamp())) for entry in crl),
    )


def trust_store(issuers: Mapping[str, TrustedIssuer], crls: Iterable[tuple[bytes, bytes]]) -> TrustStore:
    """The issuers with what their CRLs (issuer certificate, CRL; both DER) revoke. Raises ``DocumentError``."""
    lists = {issuer: read_crl(crl, issuer) for issuer, crl in crls}
    revoked = frozenset[tuple[str, int]]().union(*(listed.revoked for listed in lists.values()))
    return TrustStore(issuers, revoked, {issuer: listed.next_update for issuer, listed in lists.items()})
