"""What both ceremonies must fulfil, clause by clause (WebAuthn L3 sections 7.1 and 7.2)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from idverify.auth.authenticator_data import AuthenticatorData, Flag
from idverify.auth.client_data import ClientData
from idverify.errors import CeremonyRefused, OriginNotAllowed, UserVerificationNeeded

CREATE: Final = "webauthn.create"
GET: Final = "webauthn.get"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the relying party asked for.

    ``origins`` are compared as whole strings: scheme, host and port. ``account_known`` says that the account was
    known before the ceremony; without it the key has to say whose it is, by its user handle.
    """

    rp_id: str
    origins: frozenset[str]
    challenge: bytes
    user_verification: bool = True
    account_known: bool = False


@dataclass(frozen=True, slots=True)
class Ceremony:
    """An answer, parsed and not believed, next to what it must fit. ``type`` is ``CREATE`` or ``GET``."""

    type: str
    expected: Expectation
    client_data: ClientData
    authenticator_data: AuthenticatorData


def ceremony_type(ceremony: Ceremony) -> None:
    """7.1 step 7, 7.2 step 10: an assertion is no registration, nor the other way round."""
    if ceremony.client_data.type != ceremony.type:
        raise CeremonyRefused("ceremony-type")


def challenge(ceremony: Ceremony) -> None:
    """7.1 step 8, 7.2 step 11: an answer to this very question."""
    if not hmac.compare_digest(ceremony.client_data.challenge, ceremony.expected.challenge):
        raise CeremonyRefused("challenge")


def origin(ceremony: Ceremony) -> None:
    """7.1 step 9, 7.2 step 12: given to one of our own pages."""
    if ceremony.client_data.origin not in ceremony.expected.origins:
        raise OriginNotAllowed("origin")


def cross_origin(ceremony: Ceremony) -> None:
    """7.1 step 10, 7.2 step 13: nobody frames our pages."""
    if ceremony.client_data.cross_origin:
        raise OriginNotAllowed("cross-origin")


def top_origin(ceremony: Ceremony) -> None:
    """7.1 step 11, 7.2 step 14: likewise."""
    if ceremony.client_data.top_origin is not None:
        raise OriginNotAllowed("top-origin")


def rp_id(ceremony: Ceremony) -> None:
    """7.1 step 14, 7.2 step 15: the authenticator spoke to us, whatever the browser says."""
    expected = hashlib.sha256(ceremony.expected.rp_id.encode()).digest()
    if ceremony.authenticator_data.rp_id_hash != expected:
        raise CeremonyRefused("rp-id")


def user_present(ceremony: Ceremony) -> None:
    """7.1 step 15, 7.2 step 16: somebody touched the key."""
    if not ceremony.authenticator_data.has(Flag.UP):
        raise CeremonyRefused("user-present")


def user_verified(ceremony: Ceremony) -> None:
    """7.1 step 16, 7.2 step 17: somebody who knows its PIN, or has its owner's finger."""
    if ceremony.expected.user_verification and not ceremony.authenticator_data.has(Flag.UV):
        raise UserVerificationNeeded


def backup_state(ceremony: Ceremony) -> None:
    """7.1 step 17, 7.2 step 18: what cannot be backed up is not backed up."""
    if ceremony.authenticator_data.has(Flag.BS) and not ceremony.authenticator_data.has(Flag.BE):
        raise CeremonyRefused("backup-state")


RULES: tuple[Callable[[Ceremony], None], ...] = (
    ceremony_type,
    challenge,
    origin,
    cross_origin,
    top_origin,
    rp_id,
    user_present,
    user_verified,
    backup_state,
)


def check(ceremony: Ceremony) -> None:
    """Raises ``CeremonyRefused`` with the first rule that is broken, or ``UserVerificationNeeded``."""
    for rule in RULES:
        rule(ceremony)
