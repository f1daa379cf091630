"""Listening on a port, and hearing that it is time to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl

from aiohttp import web

from idverify.errors import SetupError


async def listen(runner: web.AppRunner, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
    """Open the port. Raises ``SetupError`` if it cannot be used."""
    site = web.TCPSite(runner, host, port, ssl_context=tls)
    try:
        await site.start()
    except OSError as error:
        raise SetupError(
            f"Port {port} on {host} cannot be used ({os.strerror(error.errno or 0)}).",
            "Stop what uses it, or choose another directory and port.",
        ) from error


def require_free(host: str, port: int) -> None:
    """Raises ``SetupError`` if the port is taken: asked before anything is made that is tied to it."""
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise SetupError(
            f"Port {port} on {host} cannot be used ({os.strerror(error.errno or 0)}).",
            "Stop what uses it, or choose another: --port N",
        ) from error


def told_to_stop() -> asyncio.Event:
    """Set by the first SIGINT or SIGTERM."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, told.set)
    return told
