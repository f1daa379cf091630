"""How long whoever verifies waits while the service has other work, against the same service without it.

The same documents are sent over a few connections from another process, first alone and then beside the work.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final

import orjson

from hsm.rows import Pair
from idverify.app.bench.deployment import Deployment, Holder
from idverify.app.bench.effort import Effort
from idverify.app.bench.load import Request, drive
from idverify.app.bench.programs import Program, answer_of, running
from idverify.errors import IdverifyError

CONNECTIONS: Final = 4
UNIT: Final = "per p99 of the answers, in seconds"
AT_MOST_TWICE: Final = 0.5


@asynccontextmanager
async def told(service: Program) -> AsyncIterator[None]:
    """The program does its other work."""
    os.kill(service.pid, signal.SIGUSR1)
    try:
        yield
    finally:
        os.kill(service.pid, signal.SIGUSR2)


async def verified_meanwhile(
    directory: Path,
    deployment: Deployment,
    effort: Effort,
    program: str,
    working: Callable[[Program], AbstractAsyncContextManager[None]] = told,
) -> list[Pair]:
    """A pair for each round: the p99 beside the work of ``program``, while ``working``, and without it."""
    data, port = str(deployment.config.data), deployment.config.service.port
    async with running(directory / "service.log", program, data) as service:
        requests = await _documents(deployment, port)
        await _slowest(port, requests, effort.meanwhile_seconds)  # warms up
        rounds = []
        for _ in range(effort.rounds):
            quiet = await _slowest(port, requests, effort.meanwhile_seconds)
            async with working(service):
                rounds.append(Pair(await _slowest(port, requests, effort.meanwhile_seconds), quiet))
    return rounds


async def _slowest(port: int, requests: Sequence[Request], seconds: float) -> float:
    """The time within which 99 of 100 answers came, seconds."""
    encoded = [one.encode() for one in requests]
    question = {"port": port, "connections": CONNECTIONS, "requests": encoded, "seconds": seconds}
    answers = orjson.loads(await answer_of("idverify.app.bench.latencies", orjson.dumps(question)))
    wrong = [status for status, _ in answers if status != 200]
    if wrong:
        raise IdverifyError(f"The service answered {wrong[0]} instead of 200.")
    taken = sorted(seconds for _, seconds in answers)
    return float(taken[len(taken) * 99 // 100])


async def _documents(deployment: Deployment, port: int) -> list[Request]:
    """Collect credentials; each is then a document to be verified."""
    holders = [Holder(offer) for offer in deployment.offers]
    collecting = [
        _post(
            "/api/v1/credentials",
            {"code": holder.offer.code, "proof": holder.proof()},
            {"Idempotency-Key": holder.offer.nonce},
        )
        for holder in holders
    ]
    for holder, answer in zip(holders, await drive(port, collecting, 201), strict=True):
        holder.credential = orjson.loads(answer)["credential"]
    known = {"Authorization": f"Bearer {deployment.api_key}"}
    return [_post("/api/v1/verify", {"document": holder.shown()}, known) for holder in holders]


def _post(path: str, body: dict[str, str], headers: dict[str, str]) -> Request:
    return Request(path, orjson.dumps(body), headers)
