"""A service in miniature: opens workers, keeps two of them busy, says who they are, and stops when told to."""

from __future__ import annotations

import asyncio
import signal
import sys

from idverify.sandbox.workers import open_workers


async def main(table: str) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    async with open_workers(2, table) as workers:
        pids = [await workers.do(f"{pool} pid", {}) for pool in ("reading", "making")]
        jobs = [asyncio.create_task(workers.do(f"{pool} spin long", {})) for pool in ("reading", "making")]
        await asyncio.sleep(0.2)
        print(*pids, flush=True)  # noqa: T201  whoever started it waits for this line
        await told.wait()
    await asyncio.gather(*jobs, return_exceptions=True)


asyncio.run(main(sys.argv[1]))
