"""The witness over HTTP: two routes, plain text, and no office behind them."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import structlog
from aiohttp import web

from idverify.errors import IdverifyError, OutcomeUnknown
from idverify.ledger.errors import RefusedError
from idverify.ledger.witness import Witness
from idverify.ledger.witness_protocol import MAX_REQUEST, SIZE_TYPE, write_size
from idverify.web.body import read_body
from idverify.web.problems import Handler

WITNESS: Final[web.AppKey[Witness]] = web.AppKey("witness")
IN_DOUBT: Final[web.AppKey[asyncio.Event]] = web.AppKey("in_doubt")
"""Set when nobody knows what the storage holds: whoever serves the application must end the process."""
HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Server": "idverify-witness"}

log = structlog.get_logger()


def make_witness_app(witness: Witness) -> web.Application:
    """The application over an open witness, at the root of its address: both prefixes are the same."""
    app = web.Application(middlewares=[plainly], client_max_size=MAX_REQUEST)
    app[WITNESS], app[IN_DOUBT] = witness, asyncio.Event()
    app.router.add_post("/add-checkpoint", add_checkpoint)
    app.router.add_get("/{origin_hash:[0-9a-f]{64}}/checkpoint", checkpoint)
    return app


@web.middleware
async def plainly(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error as a sentence in plain text, and one line in the log for each request."""
    started = time.perf_counter()
    response = await _answered(request, handler)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    seconds = time.perf_counter() - started
    log.info("request", method=request.method, status=response.status, ms=round(seconds * 1000, 2))
    return response


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:  # aiohttp's own: no such path, no such method
        return web.Response(text=f"{error.reason}\n", status=error.status)
    except IdverifyError as error:
        if isinstance(error, OutcomeUnknown):
            request.app[IN_DOUBT].set()
        if error.status >= 500:
            log.exception("witness_cannot", detail=error.detail)
        return web.Response(text=f"{error.detail}\n", status=error.status)
    except Exception:
        log.exception("unexpected_error")
        return web.Response(text="Something went wrong here; it was logged.\n", status=500)


async def add_checkpoint(request: web.Request) -> web.Response:
    """``POST add-checkpoint``."""
    body = await read_body(request, MAX_REQUEST)
    try:
        lines = await request.app[WITNESS].add_checkpoint(body)
    except RefusedError as refused:
        if refused.evidence is not None:
            notes = [note.decode() for note in refused.evidence]
            log.warning("two_trees_under_one_signature", detail=refused.detail, notes=notes)
        if refused.size is not None:
            return web.Response(body=write_size(refused.size), status=409, content_type=SIZE_TYPE)
        return web.Response(text=f"{refused.detail}\n", status=refused.status)
    return web.Response(body=lines, content_type="text/plain", charset="utf-8")


async def checkpoint(request: web.Request) -> web.Response:
    """``GET <origin hash>/checkpoint``."""
    note = await request.app[WITNESS].checkpoint(request.match_info["origin_hash"])
    if note is None:
        return web.Response(text="This witness has cosigned no checkpoint of that log.\n", status=404)
    return web.Response(body=note, content_type="text/plain", charset="utf-8")
