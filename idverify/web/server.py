"""The aiohttp application: routes, middlewares, and how the process logs."""

from __future__ import annotations

import time
from typing import Final

import structlog
from aiohttp import web

from idverify.services.access import Gate
from idverify.services.office import Office
from idverify.web.endpoint import GATE, MAX_BODY, OFFICE
from idverify.web.openapi import describe
from idverify.web.problems import Handler, problems, route_name
from idverify.web.public import OPENAPI
from idverify.web.routes import ROUTES

SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "idverify",
}

GRACE_SECONDS: Final = 5.0

log = structlog.get_logger()


def make_app(office: Office) -> web.Application:
    """The application over an open office. Nothing here does I/O."""
    app = web.Application(middlewares=[observe, problems], client_max_size=MAX_BODY)
    app[OFFICE], app[GATE] = office, Gate(office.store)
    app[OPENAPI] = describe(ROUTES)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, route.respond)
    return app


def make_runner(app: web.Application) -> web.AppRunner:
    """What serves the application: ``observe`` writes the access log, and no body is decompressed."""
    return web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=GRACE_SECONDS)


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """One line per request, by route pattern: no path, no query, no body, no person."""
    started = time.perf_counter()
    response = await handler(request)
    response.headers.update(SECURITY_HEADERS)
    log.info(
        "request",
        method=request.method,
        route=route_name(request),
        status=response.status,
        ms=round((time.perf_counter() - started) * 1000, 2),
    )
    return response
