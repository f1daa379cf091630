"""What a model's status in FIDO's metadata (Metadata Service 3.1, section 3.1.4) means here: a table, and its reading.

All reports that are in effect count, not the latest alone: a certification does not undo a compromise. Reports name
firmware versions, and an attestation does not, so that a model that was mended stays refused until somebody decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final


class Effect(Enum):
    """What a report does while it is in effect."""

    CERTIFIES = "certifies"
    REFUSES = "refuses"
    REFUSES_NEW = "refuses new keys"  # those that are registered stay
    NOTHING = "nothing"


CERTIFICATIONS: Final = (  # in rising order; FIDO_CERTIFIED is the old scheme, of function alone
    "FIDO_CERTIFIED",
    "FIDO_CERTIFIED_L1",
    "FIDO_CERTIFIED_L1plus",
    "FIDO_CERTIFIED_L2",
    "FIDO_CERTIFIED_L2plus",
    "FIDO_CERTIFIED_L3",
    "FIDO_CERTIFIED_L3plus",
)
FIPS: Final = frozenset({f"FIPS140_CERTIFIED_L{level}" for level in (2, 3, 4)})  # SP 800-63B-4 section 2.3: at least 2

STATUSES: Final[Mapping[str, Effect]] = MappingProxyType(
    {
        **dict.fromkeys(CERTIFICATIONS, Effect.CERTIFIES),
        **dict.fromkeys(FIPS, Effect.CERTIFIES),
        "FIPS140_CERTIFIED_L1": Effect.NOTHING,
        "NOT_FIDO_CERTIFIED": Effect.NOTHING,
        "SELF_ASSERTION_SUBMITTED": Effect.NOTHING,
        "UPDATE_AVAILABLE": Effect.NOTHING,  # what it mends has a report of its own
        "REVOKED": Effect.REFUSES,
        "USER_VERIFICATION_BYPASS": Effect.REFUSES,
        "USER_KEY_REMOTE_COMPROMISE": Effect.REFUSES,
        "USER_KEY_PHYSICAL_COMPROMISE": Effect.REFUSES,
        # also if the report names one batch: a maker that lost one attestation key has others in the same place
        "ATTESTATION_KEY_COMPROMISE": Effect.REFUSES,
        "RETIRED": Effect.REFUSES_NEW,
    }
)
# A status of the future may be the worst there is, but nobody who works with such a key is locked out overnight.
UNKNOWN: Final = Effect.REFUSES_NEW


@dataclass(frozen=True, slots=True)
class StatusReport:
    """One report. It is in effect from ``effective_from`` on and before ``until`` (Unix seconds; ``None``: open)."""

    status: str
    effective_from: int | None = None
    until: int | None = None


def in_effect(reports: Iterable[StatusReport], at: int) -> frozenset[str]:
    """The statuses that hold ``at`` Unix seconds. Only a certification ends by itself."""
    return frozenset(report.status for report in reports if _holds(report, at))


def having(statuses: Iterable[str], effect: Effect) -> frozenset[str]:
    """Those of ``statuses`` that have ``effect``."""
    return frozenset(status for status in statuses if STATUSES.get(status, UNKNOWN) is effect)


def certification(statuses: frozenset[str]) -> str | None:
    """The highest certification among ``statuses``."""
    return next((level for level in reversed(CERTIFICATIONS) if level in statuses), None)


def reaches(statuses: frozenset[str], minimum: str) -> bool:
    """Whether one of ``statuses`` is ``minimum`` (one of ``CERTIFICATIONS``) or higher."""
    return not statuses.isdisjoint(CERTIFICATIONS[CERTIFICATIONS.index(minimum) :])


def _holds(report: StatusReport, at: int) -> bool:
    if report.effective_from is not None and at < report.effective_from:
        return False
    ended = report.until is not None and at >= report.until
    return not (ended and STATUSES.get(report.status) is Effect.CERTIFIES)
