"""The service as it is, and other work that it is given between SIGUSR1 and SIGUSR2: for programs of one's own."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from idverify.app.listen import listen, told_to_stop
from idverify.app.logs import log_to
from idverify.app.services import hold, open_office, running
from idverify.config import Config, load
from idverify.services.office import Office
from idverify.web.metrics import Metrics
from idverify.web.server import make_app, make_runner

Work = Callable[[Office, asyncio.Event], Coroutine[Any, Any, None]]
"""Works while the event is set, and waits while it is not; it is cancelled when the service stops."""


def main(work: Work) -> None:
    """Serve the data directory that the first argument names, until SIGTERM."""
    log_to(None)  # standard output says one thing
    asyncio.run(_serve(load(Path(sys.argv[1])), work))


async def _serve(config: Config, work: Work) -> None:
    hold(config.data)
    async with open_office(config, None, Metrics()) as office, running(office):
        runner = make_runner(make_app(office, demo=config.service.demo))
        await runner.setup()
        told, wanted = told_to_stop(), asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, wanted.set)
        loop.add_signal_handler(signal.SIGUSR2, wanted.clear)
        working = asyncio.create_task(work(office, wanted))
        try:
            await listen(runner, config.service.host, config.service.port, None)
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            await told.wait()
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await runner.cleanup()
