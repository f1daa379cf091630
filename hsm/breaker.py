"""When a token that failed is tried again, and what proves that it works.

One breaker per token, however many workers it has: a token that is down is tried by one of them at a time, and less
and less often. Half-open, it gets a real signature with the probe key and no request of anybody's. All times are of
the loop's monotonic clock: a wall clock that jumps changes nothing.
"""

import asyncio
import os
import random

from hsm.frames import Op
from hsm.health import BreakerState
from hsm.link import Link
from hsm.verify import verify_signature

FIRST, LAST = 0.1, 30.0
"""Seconds between attempts while the token is down: the first pause, doubled up to the last."""


class Breaker:
    """Closed while the token works; each failure in turn opens it for twice as long."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._opens_until = 0.0
        self.failures = 0

    @property
    def state(self) -> BreakerState:
        """Closed without failures; else open until its time has come, and half-open from then on."""
        if not self.failures:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self._loop.time() < self._opens_until else BreakerState.HALF_OPEN

    def failed(self) -> None:
        """The token could not be opened or proven, or the worker that opened it ended before its first answer."""
        self.failures += 1
        pause = min(LAST, FIRST * 2 ** (self.failures - 1))
        self._opens_until = self._loop.time() + pause * jitter()

    def held(self) -> None:
        """The token has been proven."""
        self.failures = 0

    async def half_open(self) -> None:
        """Wait for the time of the next attempt."""
        if self.failures:
            await asyncio.sleep(self._opens_until - self._loop.time())


async def prove(link: Link, key: bytes, limit: float) -> None:
    """A real signature with the probe key, verified here as well; raises what came instead within `limit` seconds."""
    message = os.urandom(32)
    spki = await link.ask(Op.PUBLIC_KEY, b"", limit, key)
    verify_signature(spki, message, await link.ask(Op.SIGN, message, limit, key))


def jitter() -> float:
    """A factor that spreads attempts of several programs."""
    return random.uniform(0.5, 1.0)  # noqa: S311 spreads restarts; nothing secret depends on it
