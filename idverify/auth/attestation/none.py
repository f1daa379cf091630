"""``none`` (WebAuthn L3 section 8.7): nothing is said of the key."""

from __future__ import annotations

from idverify.auth.attestation.statement import Attestation, Attested
from idverify.errors import CeremonyMalformed


def verify(attestation: Attestation) -> Attested:
    """Nothing, said in the one way to say it. Raises ``CeremonyMalformed`` (``none-statement``)."""
    if attestation.statement != {}:
        raise CeremonyMalformed("none-statement", "attStmt must be empty where fmt is none.")
    return Attested("none")
