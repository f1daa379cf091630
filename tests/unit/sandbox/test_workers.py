"""Jobs that are killed, that fail, that lie and that nobody waits for: each costs itself alone."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from idverify.errors import Busy, DocumentError, Unavailable
from idverify.sandbox import pool as pool_module
from idverify.sandbox.frames import LENGTH, REQUEST_MAX, Outcome, encode
from idverify.sandbox.workers import Workers, open_workers

from .conftest import alive


def frame(what: int, value: Any) -> bytes:
    """One frame in one piece."""
    return b"".join(encode(what, value))


async def until(holds: Callable[[], bool]) -> None:
    """Workers take as long to start as the machine's other work makes them."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110  nobody tells of it
            await asyncio.sleep(0.01)


# What ends a job or its worker, and the arguments that make it do so
KILLERS = [
    ("spin", {}),
    ("hang", {"seconds": 60}),
    ("hog", {}),
    ("hog in steps", {}),
    ("crash", {}),
    ("leave", {}),
    ("long answer", {}),
    ("wrong shape", {}),
    ("deep", {}),
    ("raw", {"data": b"\0\0\0\4junk"}),
    ("raw", {"data": LENGTH.pack(0xFFFF_FFFF)}),
    ("raw", {"data": frame(Outcome.DONE, None) * 2}),
    ("raw", {"data": frame(9, None)}),
    ("raw", {"data": frame(Outcome.READY, None)}),
    ("raw", {"data": frame(Outcome.REFUSED, ["Not a rule!", "sentence"])}),
    ("raw", {"data": frame(Outcome.FAILED, 5)}),
    ("raw", {"data": b"\0"}),  # and no more for as long as it takes
]


@pytest.mark.parametrize(("name", "arguments"), KILLERS)
async def test_what_a_worker_does_not_survive_costs_its_own_job(
    workers: Workers, name: str, arguments: dict[str, Any]
) -> None:
    """Reading ends as a verdict on the document, making as 503; the jobs beside it and after it are done."""
    for pool, error in (("reading", DocumentError), ("making", Unavailable)):
        beside = asyncio.create_task(workers.do(f"{pool} nap", {"seconds": 0.2}))
        with pytest.raises(error) as ended:
            await workers.do(f"{pool} {name}", arguments)

        assert getattr(ended.value, "rule", "limits") == "limits"
        assert await beside > 0
        assert await workers.do(f"{pool} echo", {"value": "still here"}) == "still here"


async def test_processor_time_is_counted_for_each_job(workers: Workers, capsys: pytest.CaptureFixture[str]) -> None:
    """Seconds used by the jobs before do not count; one job that uses up its own is ended by the kernel."""
    for _ in range(3):
        await workers.do("reading burn", {"seconds": 0.7})
    with pytest.raises(DocumentError):
        await workers.do("reading spin", {})

    assert "ended by itself" in capsys.readouterr().out


async def test_what_a_job_says_of_a_document_comes_back(workers: Workers) -> None:
    """Rule and sentence, without letters that could forge a line of log, and no longer than a sentence is."""
    with pytest.raises(DocumentError) as refused:
        await workers.do("reading refuse", {"sentence": "One\n\x1b[31mline\u202e" + "!" * 1000})

    assert refused.value.rule == "some-rule"
    assert refused.value.detail.isprintable()
    assert len(refused.value.detail) == 500


async def test_what_fails_tells_nothing_of_the_document(workers: Workers, capsys: pytest.CaptureFixture[str]) -> None:
    """An exception that nobody foresaw is a verdict when reading and 503 when making; its words stay in the worker."""
    with pytest.raises(DocumentError) as refused:
        await workers.do("reading fail", {"secret": "Ada Example"})
    with pytest.raises(Unavailable) as away:
        await workers.do("making fail", {"secret": "Ada Example"})

    assert refused.value.rule == "unreadable"
    said = str(refused.value) + str(away.value) + "".join(capsys.readouterr())
    assert "Ada" not in said
    assert "LookupError at bad_jobs.py" in said


async def test_an_exception_leaves_its_worker_in_use(workers: Workers) -> None:
    """Only what may have damaged a worker replaces it."""
    before = await workers.do("reading pid", {})
    for name, arguments in (("refuse", {"sentence": "No."}), ("fail", {"secret": "x"})):
        with pytest.raises(DocumentError):
            await workers.do(f"reading {name}", arguments)

    assert await workers.do("reading pid", {}) == before


async def test_too_many_are_busy(workers: Workers) -> None:
    """As many wait as may; the next is told to come back, and there is room again afterwards."""
    jobs = [
        asyncio.create_task(workers.do("reading nap", {"seconds": 0.05})) for _ in range(2 + pool_module.WAITING_MOST)
    ]
    await workers.do("making pid", {})  # the other pool has room
    await until(lambda: len(workers.pids) == 3)
    jobs += [asyncio.create_task(workers.do("reading nap", {"seconds": 0.05})) for _ in range(4)]
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)

    refused = [outcome for outcome in outcomes if isinstance(outcome, Busy)]
    assert refused
    assert all(isinstance(outcome, int | Busy) for outcome in outcomes)
    assert await workers.do("reading echo", {"value": 1}) == 1


