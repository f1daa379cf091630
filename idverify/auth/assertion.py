"""Verifying an assertion (WebAuthn L3 section 7.2), for a key that the database holds or for none.

What is known of the key is compared after its signature has been verified. So whoever cannot sign with a key learns
nothing about it, not even whether it is registered: ``check_nothing`` does the same work and gives the same answers.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from idverify.auth import ceremony, credential_json
from idverify.auth.authenticator_data import AuthenticatorData, Flag, read_authenticator_data
from idverify.auth.ceremony import Ceremony, Expectation
from idverify.auth.client_data import read_client_data
from idverify.auth.cose_key import verifying_key
from idverify.auth.credential_json import AssertionResponse
from idverify.errors import CeremonyMalformed, CeremonyRefused


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key as the database holds it; ``user_handle`` is that of its account."""

    credential_id: bytes
    cose_key: bytes
    sign_count: int
    backup_eligible: bool
    user_handle: bytes


@dataclass(frozen=True, slots=True)
class Asserted:
    """An assertion that holds: what to write to the key's row, and the evidence as it was received.

    ``counter_anomaly`` hints at a copy of the key (section 6.1.1): a signal for somebody to look at, not a proof.
    """

    sign_count: int
    backed_up: bool
    counter_anomaly: bool
    client_data: bytes
    authenticator_data: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Assertion:
    """An answer to request options, parsed and not believed, next to what it must fit."""

    expected: Expectation
    known: KnownKey
    received: AssertionResponse
    authenticator_data: AuthenticatorData


def signature(assertion: Assertion) -> None:
    """Step 21: the key signed both what it says itself and what the browser says, as received."""
    received = assertion.received
    signed = received.authenticator_data + hashlib.sha256(received.client_data).digest()
    if not verifying_key(assertion.known.cose_key).holds(received.signature, signed):
        raise CeremonyRefused("signature")


def credential_id(assertion: Assertion) -> None:
    """Step 5: the credential is the one that was looked up."""
    if not hmac.compare_digest(assertion.received.credential_id, assertion.known.credential_id):
        raise CeremonyRefused("credential-id")


def user_handle(assertion: Assertion) -> None:
    """Step 6: the key belongs to the account, by its own account; silent it may be only where we knew before."""
    said = assertion.received.user_handle
    if said is None and assertion.expected.account_known:
        return
    if said is None or not hmac.compare_digest(said, assertion.known.user_handle):
        raise CeremonyRefused("user-handle")


def backup_eligibility(assertion: Assertion) -> None:
    """Step 19: whether a key can be backed up is settled when it is made."""
    if assertion.authenticator_data.has(Flag.BE) != assertion.known.backup_eligible:
        raise CeremonyRefused("backup-eligibility")


RULES: tuple[Callable[[Assertion], None], ...] = (signature, credential_id, user_handle, backup_eligibility)


def check_assertion(expected: Expectation, known: KnownKey, response: Mapping[str, Any]) -> Asserted:
    """What ``response`` (the decoded JSON of ``PublicKeyCredential.toJSON()``) asserts with a known key.

    Raises ``CeremonyMalformed``, ``CeremonyRefused`` or ``UserVerificationNeeded``; and ``KeyNotAllowed`` for a key
    of an algorithm that was taken out of our table since.
    """
    received = credential_json.read_assertion(response)
    client_data = read_client_data(received.client_data)
    said = read_authenticator_data(received.authenticator_data)
    if said.attested is not None:  # section 6.1: assertions carry no attested credential data
        raise CeremonyMalformed("attested", "Authenticator data of an assertion must hold no new credential.")
    ceremony.check(Ceremony(ceremony.GET, expected, client_data, said))
    assertion = Assertion(expected, known, received, said)
    for rule in RULES:
        rule(assertion)
    return Asserted(
        sign_count=said.sign_count,
        backed_up=said.has(Flag.BS),
        counter_anomaly=_counter_anomaly(said.sign_count, known.sign_count),
        client_data=received.client_data,
        authenticator_data=received.authenticator_data,
        signature=received.signature,
    )


def check_nothing(expected: Expectation, response: Mapping[str, Any]) -> NoReturn:
    """Refuse an assertion of a credential that nobody registered, with the work and the answers of one that is.

    Raises what ``check_assertion`` does; ``CeremonyRefused`` (``unknown-credential``) where all else would hold.
    """
    try:
        check_assertion(expected, _DECOY, response)
    except CeremonyRefused as refused:
        if refused.rule != "signature":
            raise
    raise CeremonyRefused("unknown-credential")


def _counter_anomaly(said: int, known: int) -> bool:
    """Step 22: a counter that is used rises; one that is not stays 0."""
    return (said, known) != (0, 0) and said <= known


# A point of P-256 found by hashing, so that nobody has its private key: its x, and the smaller of its two y.
_DECOY_X: Final = hashlib.sha256(b"idverify/decoy-key").digest()
_DECOY_Y: Final = bytes.fromhex("34e996d5399e2cae9c61634fcd62f7684c5c9c8e811db45e6b6bc427e952194a")
_DECOY: Final = KnownKey(
    credential_id=b"",
    cose_key=bytes.fromhex("a5010203262001215820") + _DECOY_X + bytes.fromhex("225820") + _DECOY_Y,
    sign_count=0,
    backup_eligible=False,
    user_handle=b"",
)
