"""``tpm`` (WebAuthn L3 section 8.3): a TPM 2.0 certifies a key that it holds; its own key has a certificate.

Windows Hello is what sends it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ObjectIdentifier

from idverify.auth.attestation import certificate, public_key
from idverify.auth.attestation.statement import Attestation, Attested, Certified, certified, malformed, require
from idverify.auth.attestation.tpm_structures import CertInfo, PublicArea, read_cert_info, read_public_area
from idverify.auth.cose_key import verifying_key

_GENERATED: Final = 0xFF544347  # TPM_GENERATED_VALUE
_ATTEST_CERTIFY: Final = 0x8017  # TPM_ST_ATTEST_CERTIFY
_NAME_HASHES: Final = {0x000B: hashlib.sha256, 0x000C: hashlib.sha384, 0x000D: hashlib.sha512}  # TPM_ALG_ID
_ALGORITHM_HASHES: Final = {-7: hashlib.sha256, -35: hashlib.sha384, -36: hashlib.sha512, -257: hashlib.sha256}
_AIK_CERTIFICATE: Final = ObjectIdentifier("2.23.133.8.3")  # tcg-kp-AIKCertificate
# TPMv2-EK-Profile section 3.2.9: manufacturer, model and version
_TPM_NAMES: Final = {ObjectIdentifier(f"2.23.133.2.{number}") for number in (1, 2, 3)}


@dataclass(frozen=True, slots=True)
class Certification:
    """The statement, and its two structures taken apart."""

    said: Certified
    version: str
    cert_info_bytes: bytes
    cert_info: CertInfo
    public_area: PublicArea


def version(tpm: Certification) -> bool:
    """TPM 2.0, and no other."""
    return tpm.version == "2.0"


def public_area(tpm: Certification) -> bool:
    """The key that the TPM certified is the new key."""
    cose_key = tpm.said.attestation.attested.cose_key
    try:
        return tpm.public_area.cose_key(verifying_key(cose_key).algorithm) == cose_key
    except (ValueError, OverflowError):
        return False


def magic(tpm: Certification) -> bool:
    """Made by a TPM: its restricted keys sign nothing else that begins so."""
    return tpm.cert_info.magic == _GENERATED


def attest_type(tpm: Certification) -> bool:
    """A certification of a key, not a quote or an audit."""
    return tpm.cert_info.type == _ATTEST_CERTIFY


def extra_data(tpm: Certification) -> bool:
    """Made for this ceremony."""
    hash_ = _ALGORITHM_HASHES.get(tpm.said.algorithm)
    return hash_ is not None and tpm.cert_info.extra_data == hash_(tpm.said.attestation.signed).digest()


def attested_name(tpm: Certification) -> bool:
    """Part 1 of the TPM library, section 16: a name is the hash of the public area, after its algorithm."""
    area = tpm.public_area
    hash_ = _NAME_HASHES.get(area.name_algorithm)
    if hash_ is None:
        return False
    return tpm.cert_info.name == area.name_algorithm.to_bytes(2, "big") + hash_(area.encoded).digest()


def signature(tpm: Certification) -> bool:
    """By the key of the first certificate."""
    return public_key.signed_by(tpm.said.leaf, tpm.said.algorithm, tpm.said.signature, tpm.cert_info_bytes)


def certificate_version(tpm: Certification) -> bool:
    """Section 8.3.1."""
    return certificate.is_version_3(tpm.said.leaf)


def certificate_subject(tpm: Certification) -> bool:
    """Section 8.3.1: empty."""
    return not list(tpm.said.leaf.subject)


def certificate_alternative_name(tpm: Certification) -> bool:
    """Section 8.3.1: which make of TPM it is."""
    names = certificate.extension(tpm.said.leaf, x509.SubjectAlternativeName)
    directories = names.get_values_for_type(x509.DirectoryName) if names else []
    return any({attribute.oid for attribute in name} >= _TPM_NAMES for name in directories)


def certificate_key_usage(tpm: Certification) -> bool:
    """Section 8.3.1: made for this."""
    usage = certificate.extension(tpm.said.leaf, x509.ExtendedKeyUsage)
    return usage is not None and _AIK_CERTIFICATE in usage


def certificate_not_ca(tpm: Certification) -> bool:
    """Section 8.3.1."""
    return certificate.is_no_authority(tpm.said.leaf)


def certificate_aaguid(tpm: Certification) -> bool:
    """Section 8.3."""
    return certificate.names_aaguid(tpm.said.leaf, tpm.said.attestation.attested.aaguid)


RULES = (
    version,
    public_area,
    magic,
    attest_type,
    extra_data,
    attested_name,
    certificate_version,
    certificate_subject,
    certificate_alternative_name,
    certificate_key_usage,
    certificate_not_ca,
    certificate_aaguid,
    signature,
)


def verify(attestation: Attestation) -> Attested:
    """Attestation CA; there is no other. The key stays if the TPM says that it made it and keeps it."""
    tpm = _read(certified(attestation, ver=str, certInfo=bytes, pubArea=bytes))
    require("tpm", RULES, tpm)
    return Attested("attca", tpm.said.certificates, attestation.attested.aaguid, key_stays=tpm.public_area.stays)


def _read(said: Certified) -> Certification:
    encoded = said.members["certInfo"]
    try:
        info, area = read_cert_info(encoded), read_public_area(said.members["pubArea"])
    except ValueError as wrong:
        raise malformed(f"certInfo and pubArea must be structures of TPM 2.0: {wrong}") from None
    return Certification(said, said.members["ver"], encoded, info, area)
