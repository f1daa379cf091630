"""Witnesses on loopback: real ones, and some that hang, lie or answer nonsense."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from idverify.ledger.note import NoteVerifier
from idverify.ledger.witness import Witness, WitnessStore
from idverify.web.witness import make_witness_app
from tests.simulators.witness_memory import NOW, WitnessMemory, cosigners


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """The application on a free port of loopback, by its address."""
    runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=0, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def witnessing(name: str, logs: Sequence[NoteVerifier], memory: WitnessStore | None = None) -> AsyncIterator[str]:
    """A real witness with a memory of its own, or this one."""
    store = WitnessMemory() if memory is None else memory
    async with serving(make_witness_app(Witness(store, logs, cosigners(name), lambda: NOW))) as address:
        yield address


def answering(answer: Callable[[bytes], Awaitable[web.StreamResponse]]) -> web.Application:
    """A stand-in for a witness: whatever it is asked, this is what it answers to the body."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await answer(await request.read())

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    return app
