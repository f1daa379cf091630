"""Registering a new credential (WebAuthn L3 section 7.1): from what the browser sent to a key that may be kept.

Attestation statements are recorded by the name of their format and not evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from idverify.auth import ceremony, credential_json, strict_cbor
from idverify.auth.authenticator_data import AttestedCredentialData, AuthenticatorData, Flag, read_authenticator_data
from idverify.auth.ceremony import Ceremony, Expectation
from idverify.auth.client_data import ClientData, read_client_data
from idverify.auth.cose_key import verifying_key
from idverify.errors import CeremonyMalformed, CeremonyRefused

_MAX_FORMAT: Final = 32  # section 8.1: attestation statement format identifiers


@dataclass(frozen=True, slots=True)
class Registration:
    """An answer to creation options, parsed and not believed."""

    credential_id: bytes
    client_data: ClientData
    authenticator_data: AuthenticatorData
    attested: AttestedCredentialData
    format: str
    statement: Mapping[Any, Any] | list[Any]
    transports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RegisteredKey:
    """What the database keeps of a new key. ``algorithm`` is a COSE identifier; ``aaguid`` (16 bytes) is unproven."""

    credential_id: bytes
    cose_key: bytes
    algorithm: int
    sign_count: int
    backup_eligible: bool
    backed_up: bool
    aaguid: bytes
    transports: tuple[str, ...]
    attestation_format: str


def attested_id(registration: Registration) -> None:
    """Steps 25 to 27 speak of one id: the browser names the one that the authenticator made."""
    if registration.attested.credential_id != registration.credential_id:
        raise CeremonyRefused("attested-id")


def none_statement(registration: Registration) -> None:
    """Section 8.7: no attestation is an empty statement."""
    if registration.format == "none" and registration.statement != {}:
        raise CeremonyMalformed("none-statement", "attStmt must be empty where fmt is none.")


RULES: tuple[Callable[[Registration], None], ...] = (attested_id, none_statement)


def check_registration(expected: Expectation, response: Mapping[str, Any]) -> RegisteredKey:
    """The key that ``response`` (the decoded JSON of ``PublicKeyCredential.toJSON()``) registers.

    Raises ``CeremonyMalformed``, ``CeremonyRefused``, ``UserVerificationNeeded`` or ``KeyNotAllowed``. That nobody else
    has registered the credential id (step 26) is for the database to say.
    """
    answer = parse_registration(response)
    ceremony.check(Ceremony(ceremony.CREATE, expected, answer.client_data, answer.authenticator_data))
    for rule in RULES:
        rule(answer)
    key = verifying_key(answer.attested.cose_key)
    return RegisteredKey(
        credential_id=answer.credential_id,
        cose_key=answer.attested.cose_key,
        algorithm=key.algorithm,
        sign_count=answer.authenticator_data.sign_count,
        backup_eligible=answer.authenticator_data.has(Flag.BE),
        backed_up=answer.authenticator_data.has(Flag.BS),
        aaguid=answer.attested.aaguid,
        transports=answer.transports,
        attestation_format=answer.format,
    )


def parse_registration(response: Mapping[str, Any]) -> Registration:
    """Take an answer apart, to its last byte. Raises ``CeremonyMalformed``."""
    received = credential_json.read_registration(response)
    client_data = read_client_data(received.client_data)
    format_, statement, encoded = _attestation_object(received.attestation_object)
    authenticator_data = read_authenticator_data(encoded)
    if authenticator_data.attested is None:
        raise CeremonyMalformed("attested", "Authenticator data of a registration must hold the new credential.")
    return Registration(
        credential_id=received.credential_id,
        client_data=client_data,
        authenticator_data=authenticator_data,
        attested=authenticator_data.attested,
        format=format_,
        statement=statement,
        transports=received.transports,
    )


def _attestation_object(encoded: bytes) -> tuple[str, Mapping[Any, Any] | list[Any], bytes]:
    """Section 6.5.4: ``fmt``, ``attStmt`` and ``authData``, no more."""
    try:
        value = strict_cbor.decode(encoded)
    except ValueError as wrong:
        raise CeremonyMalformed("attestation-object", f"attestationObject must be canonical CBOR: {wrong}.") from None
    match value:
        case {"fmt": str(format_), "attStmt": dict() | list() as statement, "authData": bytes(data)} if len(value) == 3:
            if format_.isascii() and 0 < len(format_) <= _MAX_FORMAT:
                return format_, statement, data
    raise CeremonyMalformed("attestation-object", "attestationObject must be a map of fmt, attStmt and authData.")
