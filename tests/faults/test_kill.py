"""Processes die at any moment under load: nothing acknowledged is lost, and nothing stands half done."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from idverify.stores.sqlite import connect
from tests.faults.load import ISSUERS, PATIENCE, acknowledged, prepared, restarted, rushing
from tests.simulators.service import Deployment, kill, start, stop, workers_of

ROUNDS, MORE_ROUNDS = 3, 20  # the latter with --long
ACKNOWLEDGED = (ISSUERS // 4, ISSUERS)  # in each round before the kill, which then comes at any moment
JITTER_SECONDS = 0.2
WORKER_KILLS = 5


def issuances(database: Path, state: str) -> int:
    """How many intents are in a state."""
    with closing(connect(database, read_only=True)) as connection:
        row: sqlite3.Row = connection.execute("SELECT count(*) FROM issuance WHERE state = ?", (state,)).fetchone()
        return int(row[0])


def still_there(pids: list[int]) -> list[int]:
    """Which of these processes exist."""
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@pytest.mark.parametrize("rounds", [ROUNDS, pytest.param(MORE_ROUNDS, marks=pytest.mark.long)])
async def test_kill_under_load(deployment: Deployment, rounds: int) -> None:
    """SIGKILL again and again under 32 issuers: what was acknowledged is there, a repeat completes what was not."""
    seed = secrets.randbits(32)
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(seed)  # noqa: S311 repeatable on purpose
    process = start(deployment)
    try:
        async with prepared(deployment) as issuers:
            for number in range(rounds):
                async with rushing(issuers):
                    await acknowledged(issuers, chance.randint(*ACKNOWLEDGED))
                    await asyncio.sleep(chance.uniform(0, JITTER_SECONDS))
                    kill(process)
                answered, cut_off = len(issuers.answers), len(issuers.unanswered)
                sys.stdout.write(f"round {number}: {answered} acknowledged so far, {cut_off} cut off\n")
                process = await restarted(deployment)
                await issuers.settle(deployment.location)
            assert len(issuers.answers) > rounds * ACKNOWLEDGED[0]
    finally:
        stop(process)


async def test_kill_between_intent_and_signature(deployment: Deployment) -> None:
    """Every issuer has an intent on disk and no signature yet: each is void after the start, and a repeat succeeds."""
    void_before = issuances(deployment.location, "void")
    process = start(deployment)
    try:
        async with prepared(deployment) as issuers:
            (worker,) = workers_of(process.pid)
            os.kill(worker, signal.SIGSTOP)
            async with rushing(issuers), asyncio.timeout(PATIENCE):
                while issuances(deployment.location, "open") < ISSUERS:  # noqa: ASYNC110 the database tells nobody
                    await asyncio.sleep(0.02)
                kill(process)
                os.kill(worker, signal.SIGKILL)
            assert issuers.answers == {}
            process = await restarted(deployment)
            await issuers.settle(deployment.location)
            assert issuances(deployment.location, "void") == void_before + ISSUERS
            assert len(issuers.answers) == ISSUERS
    finally:
        stop(process)


async def test_killing_the_signer_loses_no_request(deployment: Deployment) -> None:
    """The signer process dies again and again: the service goes on, and every single request is answered with 201."""
    void_before = issuances(deployment.location, "void")
    process = start(deployment)
    try:
        async with prepared(deployment) as issuers:
            async with rushing(issuers):
                for _ in range(WORKER_KILLS):
                    await acknowledged(issuers, ISSUERS // 4)
                    for worker in workers_of(process.pid):
                        os.kill(worker, signal.SIGKILL)
            assert len(issuers.answers) > ISSUERS
            assert issuers.unanswered == set()
            await issuers.settle(deployment.location)
            assert issuances(deployment.location, "void") == void_before
            assert process.poll() is None
    finally:
        stop(process)


async def test_stop_under_load(deployment: Deployment) -> None:
    """SIGTERM under 32 issuers: exit status 0, no signer process left, nothing acknowledged lost."""
    process = start(deployment)
    try:
        async with prepared(deployment) as issuers:
            workers = workers_of(process.pid)
            async with rushing(issuers):
                await acknowledged(issuers, ISSUERS)
                process.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(process.wait, PATIENCE) == 0
                assert still_there(workers) == []
            assert workers != []
            assert len(issuers.answers) > 0
            process = await restarted(deployment)
            await issuers.settle(deployment.location)
    finally:
        stop(process)
