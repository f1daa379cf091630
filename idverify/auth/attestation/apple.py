"""``apple`` (WebAuthn L3 section 8.8): a certificate made for this one key, which signs nothing itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ObjectIdentifier

from idverify.auth.attestation import certificate, public_key
from idverify.auth.attestation.statement import Attestation, Attested, certificates, members, require

_NONCE: Final = ObjectIdentifier("1.2.840.113635.100.8.2")
_NONCE_HEAD: Final = bytes.fromhex("3024a1220420")  # SEQUENCE { [1] { OCTET STRING of 32 bytes


@dataclass(frozen=True, slots=True)
class Certificate:
    """The statement's first certificate and what it must be about."""

    attestation: Attestation
    leaf: x509.Certificate


def nonce(said: Certificate) -> bool:
    """Steps 2 to 4: made for this answer to this challenge."""
    found = certificate.unknown_extension(said.leaf, _NONCE)
    return found is not None and found[0] == _NONCE_HEAD + hashlib.sha256(said.attestation.signed).digest()


def credential_key(said: Certificate) -> bool:
    """Step 5: without it, anybody could show Apple's certificate for a key of theirs under another key."""
    return public_key.certifies(said.leaf, said.attestation.attested.cose_key)


RULES = (nonce, credential_key)


def verify(attestation: Attestation) -> Attested:
    """Anonymization CA; there is no other."""
    chain, leaf = certificates(members(attestation, x5c=list)["x5c"])
    require("apple", RULES, Certificate(attestation, leaf))
    return Attested("anonca", chain, attestation.attested.aaguid, key_stays=True)