async def test_nobody_waits_for_ever(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits too long for a worker is told to come back."""
    monkeypatch.setattr(pool_module, "WAITING_SECONDS", 0.3)
    await asyncio.gather(*(workers.do("reading pid", {}) for _ in range(2)), return_exceptions=True)
    await until(lambda: len(workers.pids) == 2)
    naps = [asyncio.create_task(workers.do("reading nap", {"seconds": 1})) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Busy, match="too long"):
        await workers.do("reading pid", {})

    assert all(await asyncio.gather(*naps))


async def test_whoever_goes_away_blocks_nobody(workers: Workers) -> None:
    """A job whose caller is gone is done or dropped; its answer reaches nobody else, and its worker goes on."""
    await workers.do("reading pid", {})
    running = [asyncio.create_task(workers.do("reading nap", {"seconds": 0.3})) for _ in range(2)]
    waiting = [asyncio.create_task(workers.do("reading nap", {"seconds": 0.3})) for _ in range(8)]
    await asyncio.sleep(0.1)
    for task in running + waiting:
        task.cancel()
    await asyncio.gather(*running, *waiting, return_exceptions=True)
    started = time.monotonic()

    assert await workers.do("reading echo", {"value": "mine"}) == "mine"
    assert time.monotonic() - started < 2
    assert all(task.cancelled() for task in running + waiting)


async def test_cancelling_at_any_moment_loses_no_worker(workers: Workers) -> None:
    """However the moments fall, as many workers answer afterwards as before."""
    await asyncio.gather(*(workers.do("reading nap", {"seconds": 0.2}) for _ in range(2)))
    for turn in range(40):
        tasks = [asyncio.create_task(workers.do("reading nap", {"seconds": 0.002})) for _ in range(4)]
        await asyncio.sleep(turn * 0.0002)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    seen = await asyncio.gather(*(workers.do("reading nap", {"seconds": 0.3}) for _ in range(2)))
    assert len(set(seen)) == 2


async def test_workers_are_replaced(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many jobs a fresh process takes over, without a job that waits for it or fails."""
    monkeypatch.setattr(pool_module, "JOBS_EACH", 5)
    seen: set[int] = set()
    async with asyncio.timeout(60):
        while len(seen) < 4:
            seen.add(await workers.do("reading nap", {"seconds": 0.05}))
            assert len(workers.pids) <= 3
    await asyncio.sleep(0.2)

    assert not [pid for pid in seen - set(workers.pids) if alive(pid)]


async def test_a_request_too_long_is_not_sent(workers: Workers) -> None:
    """What no worker would take is refused here."""
    with pytest.raises(DocumentError):
        await workers.do("reading echo", {"value": bytes(REQUEST_MAX)})


async def test_a_worker_that_was_killed_from_outside_is_replaced(workers: Workers) -> None:
    """As the kernel does when memory is short."""
    victim = await workers.do("reading pid", {})
    os.kill(victim, signal.SIGKILL)
    await asyncio.to_thread(os.waitid, os.P_PID, victim, os.WEXITED | os.WNOWAIT)

    assert await workers.do("reading echo", {"value": 1}) == 1


async def test_no_worker_to_be_had_is_told_at_once(bad_jobs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none can start, callers hear it and no process is left; later ones are tried again."""
    async with open_workers(2, bad_jobs) as workers:
        with monkeypatch.context() as patch:
            patch.setattr("sys.executable", "/bin/false")
            outcomes = await asyncio.gather(*(workers.do("reading pid", {}) for _ in range(3)), return_exceptions=True)
            with pytest.raises(Unavailable):
                await workers.do("reading pid", {})

        assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
        assert workers.pids == []
        await asyncio.sleep(1.1)
        assert await workers.do("reading pid", {}) > 0


async def test_stopping_ends_what_is_being_done(bad_jobs: str) -> None:
    """Nothing is left behind; whoever waits hears of it, and nothing starts again."""
    async with open_workers(2, bad_jobs) as workers:
        await workers.do("reading pid", {})
        jobs = [asyncio.create_task(workers.do("reading nap", {"seconds": 9})) for _ in range(6)]
        await asyncio.sleep(0.5)
        pids = workers.pids
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)

    assert pids
    assert not [pid for pid in pids if alive(pid)]
    assert all(isinstance(outcome, DocumentError | Unavailable) for outcome in outcomes)
    with pytest.raises(Unavailable, match="stopping"):
        await workers.do("reading pid", {})


async def test_long_frames_do_not_stall_the_loop(workers: Workers) -> None:
    """Twelve megabytes there and back; no turn of the loop takes long, other work of the machine not counted."""
    await workers.do("reading pid", {})
    data = os.urandom(12 * 1024 * 1024)
    longest, going = 0.0, True

    async def tick() -> None:
        nonlocal longest
        last = time.thread_time()
        while going:
            await asyncio.sleep(0)
            now = time.thread_time()
            longest, last = max(longest, now - last), now

    ticking = asyncio.create_task(tick())
    for _ in range(5):
        assert await workers.do("reading echo", {"value": data}) == data
    going = False
    await ticking

    assert longest < 0.05, f"one turn of the loop took {longest * 1000:.0f} ms"
