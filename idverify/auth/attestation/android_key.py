"""``android-key`` (WebAuthn L3 section 8.4): a certificate for this one key, by a phone's secure hardware.

What it says of the key stands in two lists: what the hardware enforces, and what only Android does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography.x509.oid import ObjectIdentifier

from idverify.auth.attestation import certificate, der, public_key
from idverify.auth.attestation.statement import Attestation, Attested, Certified, certified, malformed, require

_KEY_DESCRIPTION: Final = ObjectIdentifier("1.3.6.1.4.1.11129.2.1.17")
# Android's key attestation schema: places in KeyDescription, tags in AuthorizationList, and their values
_ATTESTED_BY, _KEPT_BY, _CHALLENGE, _SOFTWARE, _TEE, _FIELDS = 1, 3, 4, 6, 7, 8
_SECURE: Final = frozenset({b"\x01", b"\x02"})  # SecurityLevel TrustedEnvironment and StrongBox; 0 is Software
_PURPOSE, _ALL_APPLICATIONS, _ORIGIN = 1, 600, 702
_KM_PURPOSE_SIGN: Final = bytes.fromhex("3103020102")  # SET { INTEGER 2 }
_KM_ORIGIN_GENERATED: Final = bytes.fromhex("020100")  # INTEGER 0


@dataclass(frozen=True, slots=True)
class KeyDescription:
    """The statement and its certificate's extension; an authorization list by its tags, values in DER.

    ``levels`` are the security levels of what attests and of what keeps the key.
    """

    said: Certified
    levels: frozenset[bytes]
    challenge: bytes
    software: dict[int, bytes]
    tee: dict[int, bytes]

    def values(self, tag: int) -> set[bytes]:
        """What either list says under ``tag``."""
        return {listed[tag] for listed in (self.software, self.tee) if tag in listed}


def signature(description: KeyDescription) -> bool:
    """Section 8.4, step 2."""
    said = description.said
    return public_key.signed_by(said.leaf, said.algorithm, said.signature, said.attestation.signed)


def credential_key(description: KeyDescription) -> bool:
    """Step 3: the certificate is about the new key."""
    return public_key.certifies(description.said.leaf, description.said.attestation.attested.cose_key)


def challenge(description: KeyDescription) -> bool:
    """Step 4: the key was made for this ceremony."""
    return description.challenge == description.said.attestation.client_data_hash


def all_applications(description: KeyDescription) -> bool:
    """Step 5: the key is for us alone."""
    return not description.values(_ALL_APPLICATIONS)


def origin(description: KeyDescription) -> bool:
    """Step 5: where an origin is stated, the key was made inside. The W3C's own vector states none."""
    return description.values(_ORIGIN) <= {_KM_ORIGIN_GENERATED}


def purpose(description: KeyDescription) -> bool:
    """Step 5: likewise, it signs and does nothing else."""
    return description.values(_PURPOSE) <= {_KM_PURPOSE_SIGN}


def authorities(description: KeyDescription) -> bool:
    """No clause of section 8.4: a key that is described itself certifies nobody.

    Apps get keys with which they sign certificates (``ATTEST_KEY``), and could describe a key of their own software.
    """
    above = map(certificate.read, description.said.certificates[1:])
    return all(certificate.unknown_extension(each, _KEY_DESCRIPTION) is None for each in above)


RULES = (signature, credential_key, challenge, all_applications, origin, purpose, authorities)


def verify(attestation: Attestation) -> Attested:
    """Basic attestation; there is no other. The key stays if the hardware itself says that it made it.

    In the W3C's own vector it is software that says so: that is no reason to refuse the statement, nor to trust it.
    """
    description = _read(certified(attestation))
    require("android-key", RULES, description)
    made_inside = description.tee.get(_ORIGIN) == _KM_ORIGIN_GENERATED and description.levels <= _SECURE
    return Attested("basic", description.said.certificates, attestation.attested.aaguid, key_stays=made_inside)


def _read(said: Certified) -> KeyDescription:
    found = certificate.unknown_extension(said.leaf, _KEY_DESCRIPTION)
    if found is None:
        raise malformed("its certificate must describe the key")
    try:
        ((tag, content),) = der.elements(found[0])
        fields = [value for _, value in der.elements(content)]
        if tag != der.SEQUENCE or len(fields) != _FIELDS:
            raise ValueError("it must be a sequence of 8")
        software, tee = (_authorizations(fields[at]) for at in (_SOFTWARE, _TEE))
        levels = frozenset({fields[_ATTESTED_BY], fields[_KEPT_BY]})
        return KeyDescription(said, levels, fields[_CHALLENGE], software, tee)
    except ValueError as wrong:
        raise malformed(f"its certificate must describe the key: {wrong}") from None


def _authorizations(encoded: bytes) -> dict[int, bytes]:
    listed = der.elements(encoded)
    values = dict(listed)
    if len(values) != len(listed):
        raise ValueError("a list says one thing twice")
    return values
