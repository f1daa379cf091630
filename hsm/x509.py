"""Requests and certificates signed by a key of the token, and those of others for it."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.x509.verification import VerificationError

from hsm.entries import Entry
from hsm.errors import HsmPolicy
from hsm.key_rows import FILE_MAX
from hsm.lifecycle import DAY
from hsm.stand_in import Sign, ours, signed
from hsm.verify import spki_of

DAYS_MAX: Final = 20 * 366  # that a certificate is good for: longer than any key should be used
STAMPING: Final = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.TIME_STAMPING])
"""What a key that stamps is certified for, critical, and for nothing else (RFC 3161 section 2.3)."""

BACKDATED: Final = timedelta(minutes=5)  # clocks differ


def name_of(subject: str) -> x509.Name:
    """A name as people write it: `CN=Documents 2026,O=Authority,C=UT` (RFC 4514)."""
    try:
        name = x509.Name.from_rfc4514_string(subject)
    except ValueError as error:
        raise HsmPolicy(
            f"Expected a name such as CN=Documents,C=UT, got {subject!r}. Write each part as NAME=value, with "
            "commas between (RFC 4514)."
        ) from error
    if not list(name):
        raise HsmPolicy("Expected a name such as CN=Documents,C=UT, got an empty one.")
    return name


async def request(entry: Entry, subject: x509.Name, sign: Sign) -> x509.CertificateSigningRequest:
    """A certification request (PKCS#10, RFC 2986): its signature proves that the key is ours."""
    assert entry.public_key is not None
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    return await signed(entry.public_key, sign, builder.sign)


async def self_signed(entry: Entry, subject: x509.Name, at: int, days: int, sign: Sign) -> x509.Certificate:
    """The certificate of a CA of our own, signed by itself."""
    assert entry.public_key is not None
    public: Any = serialization.load_der_public_key(entry.public_key)
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    builder = (
        _valid(_builder(subject, subject, public), at, days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(ca=True), critical=True)
        .add_extension(identifier, critical=False)
    )
    return await signed(entry.public_key, sign, builder.sign)


async def issued(
    authority: Entry,
    asked: x509.CertificateSigningRequest,
    at: int,
    days: int,
    sign: Sign,
    *,
    stamping: bool = False,
) -> x509.Certificate:
    """A certificate for whoever made the request, which must prove possession; by a CA of ours that outlives it.

    `stamping` makes it one for time stamps alone.
    """
    if not asked.is_signature_valid:
        raise HsmPolicy("Expected a request signed by the key that it is for, got one that is not. Make it anew.")
    ca = certificate_of(authority)
    constraints = _constraints(ca)
    if constraints is None or not constraints.ca:
        raise HsmPolicy(f"Expected {authority.label!r} to be a CA by its certificate, got one that is not.")
    public, _ = ours(asked.public_key())
    if not list(asked.subject) or asked.subject == ca.subject:
        raise HsmPolicy(
            f"Expected a request with a subject of its own, got {asked.subject.rfc4514_string()!r}. Ask for another."
        )
    builder = (
        _valid(_builder(asked.subject, ca.subject, public), at, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(ca=False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(issued_by(ca), critical=False)
    )
    if stamping:
        builder = builder.add_extension(STAMPING, critical=True)
    assert authority.public_key is not None
    return await signed(authority.public_key, sign, builder.sign)


def accept(entry: Entry, certificate: x509.Certificate, issuer: x509.Certificate | None, at: int) -> bytes:
    """The DER of a certificate that is for this key, holds now, and was issued by `issuer` where one is named."""
    public: Any = certificate.public_key()
    if spki_of(public) != entry.public_key:
        raise HsmPolicy(f"Expected a certificate for {entry.label!r}, got one for another key. Certify the right one.")
    if not certificate.not_valid_before_utc.timestamp() <= at <= certificate.not_valid_after_utc.timestamp():
        raise HsmPolicy(
            f"Expected a certificate that holds now, got one from {certificate.not_valid_before_utc} to "
            f"{certificate.not_valid_after_utc}. Check the clock, or have it issued anew."
        )
    if issuer is not None and not is_issued_by(certificate, issuer):
        raise HsmPolicy("Expected a certificate issued by the one that was named, got another's. Name its own issuer.")
    return certificate.public_bytes(serialization.Encoding.DER)


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether names and signature say so."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, VerificationError, UnsupportedAlgorithm):
        return False
    return True


def certificate_of(entry: Entry) -> x509.Certificate:
    """The certificate of a key; `HsmPolicy` when it has none."""
    if entry.certificate is None:
        raise HsmPolicy(f"Expected {entry.label!r} to have a certificate, got none. Run `python -m hsm certify`.")
    return x509.load_der_x509_certificate(entry.certificate)


def read_request(content: bytes) -> x509.CertificateSigningRequest:
    """A PEM certification request; `HsmPolicy` for anything else."""
    try:
        asked = x509.load_pem_x509_csr(_bounded(content))
        asked.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise HsmPolicy(f"Expected a certification request in PEM, got something else: {error}") from error
    return asked


def read_certificate(content: bytes) -> x509.Certificate:
    """A PEM certificate; `HsmPolicy` for anything else."""
    try:
        certificate = x509.load_pem_x509_certificate(_bounded(content))
        certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise HsmPolicy(f"Expected a certificate in PEM, got something else: {error}") from error
    return certificate


def _bounded(content: bytes) -> bytes:
    if len(content) > FILE_MAX:
        raise HsmPolicy(f"Expected at most {FILE_MAX} bytes, got more. It is no request or certificate.")
    return content


def _builder(subject: x509.Name, issuer: x509.Name, public: Any) -> x509.CertificateBuilder:
    serial = x509.random_serial_number()
    return x509.CertificateBuilder(issuer, subject, public, serial)


def _valid(builder: x509.CertificateBuilder, at: int, days: int) -> x509.CertificateBuilder:
    if not 1 <= days <= DAYS_MAX:
        raise HsmPolicy(f"Expected a certificate of at least one day and at most {DAYS_MAX}, got {days}.")
    start = datetime.fromtimestamp(at, UTC) - BACKDATED
    return builder.not_valid_before(start).not_valid_after(datetime.fromtimestamp(at + days * DAY, UTC))


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def issued_by(ca: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """By the CA's own identifier, however it was made (RFC 5280 section 4.2.1.1)."""
    try:
        own = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        public: Any = ca.public_key()
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(public)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _constraints(certificate: x509.Certificate) -> x509.BasicConstraints | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return None
