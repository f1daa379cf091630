"""``packed`` (WebAuthn L3 section 8.2): the format of security keys.

ECDAA, which Level 1 had, is no member of this format any more, and no authenticator came with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.x509.oid import NameOID

from idverify.auth.attestation import certificate, public_key
from idverify.auth.attestation.statement import Attestation, Attested, Certified, certified, members, require
from idverify.auth.cose_key import verifying_key


@dataclass(frozen=True, slots=True)
class SelfSigned:
    """A statement without certificates: the new key signs for itself."""

    attestation: Attestation
    algorithm: int
    signature: bytes


def certificate_version(said: Certified) -> bool:
    """Section 8.2.1."""
    return certificate.is_version_3(said.leaf)


def certificate_subject(said: Certified) -> bool:
    """Section 8.2.1: country, maker, the fixed unit, and a name of the maker's choice."""
    subject = said.leaf.subject
    unit, country, organisation, name = (
        [attribute.value for attribute in subject.get_attributes_for_oid(oid)]
        for oid in (
            NameOID.ORGANIZATIONAL_UNIT_NAME,
            NameOID.COUNTRY_NAME,
            NameOID.ORGANIZATION_NAME,
            NameOID.COMMON_NAME,
        )
    )
    is_country = len(country) == 1 and isinstance(country[0], str) and country[0].isascii() and country[0].isalpha()
    return unit == ["Authenticator Attestation"] and is_country and len(organisation) == 1 and len(name) == 1


def certificate_not_ca(said: Certified) -> bool:
    """Section 8.2.1."""
    return certificate.is_no_authority(said.leaf)


def certificate_aaguid(said: Certified) -> bool:
    """Sections 8.2 and 8.2.1."""
    return certificate.names_aaguid(said.leaf, said.attestation.attested.aaguid)


def signature(said: Certified) -> bool:
    """Section 8.2."""
    return public_key.signed_by(said.leaf, said.algorithm, said.signature, said.attestation.signed)


RULES = (certificate_version, certificate_subject, certificate_not_ca, certificate_aaguid, signature)


def self_algorithm(said: SelfSigned) -> bool:
    """Section 8.2: the algorithm of the key itself."""
    return verifying_key(said.attestation.attested.cose_key).algorithm == said.algorithm


def self_signature(said: SelfSigned) -> bool:
    """Section 8.2."""
    return verifying_key(said.attestation.attested.cose_key).holds(said.signature, said.attestation.signed)


SELF_RULES = (self_algorithm, self_signature)


def verify(attestation: Attestation) -> Attested:
    """Basic attestation with certificates, self attestation without."""
    if "x5c" in attestation.statement:
        said = certified(attestation)
        require("packed", RULES, said)
        return Attested("basic", said.certificates, attestation.attested.aaguid, key_stays=True)
    own = members(attestation, alg=int, sig=bytes)
    require("packed", SELF_RULES, SelfSigned(attestation, own["alg"], own["sig"]))
    return Attested("self", model=attestation.attested.aaguid)
