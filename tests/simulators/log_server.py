"""A web server on loopback that serves a published tree, and misbehaves where it is told to."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Self

from aiohttp import web

from tests.simulators.published_tree import TreeInMemory

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class LogServer:
    """Serves `tree` in a thread of its own; `faults` answer in the place of a path's file."""

    def __init__(self, tree: TreeInMemory, *, packed: bool = False) -> None:
        self.tree = tree
        self.packed = packed
        self.faults: dict[str, Handler] = {}
        self.asked: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        self.url = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> str:
        app = web.Application()
        app.router.add_get("/log/1/{path:.*}", self._serve)
        app.router.add_get("/{rest:.*}", self._elsewhere)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}/log/1"

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        self.asked[path] += 1
        if path in self.faults:
            return await self.faults[path](request)
        data = self.tree.files.get(path)
        if data is None:
            return web.Response(status=404)
        if self.packed and "entries" in path:
            return web.Response(body=gzip.compress(data), headers={"Content-Encoding": "gzip"})
        return web.Response(body=data)

    async def _elsewhere(self, request: web.Request) -> web.StreamResponse:
        self.asked[request.path] += 1
        handler = self.faults.get(request.path)
        return web.Response(status=404) if handler is None else await handler(request)
