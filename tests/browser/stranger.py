"""A site of somebody else's on this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from tests.simulators.service import free_port


@asynccontextmanager
async def stranger(html: str, host: str = "localhost") -> AsyncIterator[str]:
    """Serve one page at every path; its origin.

    ``localhost`` on another port is another origin of the same site, so the browser sends our cookies along;
    ``127.0.0.1`` is another site.
    """

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=html, content_type="text/html")

    app = web.Application()
    app.router.add_get("/{path:.*}", page)
    runner, port = web.AppRunner(app, access_log=None), free_port()
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
