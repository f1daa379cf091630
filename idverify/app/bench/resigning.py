"""The service as it is, and a list that is signed again all the time between SIGUSR1 and SIGUSR2. A program."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from idverify.app.listen import listen, told_to_stop
from idverify.app.logs import log_to
from idverify.app.services import hold, open_office, running
from idverify.config import Config, load
from idverify.formats.status_list import StatusValue
from idverify.services.office import Office
from idverify.stores import tables
from idverify.stores.writes import Put, WriteSet
from idverify.web.metrics import Metrics
from idverify.web.server import make_app, make_runner


async def _sign_again(office: Office, wanted: asyncio.Event) -> None:
    """Each time with another change, so that nothing can be spared."""
    while await wanted.wait():
        place = office.board.allocate()
        row = {"status_list": place.uri, "status_index": place.index, "value": int(StatusValue.INVALID)}
        await office.store.commit(WriteSet((Put(tables.status_entry, row),)))
        await office.board.publish()


async def _serve(config: Config) -> None:
    hold(config.data)
    async with open_office(config, None, Metrics()) as office, running(office):
        runner = make_runner(make_app(office, demo=config.service.demo))
        await runner.setup()
        told, wanted = told_to_stop(), asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, wanted.set)
        loop.add_signal_handler(signal.SIGUSR2, wanted.clear)
        signing = asyncio.create_task(_sign_again(office, wanted))
        try:
            await listen(runner, config.service.host, config.service.port, None)
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            await told.wait()
        finally:
            signing.cancel()
            await asyncio.gather(signing, return_exceptions=True)
            await runner.cleanup()


if __name__ == "__main__":
    log_to(None)  # standard output says one thing
    asyncio.run(_serve(load(Path(sys.argv[1]))))
