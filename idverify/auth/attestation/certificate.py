"""Certificates of authenticators, parsed and not believed, and the rules on them that several formats share."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ObjectIdentifier

from idverify.auth.attestation.der import INTEGER, elements

MAX_CERTIFICATE: Final = 8 * 1024
AAGUID: Final = ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")  # section 8.2.1: id-fido-gen-ce-aaguid
_OCTET_STRING_OF_16: Final = b"\x04\x10"

# What cryptography raises for bytes that are not what they should be, found by changing them one by one.
_MALFORMED: Final = (
    TypeError,
    ValueError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


@lru_cache(maxsize=256)  # a batch of keys shares its certificate, and all of a maker's keys its authorities
def read(der: bytes) -> x509.Certificate:
    """A certificate in DER, all of whose parts can be read. Raises ``ValueError`` with the reason."""
    if len(der) > MAX_CERTIFICATE:
        raise ValueError(f"it may be {MAX_CERTIFICATE} bytes long; got {len(der)}")
    try:
        _require_positive_serial(der)
        certificate = x509.load_der_x509_certificate(der)
        # Parsed when first asked for: asked for here, so that a malformed part is found here.
        _ = certificate.public_key(), certificate.extensions, certificate.issuer, certificate.subject
        _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except _MALFORMED as wrong:
        raise ValueError(f"it must be X.509 in DER: {wrong}") from None
    return certificate


def read_pem(pem: bytes) -> tuple[bytes, ...]:
    """The certificates of a PEM text, as ``read`` reads them, in DER. Raises ``ValueError``."""
    try:
        found = tuple(each.public_bytes(Encoding.DER) for each in x509.load_pem_x509_certificates(pem))
    except _MALFORMED as wrong:
        raise ValueError(f"it must be certificates in PEM: {wrong}") from None
    for der in found:
        read(der)
    return found


def _require_positive_serial(certificate: bytes) -> None:
    """RFC 5280 section 4.1.2.2; ``cryptography`` only warns of it, until a future release."""
    ((_, content),) = elements(certificate)
    (_, tbs), *_ = elements(content)
    serial = next((value for tag, value in elements(tbs) if tag == INTEGER), b"")
    if int.from_bytes(serial, "big", signed=True) <= 0:
        raise ValueError("its serial number must be positive")


def extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    """The value of an extension that ``cryptography`` knows."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def unknown_extension(certificate: x509.Certificate, oid: ObjectIdentifier) -> tuple[bytes, bool] | None:
    """The DER of an extension that ``cryptography`` does not know, and whether it is critical."""
    for found in certificate.extensions:
        if found.oid == oid and isinstance(found.value, x509.UnrecognizedExtension):
            return found.value.value, found.critical
    return None


def is_version_3(certificate: x509.Certificate) -> bool:
    """Sections 8.2.1 and 8.3.1: version 3, which the encoding counts from 0."""
    return certificate.version is x509.Version.v3


def is_no_authority(certificate: x509.Certificate) -> bool:
    """Sections 8.2.1 and 8.3.1: basic constraints that say so, not silence."""
    basic = extension(certificate, x509.BasicConstraints)
    return basic is not None and not basic.ca


def names_aaguid(certificate: x509.Certificate, aaguid: bytes) -> bool:
    """Sections 8.2 and 8.3: where a certificate names a model it is this one, in an extension that is not critical."""
    named = unknown_extension(certificate, AAGUID)
    return named is None or named == (_OCTET_STRING_OF_16 + aaguid, False)
