"""Programs in processes of their own, and the CPU time that they use."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from idverify.errors import SetupError

READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 15.0
_WARM_UP: Final = 5  # calls before the clock starts
_IMPORT_ROOT: Final = str(Path(__file__).resolve().parents[3])


@dataclass(frozen=True, slots=True)
class Program:
    """A program that runs: its process id, and the line that said it was ready."""

    pid: int
    announced: str


@asynccontextmanager
async def running(log: Path, module: str, *arguments: str) -> AsyncIterator[Program]:
    """A module of ours as a program, from the line that says it is ready until it is told to stop.

    What it writes to standard error goes to ``log``. Raises ``SetupError`` if it never gets ready.
    """
    with log.open("ab") as errors:
        process = await _start(module, *arguments, stdin=DEVNULL, stderr=errors.fileno())
    try:
        assert process.stdout is not None
        async with asyncio.timeout(READY_SECONDS):
            announced = await process.stdout.readline()
        if not announced:
            raise SetupError(f"{module} ended before it was ready.", f"See what it wrote: {_last_words(log)}")
        yield Program(process.pid, announced.decode().strip())
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(STOP_SECONDS):
            await process.communicate()


def _last_words(log: Path) -> str:
    return log.read_text()[-2000:]


async def answer_of(module: str, question: bytes) -> bytes:
    """What a module of ours, run as a program, writes when this is read to it."""
    process = await _start(module, stdin=PIPE, stderr=None)
    answer, _ = await process.communicate(question)
    if process.returncode:
        raise SetupError(f"{module} ended with status {process.returncode}.", "See what it wrote above.")
    return answer


async def _start(module: str, *arguments: str, stdin: int, stderr: int | None) -> Process:
    environment = os.environ | {"PYTHONPATH": _IMPORT_ROOT}
    command = [sys.executable, "-m", module, *arguments]
    return await asyncio.create_subprocess_exec(*command, stdin=stdin, stdout=PIPE, stderr=stderr, env=environment)


def cpu_seconds(pid: int) -> float:
    """CPU seconds that a process and its children have used, kernel time included.

    ``schedstat`` of every thread, in nanoseconds (Linux, Documentation/scheduler/sched-stats).
    """
    return _of_threads((pid, *_children(pid)))


def cpu_seconds_here() -> float:
    """The same of this process, with threads that have ended."""
    return time.process_time() + _of_threads(_children(os.getpid()))


async def cost_of(call: Callable[[], Awaitable[object]], seconds: float) -> float:
    """CPU seconds of one call, here and in all children, averaged over ``seconds`` of calling."""
    for _ in range(_WARM_UP):
        await call()
    calls, end, begin = 0, time.monotonic() + seconds, cpu_seconds_here()
    while calls == 0 or time.monotonic() < end:
        await call()
        calls += 1
    return (cpu_seconds_here() - begin) / calls


def _of_threads(members: Iterable[int]) -> float:
    threads = (thread for member in members for thread in Path(f"/proc/{member}/task").iterdir())
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended while we looked
            continue
        if int(fields[1]) == parent:
            found.append(int(entry.name))
    return found
