"""The certificates and revocation lists that we issue, as bytes to sign: profiles after ISO/IEC 18013-5 annex B.1.

``cryptography`` signs what it builds, but our keys never leave the HSM. So a certificate is built with a key that
everybody knows, its to-be-signed bytes are taken out and signed by the HSM, and ``seal_certificate`` wraps the two.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509.oid import NameOID

from idverify.errors import DocumentError
from idverify.formats.der import BIT_STRING, sequence, tlv
from idverify.formats.jose import der_signature
from idverify.formats.x509 import Purpose, read_certificate

SECONDS_PER_DAY = 86_400
LEAF_MAX_DAYS: Mapping[Purpose, int] = {
    Purpose.DOCUMENT: 457,  # ISO/IEC 18013-5 annex B.1.4
    Purpose.STATEMENT: 457,
    Purpose.TRUST_LIST: 457,
    Purpose.ENTRIES: 457,
    Purpose.VERIFICATION: 457,
    Purpose.PAPER: 3650,
    Purpose.TIME_STAMP: 3650,
}
# What these sign is verified for years: the certificate lives on when its key has ceased to sign. Of the others, the
# key signs as long as the certificate lives.
SIGNS_MAX_DAYS: Mapping[Purpose, int] = {Purpose.PAPER: 457, Purpose.TIME_STAMP: 457}
# Of these a person reads the document and relies on it (RFC 5280 section 4.2.1.3: contentCommitment).
_COMMITS = frozenset({Purpose.PAPER, Purpose.VERIFICATION})

_EVERYBODYS_KEY = ec.derive_private_key(1, ec.SECP256R1())
_ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")  # RFC 5758 section 3.2: AlgorithmIdentifier


@dataclass(frozen=True, slots=True)
class Certified:
    """Whom a certificate names, and when it holds. ``public_key`` is DER SPKI; times are Unix seconds.

    ``serial`` is positive, at most 20 bytes, with at least 63 random bits (ISO/IEC 18013-5 annex B.1).
    """

    country: str
    common_name: str
    public_key: bytes
    serial: int
    not_before: int
    not_after: int


def _utc(at: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(at, dt.UTC)


def _uri(value: str) -> list[x509.GeneralName]:
    return [x509.UniformResourceIdentifier(value)]


def _key_usage(*, digital_signature: bool = False, commitment: bool = False, authority: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=commitment,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(certified: Certified, issuer: x509.Name | None, crl_uri: str) -> x509.CertificateBuilder:
    key = load_der_public_key(certified.public_key)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, certified.country),
            x509.NameAttribute(NameOID.COMMON_NAME, certified.common_name),
        ]
    )
    point = x509.DistributionPoint(_uri(crl_uri), None, None, None)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key)
        .serial_number(certified.serial)
        .not_valid_before(_utc(certified.not_before))
        .not_valid_after(_utc(certified.not_after))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.CRLDistributionPoints([point]), critical=False)
    )


def tbs_root(certified: Certified, *, uri: str, crl_uri: str) -> bytes:
    """ISO/IEC 18013-5 annex B.1.2: a self-signed authority whose leaves sign, with no authority below it.

    ``uri`` says where its people are reached. The bytes are signed with the key of ``certified`` itself.
    """
    builder = (
        _builder(certified, None, crl_uri)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(x509.IssuerAlternativeName(_uri(uri)), critical=False)
    )
    return builder.sign(_EVERYBODYS_KEY, hashes.SHA256()).tbs_certificate_bytes


def tbs_leaf(certified: Certified, purpose: Purpose, root: bytes, *, iss: str, crl_uri: str) -> bytes:
    """ISO/IEC 18013-5 annex B.1.4: who signs documents or statements for ``iss``, under the certificate ``root`` (DER).

    Raises ``DocumentError`` (``leaf-lifetime``) when it would live too long or outlive its root.
    """
    authority = read_certificate(root)
    lifetime = certified.not_after - certified.not_before
    if not 0 < lifetime <= LEAF_MAX_DAYS[purpose] * SECONDS_PER_DAY:
        raise DocumentError(
            "leaf-lifetime", f"A signer may live {LEAF_MAX_DAYS[purpose]} days; got {lifetime} seconds."
        )
    if certified.not_after > authority.not_valid_after_utc.timestamp():
        raise DocumentError("leaf-lifetime", "A signer must not outlive its root; renew the root first.")
    root_id = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _builder(certified, authority.subject, crl_uri)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True, commitment=purpose in _COMMITS), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose.value]), critical=True)
        .add_extension(x509.SubjectAlternativeName(_uri(iss)), critical=False)
        .add_extension(x509.IssuerAlternativeName(_uri(iss)), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(root_id), critical=False)
    )
    if purpose in SIGNS_MAX_DAYS:
        end = min(certified.not_before + SIGNS_MAX_DAYS[purpose] * SECONDS_PER_DAY, certified.not_after)
        period = x509.PrivateKeyUsagePeriod(_utc(certified.not_before), _utc(end))
        builder = builder.add_extension(period, critical=False)
    return builder.sign(_EVERYBODYS_KEY, hashes.SHA256()).tbs_certificate_bytes


def tbs_crl(
    root: bytes, *, number: int, this_update: int, next_update: int, revoked: Iterable[tuple[int, int]]
) -> bytes:
    """RFC 5280 section 5: the complete list of ``revoked`` (serial number, Unix seconds) under ``root`` (DER)."""
    authority = read_certificate(root)
    root_id = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.subject)
        .last_update(_utc(this_update))
        .next_update(_utc(next_update))
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(root_id), critical=False)
    )
    for serial, at in sorted(revoked):
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(_utc(at)).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(_EVERYBODYS_KEY, hashes.SHA256()).tbs_certlist_bytes


def _wrap(tbs: bytes, signature: bytes) -> bytes:
    """RFC 5280 sections 4.1 and 5.1: SEQUENCE { tbs, algorithm, BIT STRING signature }, for both kinds."""
    return sequence(tbs, _ECDSA_WITH_SHA256, tlv(BIT_STRING, b"\x00" + der_signature(signature)))


def seal_certificate(tbs: bytes, signature: bytes) -> bytes:
    """The DER certificate of ``tbs`` and the raw ``r||s`` signature over it."""
    certificate = _wrap(tbs, signature)
    read_certificate(certificate)
    return certificate


def seal_crl(tbs: bytes, signature: bytes) -> bytes:
    """The DER revocation list of ``tbs`` and the raw ``r||s`` signature over it."""
    return _wrap(tbs, signature)
