"""One worker seen from the event loop: its process, its socket, and the one job that it does now."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import time
from typing import Final

from idverify.sandbox.frames import LENGTH, BrokenFrame, Outcome, decode_answer
from idverify.sandbox.jobs import Job, Pool
from idverify.sandbox.process import spawn

_START_SECONDS: Final = 30.0  # to load what the jobs use, on a machine that is busy
_READY_BYTES: Final = 16
_CPUCLOCK_SCHED: Final = 2  # clock_getcpuclockid(3) as the kernel spells it: ~pid << 3 | 2


class WorkerLost(Exception):
    """The worker ended, or was killed, before its answer; ``args[0]`` says why."""


class Link(asyncio.Protocol):
    """A worker, which does one job after another."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.jobs = 0
        self.lost = False
        self._why = "ended by itself"
        self._process = process
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[bytes] | None = None
        self._longest = _READY_BYTES
        self._received = bytearray()
        self._transport: asyncio.WriteTransport | None = None

    @property
    def pid(self) -> int:
        """Process id of the worker."""
        return self._process.pid

    async def do(self, job: Job, frame: bytes) -> bytes:
        """The body of the answer to a request. Raises ``WorkerLost``; the worker is of no use after it."""
        self.jobs += 1
        self._limit(job)
        answer = self._expect(job.longest)
        assert self._transport is not None
        self._transport.write(frame)
        return await self._in_time(answer, job.wall)

    async def ready(self) -> None:
        """Until the worker is confined. Raises ``WorkerLost``."""
        body = await self._in_time(self._expect(_READY_BYTES), _START_SECONDS)
        try:
            outcome, _ = decode_answer(body)
        except BrokenFrame as broken:
            self.kill(f"broken frame: {broken}")
            raise WorkerLost(self._why) from None
        if outcome is not Outcome.READY:
            self.kill("answered before it was ready")
            raise WorkerLost(self._why)

    def _limit(self, job: Job) -> None:
        """Set from outside what a worker that is taken over could not raise: it may not call setrlimit."""
        if self.lost:
            return
        used = time.clock_gettime(~self.pid << 3 | _CPUCLOCK_SCHED)
        for limit, value in ((resource.RLIMIT_CPU, int(used) + job.cpu + 1), (resource.RLIMIT_AS, job.memory)):
            _, hard = resource.prlimit(self.pid, limit)
            resource.prlimit(self.pid, limit, (value, hard))

    def _expect(self, longest: int) -> asyncio.Future[bytes]:
        answer: asyncio.Future[bytes] = self._loop.create_future()
        if self.lost:
            answer.set_exception(WorkerLost(self._why))
        self._answer, self._longest = answer, longest
        return answer

    async def _in_time(self, answer: asyncio.Future[bytes], seconds: float) -> bytes:
        try:
            async with asyncio.timeout(seconds):
                return await answer
        except TimeoutError:
            self.kill(f"no answer in {seconds:g} s")
            raise WorkerLost(self._why) from None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the socket is ours."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """asyncio: an answer, whole or in part. More than was asked for is never kept."""
        if self._answer is None:
            self.kill("spoke without being asked")
            return
        self._received += data
        if len(self._received) < LENGTH.size:
            return
        length = LENGTH.unpack_from(self._received)[0]
        whole = LENGTH.size + length
        if length > self._longest or len(self._received) > whole:
            self.kill(f"an answer of {max(length, len(self._received))} bytes, at most {self._longest} are taken")
        elif len(self._received) == whole:
            answer, self._answer = self._answer, None
            body = bytes(memoryview(self._received)[LENGTH.size :])
            self._received = bytearray()
            if not answer.done():
                answer.set_result(body)

    def connection_lost(self, _: Exception | None) -> None:
        """asyncio: the worker has ended."""
        self.lost = True
        self._received = bytearray()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(WorkerLost(self._why))
        self._answer = None

    def kill(self, why: str) -> None:
        """End the process at once. Whoever waits for its answer hears why."""
        if not self.lost:
            self._why, self.lost = why, True
            self._process.kill()
            if self._transport is not None:
                self._transport.abort()

    async def gone(self) -> str:
        """Until the process has left the process table; how it ended, for the log."""
        status = await asyncio.to_thread(self._process.wait)
        return f"signal {-status}" if status < 0 else f"exit code {status}"


async def start(table: str, pool: Pool) -> Link:
    """A worker that is confined and waits. Raises ``WorkerLost`` or ``OSError`` when there is none to be had."""
    process, sock = spawn(table, pool)
    try:
        _, link = await asyncio.get_running_loop().create_connection(lambda: Link(process), sock=sock)
    except BaseException:
        sock.close()
        process.kill()
        process.wait()
        raise
    try:
        await link.ready()
    except BaseException:
        link.kill("not ready")
        await link.gone()
        raise
    return link
