"""``fido-u2f`` (WebAuthn L3 section 8.6): security keys that are older than FIDO2.

The signature covers neither the AAGUID nor the flags, so nothing may be concluded from them: a model is known by its
attestation key. No such key verifies its user, so none can be registered where that is asked for.
"""

from __future__ import annotations

import hashlib
from typing import Final

from cryptography import x509

from idverify.auth import strict_cbor
from idverify.auth.attestation import public_key
from idverify.auth.attestation.statement import (
    Attestation,
    Attested,
    Certified,
    certificates,
    malformed,
    members,
    require,
)
from idverify.auth.authenticator_data import Flag
from idverify.auth.cose_key import verifying_key

_ES256: Final = -7


def credential_key(said: Certified) -> bool:
    """Steps 4 and 5: U2F has no keys but of P-256."""
    return verifying_key(said.attestation.attested.cose_key).algorithm == _ES256


def flags(said: Certified) -> bool:
    """CTAP 2.2 section 7.2: that somebody touched a U2F key is all that is known; the signature covers no flag.

    So a registration that says more of its user, or of itself, has been changed on its way.
    """
    return said.attestation.authenticator_data[hashlib.sha256().digest_size] == Flag.UP | Flag.AT


def signature(said: Certified) -> bool:
    """Steps 2 and 6, with a key of P-256; the layout is that of U2F's raw messages, section 4.3."""
    attestation = said.attestation
    key = strict_cbor.decode(attestation.attested.cose_key)
    message = b"".join(
        (
            b"\x00",
            attestation.authenticator_data[: hashlib.sha256().digest_size],
            attestation.client_data_hash,
            attestation.attested.credential_id,
            b"\x04",
            key[-2],
            key[-3],
        )
    )
    return public_key.signed_by(said.leaf, said.algorithm, said.signature, message)


RULES = (flags, credential_key, signature)


def verify(attestation: Attestation) -> Attested:
    """Basic attestation; there is no other."""
    given = members(attestation, x5c=list, sig=bytes)
    if len(given["x5c"]) != 1:
        raise malformed("x5c must be one certificate")
    chain, leaf = certificates(given["x5c"])
    require("fido-u2f", RULES, Certified(attestation, given, _ES256, given["sig"], chain, leaf))
    # RFC 5280 section 4.2.1.2, way 1, which is attestationCertificateKeyIdentifier in FIDO's metadata
    model = x509.SubjectKeyIdentifier.from_public_key(leaf.public_key()).digest
    return Attested("basic", chain, model, key_stays=True)
