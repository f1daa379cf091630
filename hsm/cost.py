"""What one call costs in CPU time: how both sides of a benchmark are put in figures."""

import time
from collections.abc import Callable

_WARM_UP = 50  # calls before the clock starts


def wall_of(call: Callable[[], object], seconds: float) -> float:
    """Seconds that one call takes, averaged over `seconds` of calling."""
    for _ in range(_WARM_UP):
        call()
    calls = 0
    begin = time.monotonic()
    while (now := time.monotonic()) < begin + seconds:
        call()
        calls += 1
    return (now - begin) / max(calls, 1)


def cpu_of(call: Callable[[], object], seconds: float) -> float:
    """CPU seconds of one call, kernel time included, averaged over `seconds` of calling."""
    for _ in range(_WARM_UP):
        call()
    calls = 0
    end = time.monotonic() + seconds
    begin = time.process_time()
    while time.monotonic() < end:
        call()
        calls += 1
    return (time.process_time() - begin) / max(calls, 1)
