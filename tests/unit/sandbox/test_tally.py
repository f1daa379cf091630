"""What those who watch the service hear of its workers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from idverify.errors import IdverifyError
from idverify.ports import Tally
from idverify.sandbox import pool as pool_module
from idverify.sandbox.workers import OUTCOMES, Workers, open_workers


class Heard(Tally):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.jobs: list[tuple[str, str]] = []
        self.seconds: list[float] = []
        self.waiting = Counter[str]()
        self.most = 0
        self.workers = Counter[str]()
        self.ended: list[tuple[str, bool]] = []

    def job_ended(self, job: str, outcome: str, seconds: float) -> None:
        self.jobs.append((job, outcome))
        self.seconds.append(seconds)

    def jobs_waiting(self, pool: str, more: int) -> None:
        self.waiting[pool] += more
        self.most = max(self.most, self.waiting[pool])

    def worker_started(self, pool: str) -> None:
        self.workers[pool] += 1

    def worker_ended(self, pool: str, *, lost: bool) -> None:
        self.workers[pool] -= 1
        self.ended.append((pool, lost))


@pytest.fixture
def heard() -> Heard:
    """An ear."""
    return Heard()


@pytest.fixture
async def workers(bad_jobs: str, heard: Heard) -> AsyncIterator[Workers]:
    """One worker to each pool."""
    async with open_workers(1, bad_jobs, heard) as opened:
        yield opened


@pytest.mark.parametrize(
    ("job", "arguments", "outcome"),
    [
        ("reading echo", {"value": 1}, "done"),
        ("reading refuse", {"sentence": "No."}, "refused"),
        ("reading fail", {"secret": "x"}, "failed"),
        ("making fail", {"secret": "x"}, "failed"),
        ("reading crash", {}, "killed"),
        ("reading hang", {"seconds": 60}, "killed"),
        ("making wrong shape", {}, "killed"),
    ],
)
async def test_each_job_is_told_once_with_its_outcome(
    workers: Workers, heard: Heard, job: str, arguments: dict[str, Any], outcome: str
) -> None:
    """And of a worker that did not survive it, that it was lost."""
    await asyncio.gather(workers.do(job, arguments), return_exceptions=True)

    assert heard.jobs == [(job, outcome)]
    assert outcome in OUTCOMES
    assert 0 < heard.seconds[0] < 60
    assert heard.ended == ([(job.split(maxsplit=1)[0], True)] if outcome == "killed" else [])
    assert heard.waiting.total() == 0


async def test_who_waits_is_counted_until_they_are_served(workers: Workers, heard: Heard) -> None:
    """Whoever is told to come back or goes away waits no longer."""
    naps = [workers.do("reading nap", {"seconds": 0.02}) for _ in range(pool_module.WAITING_MOST + 4)]
    tasks = [asyncio.create_task(nap) for nap in naps]
    await asyncio.sleep(0)
    tasks[3].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    ends = Counter(outcome for _, outcome in heard.jobs)
    assert heard.most == pool_module.WAITING_MOST
    assert (ends["left"], ends["busy"]) == (1, 4)
    assert ends["done"] == len(tasks) - 5
    assert heard.waiting == {"reading": 0}


async def test_what_no_worker_takes(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no worker starts, jobs end as ``away``."""

    async def never(*_: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(pool_module, "start", never)
    async with open_workers(1, tally=heard) as away:
        with pytest.raises(IdverifyError):
            await away.do("read-codes", {"image": b""})
    assert heard.jobs == [("read-codes", "away")]
    assert heard.workers.total() == 0


async def test_workers_are_counted_as_they_come_and_go(
    workers: Workers, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that has done enough is replaced, not lost; as many are counted as there are."""
    monkeypatch.setattr(pool_module, "JOBS_EACH", 3)
    for _ in range(12):
        await workers.do("making pid", {})
    async with asyncio.timeout(60):
        while len(heard.ended) < 1 or len(workers.pids) > 1:  # noqa: ASYNC110  nobody tells of it
            await asyncio.sleep(0.01)

    assert set(heard.ended) == {("making", False)}
    assert heard.workers["making"] == len(workers.pids) == 1
