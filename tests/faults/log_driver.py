"""A program that appends to a log in a real database and publishes it, and tells what came of it as it happens.

``python -m tests.faults.log_driver JOB`` does one job, as JSON. Without, it forks a process for each job that it reads,
so that hundreds can be killed without hundreds of starts of Python.

It writes a line for every fact that somebody outside may rely on, before it goes on: ``ack KEY INDEX``,
``signed SIZE ROOT`` (before the signature leaves the key), ``shown SIZE ROOT``, ``stopped WHY`` before it ends with
status 2, as the service does, and ``refused WHY`` where it would not sign over a database.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idverify.errors import OutcomeUnknown, Unavailable
from idverify.ledger import Checkpoint, FencedError, ForkError, LogSigners, Publisher
from idverify.stores import tables
from idverify.stores.guard_file import GuardFile
from idverify.stores.ledger import StoredLedger
from idverify.stores.sqlite import SqliteStore
from idverify.stores.writes import Insert, WriteSet
from tests.simulators.ledger_memory import ORIGIN, SoftwareSigner
from tests.unit.stores.rows import entry, status_row

STOPPED, REFUSED = 2, 3
IN_ONE_TURN = 3


@dataclass(frozen=True)
class Job:
    """What to do. ``appends`` and ``cycles`` are how many, -1 without end; ``speed`` is how fast the clock runs,
    ``pause`` how many seconds a caller waits between two appends.

    ``dies_at`` is the number of the call to storage, guard or key at which the process kills itself, after the call
    took effect or before.
    """

    database: str
    guard: str
    tells: str
    holder: str = "one"
    first: int = 1
    appends: int = -1
    cycles: int = -1
    pause: float = 0.0
    speed: float = 1.0
    dies_at: int = -1
    dies_after: bool = False


class Clock:
    """Real time, or faster."""

    def __init__(self, speed: float) -> None:
        self._speed = speed

    def now(self) -> int:
        """Unix seconds."""
        return int(time.time() * self._speed) % 2**32


class Told:
    """The file that the outside reads."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def tell(self, *words: object) -> None:
        """One line, whole."""
        os.write(self._descriptor, (" ".join(map(str, words)) + "\n").encode())


class Telling(SoftwareSigner):
    """A key that says what it signs."""

    told: Told

    async def sign(self, checkpoint: Checkpoint) -> bytes:
        signature = await super().sign(checkpoint)
        self.told.tell("signed", checkpoint.size, checkpoint.root.hex())
        return signature


class Mortal:
    """A port that kills the process at one call; ``calls`` counts those of all ports."""

    calls = 0

    def __init__(self, port: Any, job: Job) -> None:
        self._port, self._job = port, job

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if not asyncio.iscoroutinefunction(method):
            return method

        async def call(*arguments: Any) -> Any:
            last = Mortal.calls == self._job.dies_at
            Mortal.calls += 1
            if last and not self._job.dies_after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = await method(*arguments)
            if last:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call


async def append(store: SqliteStore, told: Told, job: Job, start: int) -> None:
    """One caller of several: a row and an entry at a time, each with its key."""
    number = job.first + start
    while job.appends < 0 or number < job.first + job.appends:
        work = WriteSet((Insert(tables.status_entry, status_row(number)),), (entry(number, b"key %d" % number),))
        try:
            (index,) = await store.commit(work)
        except Unavailable:
            if store.stopped_by() is not None:
                return
            await asyncio.sleep(0.01)
            continue
        told.tell("ack", number, index)
        number += IN_ONE_TURN
        await asyncio.sleep(job.pause)


async def publish(publisher: Publisher, store: SqliteStore, told: Told, job: Job) -> None:
    """As the service does, without its second between two cycles."""
    cycle = 0
    while cycle != job.cycles:
        cycle += 1
        try:
            checkpoint = await publisher.publish_once()
        except FencedError as fenced:
            told.tell("fenced", fenced)
            continue
        except Unavailable:
            if store.stopped_by() is not None:
                raise
            continue
        if checkpoint is not None:
            told.tell("shown", checkpoint.size, checkpoint.root.hex())
        await asyncio.sleep(0.002)


async def work(job: Job) -> None:
    """Append and publish until all is done, or something fails."""
    told, clock = Told(job.tells), Clock(job.speed)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(SqliteStore(Path(job.database), clock))
        signer = Telling()
        signer.told = told
        publisher = Publisher(
            Mortal(StoredLedger(store), job),
            ORIGIN,
            LogSigners.each(Mortal(signer, job)),
            now=clock.now,
            holder=job.holder.encode(),
            guard=Mortal(GuardFile(Path(job.guard)), job),
        )
        told.tell("started", os.getpid())
        tasks = [append(store, told, job, start) for start in range(IN_ONE_TURN)] if job.appends else []
        await asyncio.gather(*tasks, publish(publisher, store, told, job))


def run(job: Job) -> int:
    """The exit status."""
    try:
        asyncio.run(work(job))
    except ForkError as fork:
        Told(job.tells).tell("refused", fork)
        return REFUSED
    except (OutcomeUnknown, Unavailable, OSError) as error:
        Told(job.tells).tell("stopped", error)
        return STOPPED
    return 0


def serve() -> None:
    """Fork a process for each job; answer with its number, and with its end when asked for that."""
    for line in sys.stdin:
        asked = json.loads(line)
        if isinstance(asked, int):
            answer = os.waitstatus_to_exitcode(os.waitpid(asked, 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                os._exit(run(Job(**asked)))
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(run(Job(**json.loads(sys.argv[1]))))
    serve()
