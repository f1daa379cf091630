"""The disk refuses writes under load: errors are unknowns, the service stops, and the next start knows the truth."""

from __future__ import annotations

import asyncio
import resource

from tests.faults.commands import COULD_NOT_TELL
from tests.faults.load import PATIENCE, acknowledged, prepared, restarted, rushing
from tests.simulators.service import Deployment, start, stop

ROOM = 64 * 1024


async def test_a_disk_that_fails_under_load(deployment: Deployment) -> None:
    """The kernel lets no file grow further: no false 201, exit status 2 with the reason, and repeats succeed later."""
    log = deployment.data / "service.log"
    wal = deployment.location.with_name(deployment.location.name + "-wal")
    process = start(deployment)
    try:
        async with prepared(deployment) as issuers:
            async with rushing(issuers):
                await acknowledged(issuers, 1)
                limit = max(wal.stat().st_size, log.stat().st_size) + ROOM
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))
                assert await asyncio.to_thread(process.wait, PATIENCE) == COULD_NOT_TELL
            reason = log.read_text().splitlines()[-1]
            assert "COMMIT failed" in reason
            assert "then start again" in reason
            assert len(issuers.answers) > 0
            assert len(issuers.unanswered) > 0
            process = await restarted(deployment)
            await issuers.settle(deployment.location)
    finally:
        stop(process)
