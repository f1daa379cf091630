"""Real processes over a real database die at any moment and between any two calls: no fork, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import shutil
import signal
import sys
from pathlib import Path

import pytest

from idverify.ledger.publisher import LEASE_SECONDS
from idverify.stores.writes import WriteSet
from tests.faults.log_driver import REFUSED
from tests.faults.log_processes import Forks, Kept, first_told, told
from tests.unit.stores.conftest import Database, sqlite
from tests.unit.stores.rows import entry, with_entry

ROUNDS, MANY_ROUNDS = 12, 200
JITTER_SECONDS = 0.1
CALLS = 9
"""Of a cycle: lease, guard, checkpoint, state, leaf hashes, intent, the last leaf hash, guard, key, advance."""
FAST = 40.0
"""How fast the clock runs where leases are to end soon: one lasts a quarter of a second then."""
PAUSE = 0.02
"""Seconds between two appends where two processes want the same lock, which SQLite gives to whoever happens to come."""
HOLDERS = {"one": 1_000_000, "two": 2_000_000}
"""Two publishers, and the keys that they begin with."""


@pytest.fixture
async def kept(tmp_path: Path, forks: Forks) -> Kept:
    """A log of one entry, signed, and its guard."""
    async with (await sqlite(tmp_path)).open() as store:
        await store.commit(with_entry(0))
    kept = Kept(tmp_path)
    await publish_once(kept, forks)
    return kept


async def kill_rounds(kept: Kept, forks: Forks, rounds: int) -> None:
    """Start, kill at any moment, look at everything; again and again on the same database."""
    number = secrets.randbits(32)
    sys.stdout.write(f"seed {number}\n")
    chance = random.Random(number)  # noqa: S311 repeatable on purpose
    for _ in range(rounds):
        job = kept.job(first=kept.next_key())
        pid = forks.begin(job)
        if chance.random() < 0.9:  # else while it starts
            told(job, "ack", chance.randint(1, 60))
        await asyncio.sleep(chance.uniform(0, JITTER_SECONDS))
        assert forks.kill(pid) == -signal.SIGKILL
        kept.learn(job)
        await kept.require_whole()
    assert len(kept.facts.acknowledged) > rounds
    assert len(kept.facts.signed) > rounds // 2


async def test_kill_at_any_moment(kept: Kept, forks: Forks) -> None:
    """Twelve times SIGKILL: the audit is clean, no acknowledgement is lost, and the guard is never behind."""
    await kill_rounds(kept, forks, ROUNDS)


@pytest.mark.long
async def test_kill_at_two_hundred_moments(kept: Kept, forks: Forks) -> None:
    """The same, two hundred times on one database."""
    await kill_rounds(kept, forks, MANY_ROUNDS)


async def test_death_between_any_two_calls(kept: Kept, forks: Forks) -> None:
    """The process dies before or after each call to database, guard and key: the next one goes on from there."""
    died = 0
    await grow(kept, 600)
    for at in range(99):
        for after in (False, True):
            await grow(kept, 10)
            dying = kept.job(appends=0, cycles=1, dies_at=at, dies_after=after)
            died += (end := forks.wait(forks.begin(dying))) == -signal.SIGKILL
            kept.learn(dying)
            await kept.require_whole()
            following = kept.job(appends=0, cycles=1)
            assert forks.wait(forks.begin(following)) == 0
            kept.learn(following)
            await kept.require_whole()
            assert max(signed.size for signed in kept.facts.signed) == len(kept.leaves())
        if end == 0:
            break
    assert died >= 2 * CALLS


async def test_a_publisher_that_dies_is_followed_by_another(kept: Kept, forks: Forks) -> None:
    """Two processes append to one file, one of them publishes; whenever it is killed the other one goes on."""
    jobs = {holder: kept.job(holder=holder, speed=FAST, pause=PAUSE, first=first) for holder, first in HOLDERS.items()}
    pids = {holder: forks.begin(job) for holder, job in jobs.items()}
    for _ in range(4):
        holder = first_told(jobs, "signed", 2)
        forks.kill(pids[holder])
        kept.learn(jobs[holder])
        first = kept.next_key() + HOLDERS[holder]
        jobs[holder] = kept.job(holder=holder, speed=FAST, pause=PAUSE, first=first)
        (other,) = HOLDERS.keys() - {holder}
        told(jobs[other], "signed", 1)
        pids[holder] = forks.begin(jobs[holder])
    for holder, job in jobs.items():
        forks.kill(pids[holder])
        kept.learn(job)
    await kept.require_whole()


async def test_a_publisher_that_slept_through_its_lease_is_fenced_off(kept: Kept, forks: Forks) -> None:
    """A process is stopped at any moment for longer than its lease, and wakes up: what it was at is refused."""
    number = secrets.randbits(32)
    sys.stdout.write(f"seed {number}\n")
    chance = random.Random(number)  # noqa: S311 repeatable on purpose
    jobs = {
        "appends": kept.job(cycles=0),
        **{holder: kept.job(holder=holder, speed=FAST, appends=0) for holder in HOLDERS},
    }
    pids = {name: forks.begin(job) for name, job in jobs.items()}
    for _ in range(6):
        for holder in HOLDERS:
            await asyncio.sleep(chance.uniform(0, 0.05))
            os.kill(pids[holder], signal.SIGSTOP)
            await asyncio.sleep(1.5 * LEASE_SECONDS / FAST)
            os.kill(pids[holder], signal.SIGCONT)
    for name, job in jobs.items():
        forks.kill(pids[name])
        kept.learn(job)
    await kept.require_whole()
    assert kept.facts.refused == kept.facts.stopped == []
    sys.stdout.write(f"{len(kept.facts.signed)} signed, fenced off {kept.facts.fenced} times\n")


async def test_a_restored_backup_is_refused_by_the_next_process(kept: Kept, forks: Forks, tmp_path: Path) -> None:
    """Files copied away and put back while nothing runs: the guard says no, and why; the newest copy serves."""
    shutil.copyfile(kept.database, tmp_path / "older")
    await grow(kept, 3)
    await publish_once(kept, forks)
    shutil.copyfile(kept.database, tmp_path / "newest")
    shutil.copyfile(tmp_path / "older", kept.database)
    for grows in (0, 3, 3):
        await grow(kept, grows)
        refused = kept.job(appends=0, cycles=1)
        assert forks.wait(forks.begin(refused)) == REFUSED
        kept.learn(refused)
    assert "restored from a backup?" in kept.facts.refused[0]
    assert "does not extend what was signed" in kept.facts.refused[1]
    shutil.copyfile(tmp_path / "newest", kept.database)
    await publish_once(kept, forks)
    await kept.require_whole()


async def grow(kept: Kept, count: int) -> None:
    """So many entries, none of which anybody waits for."""
    async with Database(kept.database).open() as store:
        first = len(kept.leaves())
        await store.commit(WriteSet((), tuple(entry(secrets.randbits(30) + first) for _ in range(count))))


async def publish_once(kept: Kept, forks: Forks) -> None:
    """One process, one cycle."""
    job = kept.job(appends=0, cycles=1)
    assert forks.wait(forks.begin(job)) == 0
    kept.learn(job)
