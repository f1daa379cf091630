"""A coroutine that goes from one call of a port to the next only when it is told to, and can be ended in between."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from enum import Enum
from typing import Any

from tests.simulators.ledger_memory import Crash


class Fate(Enum):
    """What becomes of the call that a coroutine stands before."""

    SUCCEEDS = "succeeds"
    FAILS = "fails, and nothing happened"
    FAILS_AFTER = "fails, and it happened"
    LAST = "is not made: the process dies before it"
    LAST_AFTER = "is made, and the process dies"

    @property
    def kills(self) -> bool:
        """Whether the process is gone afterwards."""
        return self in {Fate.LAST, Fate.LAST_AFTER}

    @property
    def takes_effect(self) -> bool:
        """Whether the call is made."""
        return self in {Fate.SUCCEEDS, Fate.FAILS_AFTER, Fate.LAST_AFTER}


class Stepped:
    """What one process does, call by call. `through` puts its ports behind the gates."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[asyncio.Future[Fate]] = deque()
        self._reached = asyncio.Event()
        self._task: asyncio.Task[Any] | None = None
        self._over = False

    def through(self, port: Any) -> Any:
        """The same port; each of its methods waits until it is told what becomes of the call."""
        return None if port is None else _Gated(port, self)

    @property
    def under_way(self) -> bool:
        """Whether it stands before a call."""
        return self._task is not None

    def begin(self, work: Coroutine[Any, Any, Any]) -> None:
        """Start something, up to its first call."""
        self._over = False
        self._reached.clear()
        self._task = self._loop.create_task(work)
        self._loop.run_until_complete(self._settle())

    def go_on(self, fate: Fate) -> None:
        """Make one call and go on to the next; without effect once there is none left to make.

        What a last call asks for in its turn, such as a proof for witnesses, is had as well.
        """
        if not self._waiting:
            return
        if fate is Fate.LAST:
            self.end()
            return
        self._answer(fate)
        if fate is Fate.LAST_AFTER:
            while self._waiting and not self._over:
                self._answer(Fate.SUCCEEDS)
            self.end()

    def _answer(self, fate: Fate) -> None:
        self._reached.clear()
        self._waiting.popleft().set_result(fate)
        self._loop.run_until_complete(self._settle())

    def finish(self) -> Any:
        """Make all the calls there are; what came of it is returned or raised."""
        while self._waiting:
            self.go_on(Fate.SUCCEEDS)
        return self.result()

    def result(self) -> Any:
        """What came of it, once it is done; None before."""
        if self._task is None or not self._task.done():
            return None
        task, self._task = self._task, None
        return task.result()

    def end(self) -> None:
        """The process dies where it stands."""
        task, self._task = self._task, None
        self._waiting.clear()
        if task is not None:
            task.cancel()
            self._loop.run_until_complete(asyncio.wait({task}))
            if not task.cancelled():
                task.exception()  # whatever it was, nobody is there to hear of it

    async def wait(self) -> Fate:
        """Called by the ports: what becomes of this call."""
        gate: asyncio.Future[Fate] = self._loop.create_future()
        self._waiting.append(gate)
        self._reached.set()
        return await gate

    async def die(self) -> None:
        """Called by the ports after the last call: it never comes back."""
        self._over = True
        self._reached.set()
        await self._loop.create_future()

    async def _settle(self) -> None:
        if self._task is None or self._waiting or self._over:
            return
        reached = self._loop.create_task(self._reached.wait())
        await asyncio.wait({self._task, reached}, return_when=asyncio.FIRST_COMPLETED)
        reached.cancel()


class _Gated:
    def __init__(self, port: Any, process: Stepped) -> None:
        self._port, self._process = port, process

    def __getattr__(self, name: str) -> Any:
        method: Callable[..., Awaitable[Any]] = getattr(self._port, name)
        if not asyncio.iscoroutinefunction(method):
            return method

        async def call(*arguments: Any) -> Any:
            fate = await self._process.wait()
            result = await method(*arguments) if fate.takes_effect else None
            if fate.kills:
                await self._process.die()
            if fate is not Fate.SUCCEEDS:
                raise Crash(name)
            return result

        return call
