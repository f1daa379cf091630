"""``ports.Sandbox``: both pools, and what becomes of a job that its worker did not survive."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from pydantic import TypeAdapter, ValidationError

from idverify.errors import DocumentError, Unavailable
from idverify.sandbox.frames import REQUEST_MAX, BrokenFrame, Outcome, decode_answer, encode
from idverify.sandbox.jobs import TABLE, Job, Pool, table_of
from idverify.sandbox.link import WorkerLost
from idverify.sandbox.pool import WorkerPool

_RULE: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
_SENTENCE_MOST: Final = 500
log = structlog.get_logger()


class Workers:
    """Both pools. Workers start when the first job comes; ``stop`` ends them all."""

    def __init__(self, each: int = 2, table: str = TABLE) -> None:
        self._jobs = table_of(table)
        self._pools = {pool: WorkerPool(table, pool, each) for pool in Pool}
        self._shapes = {name: TypeAdapter(job.answer) for name, job in self._jobs.items()}

    @property
    def pids(self) -> list[int]:
        """The workers' process ids."""
        return [pid for pool in self._pools.values() for pid in pool.pids]

    async def do(self, job: str, arguments: Mapping[str, Any]) -> Any:
        """As ``ports.Sandbox`` says."""
        wanted = self._jobs[job]
        frame = encode(job, dict(arguments))
        if len(frame) > REQUEST_MAX:
            raise _lost(job, wanted, f"a request of {len(frame)} bytes, at most {REQUEST_MAX} are sent")
        try:
            outcome, value = decode_answer(await self._pools[wanted.pool].do(wanted, frame))
            if outcome is Outcome.DONE:
                return self._shapes[job].validate_python(value, strict=True)
            if outcome is Outcome.REFUSED:
                raise _refusal(value)
        except (BrokenFrame, ValidationError) as error:
            raise _lost(job, wanted, type(error).__name__) from None
        except WorkerLost as error:
            raise _lost(job, wanted, error.args[0]) from None
        if outcome is Outcome.FAILED and isinstance(value, str):
            raise _failed(job, wanted, value)
        raise _lost(job, wanted, outcome.name)

    async def stop(self) -> None:
        """End every worker and wait until they are gone."""
        for pool in self._pools.values():
            await pool.stop()


@asynccontextmanager
async def open_workers(each: int = 2, table: str = TABLE) -> AsyncIterator[Workers]:
    """Workers that are gone afterwards, however it ends."""
    workers = Workers(each, table)
    try:
        yield workers
    finally:
        await workers.stop()


def _refusal(value: Any) -> DocumentError:
    """What the job said of the document, as far as a worker that is taken over could not abuse it."""
    match value:
        case [str(rule), str(sentence)] if _RULE.fullmatch(rule):
            printable = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in sentence)
            return DocumentError(rule, printable[:_SENTENCE_MOST])
    raise BrokenFrame("a refusal that is none")


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
