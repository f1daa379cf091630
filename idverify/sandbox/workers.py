"""``ports.Sandbox``: both pools, and what becomes of a job that its worker did not survive."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import structlog
from pydantic import TypeAdapter

from idverify.errors import Busy, DocumentError, Unavailable
from idverify.ports import Tally
from idverify.sandbox.frames import REQUEST_MAX, encode
from idverify.sandbox.jobs import TABLE, Job, Pool, table_of
from idverify.sandbox.link import JobFailed, WorkerLost
from idverify.sandbox.pool import WorkerPool

_DONE, _LEFT = "done", "left"  # left: whoever asked went away
_RAISED: Final[Mapping[type[BaseException], str]] = {
    DocumentError: "refused",
    JobFailed: "failed",
    WorkerLost: "killed",
    Busy: "busy",
    Unavailable: "away",
}
OUTCOMES: Final = (_DONE, *_RAISED.values(), _LEFT)
"""How a job ends, for those who count."""

log = structlog.get_logger()


class Workers:
    """Both pools. Workers start when the first job comes; ``stop`` ends them all. ``tally`` hears of each job."""

    def __init__(self, each: int = 2, table: str = TABLE, tally: Tally | None = None) -> None:
        self._tally = tally or Tally()
        self._jobs = table_of(table)
        self._pools = {pool: WorkerPool(table, pool, each, self._tally) for pool in Pool}
        self._shapes = {name: TypeAdapter(job.answer) for name, job in self._jobs.items()}

    @property
    def pids(self) -> list[int]:
        """The workers' process ids."""
        return [pid for pool in self._pools.values() for pid in pool.pids]

    async def do(self, job: str, arguments: Mapping[str, Any]) -> Any:
        """As ``ports.Sandbox`` says."""
        wanted = self._jobs[job]
        frame = encode(job, dict(arguments))
        if (size := sum(map(len, frame))) > REQUEST_MAX:
            raise _lost(job, wanted, f"a request of {size} bytes, at most {REQUEST_MAX} are sent")
        try:
            with self._counted(job):
                return await self._pools[wanted.pool].do(wanted, self._shapes[job], frame)
        except WorkerLost as error:
            raise _lost(job, wanted, error.args[0]) from None
        except JobFailed as error:
            raise _failed(job, wanted, error.args[0]) from None

    @contextmanager
    def _counted(self, job: str) -> Iterator[None]:
        started, outcome = time.monotonic(), _DONE
        try:
            yield
        except BaseException as error:
            outcome = _RAISED.get(type(error), _LEFT)
            raise
        finally:
            self._tally.job_ended(job, outcome, time.monotonic() - started)

    async def stop(self) -> None:
        """End every worker and wait until they are gone."""
        for pool in self._pools.values():
            await pool.stop()


@asynccontextmanager
async def open_workers(each: int = 2, table: str = TABLE, tally: Tally | None = None) -> AsyncIterator[Workers]:
    """Workers that are gone afterwards, however it ends."""
    workers = Workers(each, table, tally)
    try:
        yield workers
    finally:
        await workers.stop()


def _lost(name: str, job: Job, why: str) -> DocumentError | Unavailable:
    log.warning("sandbox_job_lost", job=name, why=why)
    if job.pool is Pool.READING:
        return DocumentError("limits", "Reading this document took more than any document may take here.")
    return Unavailable("The document could not be made; nothing was done. Come back in a moment.")


def _failed(name: str, job: Job, where: str) -> DocumentError | Unavailable:
    log.error("sandbox_job_failed", job=name, where=where)
    if job.pool is Pool.READING:
        return DocumentError("unreadable", "This document is built so that it cannot be read here.")
    return Unavailable("The document could not be made; nothing was done. Come back in a moment.")
