"""The workers of one pool: who does which job, and what becomes of a worker afterwards.

1. A job goes to a worker that is free; until the pool is as large as it may be, one is started for it.
2. Otherwise it waits, with few others and not for long: then it is ``Busy``.
3. A worker does one job at a time. When it is lost, that job alone is lost, and another takes its place.
4. After ``JOBS_EACH`` jobs a worker is replaced: its successor is ready before it goes, so nobody waits.
5. Whoever asked may go away. A job that waits is dropped; one that is being done is done, and nobody hears of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Any, Final

import structlog
from pydantic import TypeAdapter

from idverify.errors import Busy, Unavailable
from idverify.ports import Tally
from idverify.sandbox.jobs import Job, Pool
from idverify.sandbox.link import Link, WorkerLost, start

JOBS_EACH: Final = 256
WAITING_MOST: Final = 32
WAITING_SECONDS: Final = 30.0  # as long as a worker may take to load what its jobs use
_AFTER_FAILURE: Final = 1.0  # seconds in which no worker is started again
log = structlog.get_logger()


class WorkerPool:
    """From the first job to ``stop``."""

    def __init__(self, table: str, pool: Pool, size: int, tally: Tally) -> None:
        self._table, self._pool, self._size, self._tally = table, pool, size, tally
        self._free: list[Link] = []
        self._alive: set[Link] = set()
        self._starting = 0
        self._wanted = 0  # as many as were ever needed at once
        self._waiting: deque[asyncio.Future[Link]] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._beginning: set[asyncio.Task[Any]] = set()  # those of them that start a worker
        self._not_before = 0.0  # loop time
        self._stopped = False

    @property
    def pids(self) -> list[int]:
        """The workers' process ids."""
        return [link.pid for link in self._alive]

    async def do(self, job: Job, shape: TypeAdapter[Any], frame: list[bytes]) -> Any:
        """What the job answers. Raises as ``Link.do`` does, and ``Busy`` and ``Unavailable``."""
        link = await self._take()
        return await asyncio.shield(self._task(self._with(link, job, shape, frame)))

    async def stop(self) -> None:
        """End every worker and wait until they are gone; whoever still waits hears ``Unavailable``."""
        self._stopped = True
        self._fail_waiting("The service is stopping.")
        for task in tuple(self._beginning):
            task.cancel()
        for link in tuple(self._alive):
            link.kill("the service is stopping")
        while self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.gather(*(link.gone() for link in self._alive))
        self._alive.clear()
        self._free.clear()

    # Taking and giving back ---------------------------------------------------------------------------

    async def _take(self) -> Link:
        if self._stopped:
            raise Unavailable("The service is stopping.")
        while self._free:
            if (link := self._free.pop()).alive:
                return link
            self._retire(link)
        if len(self._waiting) >= WAITING_MOST:
            raise Busy("Too many documents are waiting to be read or made. Come back in a moment.")
        future: asyncio.Future[Link] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._tally.jobs_waiting(self._pool, 1)
        self._start_what_is_wanted()
        try:
            async with asyncio.timeout(WAITING_SECONDS):
                return await self._turn(future)
        except TimeoutError:
            raise Busy("Documents wait too long here just now. Come back in a moment.") from None
        finally:
            self._tally.jobs_waiting(self._pool, -1)

    async def _turn(self, future: asyncio.Future[Link]) -> Link:
        try:
            return await future
        except BaseException:
            if future in self._waiting:
                self._waiting.remove(future)
            elif future.done() and not future.cancelled() and future.exception() is None:
                self._give(future.result())  # its turn came in the moment in which whoever waited went away
            raise

    async def _with(self, link: Link, job: Job, shape: TypeAdapter[Any], frame: list[bytes]) -> Any:
        try:
            return await link.do(job, shape, frame)
        finally:
            self._give(link)

    def _give(self, link: Link) -> None:
        """A worker has nothing to do."""
        if self._stopped or not link.alive or (link.jobs >= JOBS_EACH and len(self._fresh()) >= self._wanted):
            self._retire(link)
        else:
            self._serve(link)
        self._replace()

    def _serve(self, link: Link) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(link)
                return
        self._free.append(link)

    # Starting and ending ------------------------------------------------------------------------------

    def _fresh(self) -> list[Link]:
        return [link for link in self._alive if link.jobs < JOBS_EACH]

    def _start_what_is_wanted(self) -> None:
        """One for each who waits, up to the pool's size."""
        for _ in range(min(len(self._waiting), self._size - len(self._fresh())) - self._starting):
            self._start()
        self._wanted = max(self._wanted, len(self._fresh()) + self._starting)

    def _replace(self) -> None:
        """Successors of those that were lost, and of those that have done enough and serve until then."""
        for _ in range(self._wanted - len(self._fresh()) - self._starting):
            self._start()

    def _start(self) -> None:
        if self._stopped:
            return
        if asyncio.get_running_loop().time() < self._not_before:
            self._fail_waiting_unless_served()
            return
        self._starting += 1
        self._beginning.add(task := self._task(self._started()))
        task.add_done_callback(self._beginning.discard)

    async def _started(self) -> None:
        try:
            link = await start(self._table, self._pool)
        except (OSError, WorkerLost) as error:
            self._not_before = asyncio.get_running_loop().time() + _AFTER_FAILURE
            log.error("sandbox_worker_not_started", pool=self._pool.value, why=str(error))  # noqa: TRY400  no bug of ours
            self._starting -= 1
            self._fail_waiting_unless_served()
            return
        self._starting -= 1
        self._alive.add(link)
        self._tally.worker_started(self._pool)
        if not link.wholly:
            log.warning("sandbox_without_landlock", pool=self._pool.value)
        self._give(link)
        for spent in [other for other in self._free if other.jobs >= JOBS_EACH]:
            self._free.remove(spent)
            self._give(spent)

    def _retire(self, link: Link) -> None:
        """Out of the pool, and out of the process table."""
        if link in self._alive:
            self._alive.remove(link)
            self._tally.worker_ended(self._pool, lost=not link.alive)
        link.kill("replaced")
        self._task(link.gone())

    def _fail_waiting_unless_served(self) -> None:
        if not self._alive and not self._starting:
            self._fail_waiting("Documents can be neither read nor made here just now.")

    def _fail_waiting(self, sentence: str) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(Unavailable(sentence))

    def _task(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked has heard it, or has gone
