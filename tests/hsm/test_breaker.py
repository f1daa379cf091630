"""When a token that failed is tried again."""

import asyncio
from types import SimpleNamespace

import pytest

from hsm.breaker import FIRST, LAST, Breaker
from hsm.health import BreakerState


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A loop's clock that stands until it is set; sleeping sets it."""
    here = SimpleNamespace(now=1000.0)
    here.time = lambda: here.now

    async def sleep(seconds: float) -> None:
        here.now += max(0.0, seconds)

    monkeypatch.setattr(asyncio, "get_running_loop", lambda: here)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    return here


async def test_failures_open_it_for_longer_and_longer(clock: SimpleNamespace) -> None:
    """Each pause is half to the whole of twice the last one, up to the longest."""
    breaker = Breaker()
    assert breaker.state is BreakerState.CLOSED
    for failures in range(1, 16):
        breaker.failed()
        assert breaker.state is BreakerState.OPEN
        begin = clock.now
        await breaker.half_open()
        whole = min(LAST, FIRST * 2 ** (failures - 1))
        assert whole / 2 - 1e-9 <= clock.now - begin <= whole + 1e-9
        assert breaker.state is BreakerState.HALF_OPEN
        assert breaker.failures == failures


async def test_a_proof_closes_it(clock: SimpleNamespace) -> None:
    """The next failure is the first again, and nobody waits in between."""
    breaker = Breaker()
    for _ in range(8):
        breaker.failed()
    breaker.held()
    begin = clock.now
    await breaker.half_open()
    assert (breaker.state, clock.now) == (BreakerState.CLOSED, begin)
    breaker.failed()
    await breaker.half_open()
    assert clock.now - begin <= FIRST
