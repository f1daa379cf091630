"""Which security keys, and how long a session, each role gets: data, not code.

A key's row stores the ``version`` of the policy that it was registered under. Limits follow NIST SP 800-63B-4: AAL3 for
officers and admins (section 2.3), AAL2 for everybody else (section 2.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

from idverify.auth.registration import RegisteredKey
from idverify.core.policy import Role
from idverify.errors import KeyNotAllowed

HOUR: Final = 60 * 60
MINUTE: Final = 60


class Clone(StrEnum):
    """What a counter that did not rise leads to: it hints at a copy of the key, and proves none."""

    ACCEPT = "accept"  # some keys never count: it is logged
    AGAIN = "again"  # this answer is refused, and the next one may hold
    SUSPEND_KEY = "suspend-key"
    SUSPEND_KEY_END_SESSIONS = "suspend-key-end-sessions"  # those that other keys of the account opened, too


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """``attestation``, ``resident_key`` and ``hints`` are what creation options ask for (WebAuthn L3 section 5.4).

    ``synced`` says whether keys that leave their device are taken, ``attested`` whether a key must prove its make by
    the list of authenticators. An account may have ``most_keys``, and does nothing before it has had ``least_keys``.
    ``clone`` is what happens to a key whose counter did not rise (section 6.1.1).
    """

    version: int
    attestation: Literal["none", "indirect", "direct"]
    resident_key: Literal["required", "preferred"]  # a key that knows no account signs in by the account's number
    hints: tuple[Literal["security-key", "client-device", "hybrid"], ...]
    synced: bool
    attested: bool
    least_keys: int
    most_keys: int
    clone: Clone


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """Seconds without use and in all after which a session is over; ``same_site`` is the cookie's attribute."""

    idle: int
    absolute: int
    same_site: Literal["Lax", "Strict"]


_PUBLIC: Final = KeyPolicy(
    3, "none", "preferred", (), synced=True, attested=False, least_keys=1, most_keys=10, clone=Clone.ACCEPT
)
_OFFICER: Final = KeyPolicy(
    2,
    "direct",
    "required",
    ("security-key",),
    synced=False,
    attested=True,
    least_keys=2,
    most_keys=10,
    clone=Clone.SUSPEND_KEY,
)
_ADMIN: Final = replace(_OFFICER, clone=Clone.SUSPEND_KEY_END_SESSIONS)
_PARTNER: Final = KeyPolicy(
    2, "indirect", "required", (), synced=True, attested=False, least_keys=2, most_keys=10, clone=Clone.AGAIN
)

KeyPolicies = Mapping[Role, KeyPolicy]

KEY_POLICIES: Final[KeyPolicies] = MappingProxyType(
    {
        Role.CITIZEN: _PUBLIC,
        Role.OFFICER: _OFFICER,
        Role.ADMIN: _ADMIN,
        Role.RELYING_PARTY: _PARTNER,
    }
)

# Whoever tries the demo has one key, of whatever make. Nothing that a demo signs is real.
DEMO_KEY_POLICIES: Final[KeyPolicies] = MappingProxyType(
    {role: replace(policy, attested=False, least_keys=1) for role, policy in KEY_POLICIES.items()}
)

_AAL2: Final = SessionLimits(idle=60 * MINUTE, absolute=24 * HOUR, same_site="Lax")
_AAL3: Final = SessionLimits(idle=15 * MINUTE, absolute=12 * HOUR, same_site="Strict")

SESSION_LIMITS: Final[Mapping[Role, SessionLimits]] = MappingProxyType(
    {
        Role.CITIZEN: _AAL2,
        Role.OFFICER: _AAL3,
        Role.ADMIN: _AAL3,
        Role.RELYING_PARTY: _AAL2,
    }
)

# On a computer that others use after us: whoever walks away without signing out leaves little time.
SHARED_LIMITS: Final[Mapping[Role, SessionLimits]] = MappingProxyType(
    {
        role: replace(limits, idle=min(limits.idle, 10 * MINUTE), absolute=min(limits.absolute, 60 * MINUTE))
        for role, limits in SESSION_LIMITS.items()
    }
)


def session_limits(role: Role, *, shared_computer: bool) -> SessionLimits:
    """How long a session of a role may last, where it was opened."""
    return (SHARED_LIMITS if shared_computer else SESSION_LIMITS)[role]


def require_taken(policy: KeyPolicy, key: RegisteredKey) -> None:
    """Raises ``KeyNotAllowed`` (``synced``) for a key that the policy does not take."""
    if key.backup_eligible and not policy.synced:
        raise KeyNotAllowed(
            "synced", "A passkey that is copied to other devices cannot be used here. Use a security key of your own."
        )
