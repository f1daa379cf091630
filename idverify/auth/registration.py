"""Registering a new credential (WebAuthn L3 section 7.1): from what the browser sent to a key that may be kept.

An attestation statement is looked at whatever was asked for: one that does not hold is refused, one of a format that we
do not know is worth as much as none. Whether one is needed, and whose, is the role's policy and not for this module.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from idverify.auth import attestation, ceremony, credential_json
from idverify.auth.attestation.object import AttestationObject, read_attestation_object
from idverify.auth.attestation.statement import AttestationType
from idverify.auth.authenticator_data import Flag
from idverify.auth.ceremony import Ceremony, Expectation
from idverify.auth.client_data import ClientData, read_client_data
from idverify.auth.cose_key import verifying_key
from idverify.errors import CeremonyRefused


@dataclass(frozen=True, slots=True)
class Registration:
    """An answer to creation options, parsed and not believed."""

    credential_id: bytes
    client_data: ClientData
    client_data_hash: bytes
    attestation_object: bytes
    parsed: AttestationObject
    transports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RegisteredKey:
    """What the database keeps of a new key. ``algorithm`` is a COSE identifier; ``aaguid`` (16 bytes) is unproven.

    ``attestation_type`` and ``certificates`` (DER, leaf first) come of a statement that holds, and that nobody trusts
    before ``authenticator_trust.judge`` does; it needs ``attestation_object`` and ``client_data_hash`` for that.
    """

    credential_id: bytes
    cose_key: bytes
    algorithm: int
    sign_count: int
    backup_eligible: bool
    backed_up: bool
    aaguid: bytes
    transports: tuple[str, ...]
    attestation_format: str
    attestation_type: AttestationType
    certificates: tuple[bytes, ...]
    attestation_object: bytes
    client_data_hash: bytes


def attested_id(registration: Registration) -> None:
    """Steps 25 to 27 speak of one id: the browser names the one that the authenticator made."""
    if registration.parsed.attestation.attested.credential_id != registration.credential_id:
        raise CeremonyRefused("attested-id")


RULES: tuple[Callable[[Registration], None], ...] = (attested_id,)


def check_registration(expected: Expectation, response: Mapping[str, Any]) -> RegisteredKey:
    """The key that ``response`` (the decoded JSON of ``PublicKeyCredential.toJSON()``) registers.

    Raises ``CeremonyMalformed``, ``CeremonyRefused``, ``UserVerificationNeeded`` or ``KeyNotAllowed``. That nobody else
    has registered the credential id (step 26) is for the database to say, and whether the attestation (steps 22 to 24)
    is one that the role trusts is for ``authenticator_trust.judge``.
    """
    answer = parse_registration(response)
    said, made = answer.parsed.authenticator_data, answer.parsed.attestation.attested
    ceremony.check(Ceremony(ceremony.CREATE, expected, answer.client_data, said))
    for rule in RULES:
        rule(answer)
    key = verifying_key(made.cose_key)
    attested = attestation.verify(answer.parsed.attestation)
    return RegisteredKey(
        credential_id=answer.credential_id,
        cose_key=made.cose_key,
        algorithm=key.algorithm,
        sign_count=said.sign_count,
        backup_eligible=said.has(Flag.BE),
        backed_up=said.has(Flag.BS),
        aaguid=made.aaguid,
        transports=answer.transports,
        attestation_format=answer.parsed.attestation.format,
        attestation_type=attested.type,
        certificates=attested.certificates,
        attestation_object=answer.attestation_object,
        client_data_hash=answer.client_data_hash,
    )


def parse_registration(response: Mapping[str, Any]) -> Registration:
    """Take an answer apart, to its last byte. Raises ``CeremonyMalformed``."""
    received = credential_json.read_registration(response)
    client_data = read_client_data(received.client_data)
    client_data_hash = hashlib.sha256(received.client_data).digest()
    return Registration(
        credential_id=received.credential_id,
        client_data=client_data,
        client_data_hash=client_data_hash,
        attestation_object=received.attestation_object,
        parsed=read_attestation_object(received.attestation_object, client_data_hash),
        transports=received.transports,
    )
