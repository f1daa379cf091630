"""The least that any endpoint costs: aiohttp, JSON read, JSON of the usual size answered, and nothing else.

A program: the answer is in the file named as its argument; it says its port and serves until it is told to stop.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import orjson
from aiohttp import web


async def serve(answer: object) -> None:
    """Answer every POST with ``answer``, until SIGTERM."""

    async def echo(request: web.Request) -> web.Response:
        orjson.loads(await request.read())
        return web.Response(body=orjson.dumps(answer), content_type="application/json")

    app = web.Application()
    app.router.add_post("/", echo)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await told.wait()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(orjson.loads(Path(sys.argv[1]).read_bytes())))
