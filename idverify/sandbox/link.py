"""One worker seen from the event loop: its process, its socket, and the one job that it does now."""

from __future__ import annotations

import asyncio
import re
import resource
import subprocess
import time
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from idverify.errors import DocumentError
from idverify.sandbox.frames import LENGTH, BrokenFrame, Outcome, decode_answer
from idverify.sandbox.jobs import Job, Pool
from idverify.sandbox.process import spawn

_START_SECONDS: Final = 30.0  # to load what the jobs use, on a machine that is busy
_READY_BYTES: Final = 16
_PIECE: Final = 256 * 1024
_RULE: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
_SENTENCE_MOST: Final = 500  # characters
_CPUCLOCK_SCHED: Final = 2  # clock_getcpuclockid(3) as the kernel spells it: ~pid << 3 | 2


class WorkerLost(Exception):
    """The worker ended, or was killed, before its answer; ``args[0]`` says why."""


class JobFailed(Exception):
    """The job raised what nobody foresaw; ``args[0]`` says what and where. The worker goes on."""


class Link(asyncio.Protocol):
    """A worker, which does one job after another."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.jobs = 0
        self.lost = False
        self.wholly = False
        self._why = "ended by itself"
        self._process = process
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[bytes] | None = None
        self._longest = _READY_BYTES
        self._received: list[bytes] = []
        self._length = 0  # of what was received
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.WriteTransport | None = None

    @property
    def pid(self) -> int:
        """Process id of the worker."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be given a job: one that the kernel ended is known before its socket says so."""
        return not self.lost and self._process.poll() is None

    async def do(self, job: Job, shape: TypeAdapter[Any], frame: list[bytes]) -> Any:
        """What the job answers, in its shape.

        Raises ``DocumentError`` as the job did, ``JobFailed``, and ``WorkerLost``; the worker is of no use after that.
        """
        self.jobs += 1
        try:
            async with asyncio.timeout(job.wall):
                answer = self._expect(job.longest)
                self._limit(job)
                await self._send(frame)
                return _accepted(await answer, shape)
        except TimeoutError:
            self.kill(f"no answer in {job.wall:g} s")
        except OSError as error:  # it ended before its job, or may not be limited
            self.kill(str(error))
        except (BrokenFrame, ValidationError) as error:  # nothing honest says that: who knows what it is by now
            self.kill(type(error).__name__ if isinstance(error, ValidationError) else str(error))
        raise WorkerLost(self._why)

    async def ready(self) -> None:
        """Until the worker is confined, ``wholly`` or without Landlock. Raises ``WorkerLost``."""
        try:
            async with asyncio.timeout(_START_SECONDS):
                outcome, wholly = decode_answer(await self._expect(_READY_BYTES))
                if outcome is Outcome.READY and isinstance(wholly, bool):
                    self.wholly = wholly
                    return
            self.kill("answered before it was ready")
        except TimeoutError:
            self.kill(f"not ready in {_START_SECONDS:g} s")
        except BrokenFrame as broken:
            self.kill(str(broken))
        raise WorkerLost(self._why)

    def _limit(self, job: Job) -> None:
        """Set from outside what a worker that is taken over could not raise: it may not call setrlimit."""
        used = time.clock_gettime(~self.pid << 3 | _CPUCLOCK_SCHED)
        for limit, value in ((resource.RLIMIT_CPU, int(used) + job.cpu + 1), (resource.RLIMIT_AS, job.memory)):
            _, hard = resource.prlimit(self.pid, limit)
            resource.prlimit(self.pid, limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))

    def _expect(self, longest: int) -> asyncio.Future[bytes]:
        answer: asyncio.Future[bytes] = self._loop.create_future()
        if self.lost:
            answer.set_exception(WorkerLost(self._why))
        self._answer, self._longest = answer, longest
        return answer

    async def _send(self, frame: list[bytes]) -> None:
        """As fast as the worker takes it, in pieces of which none keeps the loop long."""
        assert self._transport is not None
        for part in frame:
            view = memoryview(part)
            for start in range(0, len(part), _PIECE):
                await self._writable.wait()
                self._transport.write(view[start : start + _PIECE])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the socket is ours."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """asyncio: an answer, whole or in part. More than was asked for is never kept."""
        if self._answer is None:
            self.kill("spoke without being asked")
            return
        self._received.append(data)
        self._length += len(data)
        if self._length < LENGTH.size:
            return
        if len(self._received[0]) < LENGTH.size:
            self._received = [b"".join(self._received)]
        length = LENGTH.unpack_from(self._received[0])[0]
        whole = LENGTH.size + length
        if length > self._longest or self._length > whole:
            self.kill(f"an answer of {max(length, self._length)} bytes, at most {self._longest} are taken")
        elif self._length == whole:
            answer, self._answer = self._answer, None
            self._received[0] = self._received[0][LENGTH.size :]
            body = b"".join(self._received)
            self._received, self._length = [], 0
            if not answer.done():
                answer.set_result(body)

    def pause_writing(self) -> None:
        """asyncio: the worker has enough to read."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """asyncio: it has read it."""
        self._writable.set()

    def connection_lost(self, _: Exception | None) -> None:
        """asyncio: the worker has ended."""
        self.lost = True
        self._received = []
        self._writable.set()
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


def _accepted(body: bytes, shape: TypeAdapter[Any]) -> Any:
    outcome, value = decode_answer(body)
    match outcome, value:
        case Outcome.DONE, _:
            return shape.validate_python(value, strict=True)
        case Outcome.REFUSED, [str(rule), str(sentence)] if _RULE.fullmatch(rule):
            printable = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in sentence)
            raise DocumentError(rule, printable[:_SENTENCE_MOST])
        case Outcome.FAILED, str(where):
            raise JobFailed(where[:_SENTENCE_MOST])
        case Outcome.NO_MEMORY, None:
            raise BrokenFrame("out of memory")  # it ends by itself after this
        case _:
            raise BrokenFrame(f"{outcome.name} with what has no place there")


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
