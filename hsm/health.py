"""How a token is doing, in figures an operator can act on."""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from hsm.errors import HsmError, HsmPinRefused
from hsm.rules import CertificateAlarm

_RECENT = 2048  # latencies kept: a few tenths of a second at full load, hours when idle


class HsmState(StrEnum):
    """What the next request can expect."""

    CLOSED = "closed"
    READY = "ready"  # every worker serves
    DEGRADED = "degraded"  # some workers serve, the others are being restarted or were refused
    RESTARTING = "restarting"  # none serves; requests wait for the restart under way
    DOWN = "down"  # none serves and the last start failed; requests are refused until one succeeds
    REFUSED = "refused"  # none serves, as the token refused the PIN: an operator must act


class BreakerState(StrEnum):
    """Whether a token that failed is tried again."""

    CLOSED = "closed"  # nothing has failed since the last proof that it works
    OPEN = "open"  # it failed; the next attempt waits for its time
    HALF_OPEN = "half-open"  # one worker tries it: its probe decides


@dataclass(frozen=True, slots=True)
class HsmHealth:
    """A snapshot. Latencies are seconds from admission to answer over recent requests, None before the first.

    `reason` is the sentence that callers get while the token is down or that an operator needs to act on, with the
    cure. `refused` says that a PIN was refused even where other workers serve on. `probe_key` is the id of the key
    that proves the token; `since_probe` are seconds since it last did.
    """

    state: HsmState
    workers: tuple[int, ...]  # process ids of those that serve
    pending: int
    restarts: int
    p50: float | None
    p99: float | None
    last_error: str | None
    sessions: int  # of each worker; one where more were asked for says that the module cannot be shared by threads
    pin_count_low: bool  # CKF_USER_PIN_COUNT_LOW: somebody tried a wrong PIN since the last good login
    reason: str | None = None
    refused: bool = False
    breaker: BreakerState = BreakerState.CLOSED
    probe_key: bytes | None = None
    since_probe: float | None = None
    certificates: tuple[CertificateAlarm, ...] = ()  # of keys in use, that end within 30, 7 or 1 days or have ended

    @classmethod
    def of_none(cls, state: HsmState, sessions: int, error: HsmError | None) -> Self:
        """Of a token that is not open, with why where somebody tried."""
        return cls(
            state,
            (),
            0,
            0,
            None,
            None,
            last_error=None if error is None else type(error).__name__,
            sessions=sessions,
            pin_count_low=False,
            reason=None if error is None else str(error),
            refused=isinstance(error, HsmPinRefused),
        )


class Latencies:
    """The most recent latencies, cheap to add to on every answer."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self.add = self._recent.append

    def percentile(self, share: float) -> float | None:
        """The latency that `share` of the recent requests did not exceed."""
        ordered = sorted(self._recent)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
