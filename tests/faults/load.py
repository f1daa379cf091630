"""A service under the load of many issuers."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.simulators.issuers import Issuers
from tests.simulators.service import Api, Deployment, client, start

ISSUERS = 32
PATIENCE = 20.0
"""Seconds after which a test gives up waiting."""
PROGRESS = 60.0
"""Seconds after which it gives up waiting for work to be done."""


@asynccontextmanager
async def rushing(issuers: Issuers) -> AsyncIterator[None]:
    """All issuers at work; on the way out each has finished what it was doing or has lost the service."""
    done = asyncio.Event()
    rush = asyncio.create_task(issuers.rush(done))
    try:
        yield
    finally:
        done.set()
        await rush


@asynccontextmanager
async def prepared(deployment: Deployment) -> AsyncIterator[Issuers]:
    """The issuers of a service that runs, with their people on record."""
    async with client() as session:
        issuers = Issuers(Api(session, deployment))
        await issuers.prepare(ISSUERS)
        yield issuers


async def acknowledged(issuers: Issuers, more: int) -> None:
    """Wait until so many more credentials are acknowledged, however slow the machine is."""
    wanted = len(issuers.answers) + more
    async with asyncio.timeout(PROGRESS):
        while len(issuers.answers) < wanted:  # noqa: ASYNC110 the answers tell nobody
            await asyncio.sleep(0.01)


async def restarted(deployment: Deployment) -> subprocess.Popen[bytes]:
    """The service, started again off the event loop."""
    return await asyncio.to_thread(start, deployment)
