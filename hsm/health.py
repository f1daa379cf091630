"""How a token is doing, in figures an operator can act on."""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum

_RECENT = 2048  # latencies kept: a few tenths of a second at full load, hours when idle


class HsmState(StrEnum):
    """What the next request can expect."""

    CLOSED = "closed"
    READY = "ready"  # every worker serves
    DEGRADED = "degraded"  # some workers serve, the others are being restarted
    RESTARTING = "restarting"  # none serves; requests wait for the restart under way
    DOWN = "down"  # none serves and the last start failed; requests are refused until one succeeds
    REFUSED = "refused"  # the token refused the PIN: an operator must act


@dataclass(frozen=True, slots=True)
class HsmHealth:
    """A snapshot. Latencies are seconds from admission to answer over recent requests, None before the first."""

    state: HsmState
    workers: tuple[int, ...]  # process ids of those that serve
    pending: int
    restarts: int
    p50: float | None
    p99: float | None
    last_error: str | None
    sessions: int  # of each worker; one where more were asked for says that the module cannot be shared by threads
    pin_count_low: bool  # CKF_USER_PIN_COUNT_LOW: somebody tried a wrong PIN since the last good login


class Latencies:
    """The most recent latencies, cheap to add to on every answer."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self.add = self._recent.append

    def percentile(self, share: float) -> float | None:
        """The latency that `share` of the recent requests did not exceed."""
        ordered = sorted(self._recent)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
