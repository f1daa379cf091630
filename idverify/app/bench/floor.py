"""The least that an endpoint costs: aiohttp, JSON read, the primitives that the work needs, JSON answered.

A program. Arguments: the file that holds the usual answer, then names of ``PRIMITIVES``. It says its port and
serves until it is told to stop.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson
from aiohttp import web

from idverify.app.bench.primitives import PRIMITIVES


async def serve(answer: object, needed: Sequence[Callable[[], object]]) -> None:
    """Do what is needed for every POST and give ``answer``, until SIGTERM."""

    async def endpoint(request: web.Request) -> web.Response:
        orjson.loads(await request.read())
        for call in needed:
            call()
        return web.Response(body=orjson.dumps(answer), content_type="application/json")

    app = web.Application()
    app.router.add_post("/", endpoint)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await told.wait()
    await runner.cleanup()


if __name__ == "__main__":
    usual, *names = sys.argv[1:]
    asyncio.run(serve(orjson.loads(Path(usual).read_bytes()), [PRIMITIVES[name]() for name in names]))
