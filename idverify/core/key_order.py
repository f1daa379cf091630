"""Replacing a signing key that has a certificate: why two admins order it, and what becomes of the old key."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from idverify.core.action import Action

ACT: Final = "replace-signing-key"


class Replacement(StrEnum):
    """Why a signing key is replaced."""

    EXPIRES = "expires"  # its certificate ends before long
    PRECAUTION = "precaution"
    COMPROMISED = "compromised"  # somebody else may sign with it


ACTIVE: Final = "active"
RETIRING: Final = "retiring"
REVOKED: Final = "revoked"

# The state of the old key afterwards: what it signed still holds, or holds no longer.
STATES: Final[Mapping[Replacement, str]] = {
    Replacement.EXPIRES: RETIRING,
    Replacement.PRECAUTION: RETIRING,
    Replacement.COMPROMISED: REVOKED,
}


def action(old_key_id: bytes, role: str, reason: str) -> Action:
    """What both admins confirm: which key goes, what it signs, and why."""
    return Action(ACT, old_key_id.hex(), {"role": role, "reason": reason})
