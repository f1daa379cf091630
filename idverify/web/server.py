"""The aiohttp application: routes, middlewares, and how the process logs."""

from __future__ import annotations

import time
from functools import cache
from typing import Final

import structlog
from aiohttp import web

from idverify.services import urgency
from idverify.services.access import Gate
from idverify.services.office import Office
from idverify.services.published import PublishedShards
from idverify.services.time_stamp import Budget
from idverify.web import assets, status_lists, tsa
from idverify.web import log as published
from idverify.web.body import MAX_BODY
from idverify.web.docs import docs_page
from idverify.web.endpoint import GATE, OFFICE
from idverify.web.metrics import METRICS, Metrics
from idverify.web.openapi import describe
from idverify.web.pages.application import add_pages, error_for_people
from idverify.web.problems import PAGE, Handler, problems, route_name
from idverify.web.public import OPENAPI, READINESS
from idverify.web.representation import Kept
from idverify.web.routes import ROUTES
from idverify.web.single_flight import SingleFlight

SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "idverify",
}

# What the ledger shows may be read by any page, refusals included; what is not there yet may be there in a second.
TO_EVERYBODY: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Cache-Control": "no-store",
}

HSTS: Final = "max-age=63072000"  # two years, this host alone: what its siblings do is not ours to say
GRACE_SECONDS: Final = 5.0
ALWAYS: Final[web.AppKey[dict[str, str]]] = web.AppKey("always")

log = structlog.get_logger()


def make_app(office: Office, *, demo: bool = False) -> web.Application:
    """The application over an open office. Reads what pages are made of from disk, and does no other I/O."""
    app = web.Application(middlewares=[observe, problems], client_max_size=MAX_BODY)
    assert isinstance(office.tally, Metrics)  # whoever serves an office counts what it does
    app[OFFICE], app[GATE], app[METRICS] = office, Gate(office.store, office.doors), office.tally
    app[OPENAPI], app[assets.ASSETS], app[status_lists.PRINTED] = description(), assets.load(), {}
    app[READINESS] = SingleFlight()
    app[published.SHARDS], app[published.RENDERED] = PublishedShards(office), Kept(published.RENDERED_BYTES)
    app[tsa.BUDGET] = Budget(time.monotonic)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, route.respond)
        if route.method == "GET":
            app.router.add_route("HEAD", route.path, route.respond)
    app.router.add_get(assets.ROUTE, app[assets.ASSETS].serve)
    app.router.add_get("/docs", docs_page)
    add_pages(app, app[assets.ASSETS], demo=demo)
    app[PAGE], app[ALWAYS] = error_for_people, dict(SECURITY_HEADERS)
    if office.deployment.iss.startswith("https:"):
        app[ALWAYS]["Strict-Transport-Security"] = HSTS
    return app


@cache
def description() -> bytes:
    """What ``openapi.json`` says: it follows from the routes alone, and takes longer to make than to serve."""
    return describe(ROUTES)


def make_runner(app: web.Application) -> web.AppRunner:
    """What serves the application: ``observe`` writes the access log, and no body is decompressed."""
    return web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=GRACE_SECONDS)


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """One line per request, by route pattern: no path, no query, no body, no person."""
    started = time.perf_counter()
    urgency.of_a_request()
    response = await handler(request)
    path, app = request.path, request.app
    add = response.headers.setdefault
    if path.startswith("/api/"):
        add("Cache-Control", "no-store")
    elif path.startswith(published.PREFIX):
        for name, value in TO_EVERYBODY.items():
            add(name, value)
    for name, value in app[ALWAYS].items():
        add(name, value)
    seconds, route = time.perf_counter() - started, route_name(request)
    app[METRICS].answered(request.method, route, response.status, seconds)
    log.info("request", method=request.method, route=route, status=response.status, ms=round(seconds * 1000, 2))
    return response
