"""The attestation object (WebAuthn L3 section 6.5.4): a format, its statement, and the authenticator data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from idverify.auth import strict_cbor
from idverify.auth.attestation.statement import Attestation
from idverify.auth.authenticator_data import AuthenticatorData, read_authenticator_data
from idverify.errors import CeremonyMalformed

_MAX_FORMAT: Final = 32  # section 8.1: attestation statement format identifiers
_NO_CREDENTIAL: Final = "Authenticator data of a registration must hold the new credential."


@dataclass(frozen=True, slots=True)
class AttestationObject:
    """An attestation object, parsed and not believed."""

    authenticator_data: AuthenticatorData
    attestation: Attestation


def read_attestation_object(encoded: bytes, client_data_hash: bytes) -> AttestationObject:
    """Take it apart, to its last byte.

    Raises ``CeremonyMalformed`` (``attestation-object``, ``authenticator-data``, ``attested``).
    """
    try:
        value = strict_cbor.decode(encoded)
    except ValueError as wrong:
        raise CeremonyMalformed("attestation-object", f"attestationObject must be canonical CBOR: {wrong}.") from None
    match value:
        case {"fmt": str(format_), "attStmt": dict() | list() as statement, "authData": bytes(data)} if len(value) == 3:
            if format_.isascii() and 0 < len(format_) <= _MAX_FORMAT:
                said = read_authenticator_data(data)
                if said.attested is None:
                    raise CeremonyMalformed("attested", _NO_CREDENTIAL)
                return AttestationObject(said, Attestation(format_, statement, data, said.attested, client_data_hash))
    raise CeremonyMalformed("attestation-object", "attestationObject must be a map of fmt, attStmt and authData.")
