"""Serving: open the office, run its background work, listen until told to stop."""

from __future__ import annotations

import asyncio
import gc
import os
import ssl
from collections.abc import Callable
from typing import Any

import structlog

from idverify.app.listen import listen, told_to_stop
from idverify.app.services import hold, open_office, reach, running
from idverify.config import Config, Service
from idverify.errors import SetupError
from idverify.web.fetch import open_fetcher
from idverify.web.metrics import Metrics
from idverify.web.pages.call import AROUND
from idverify.web.server import make_app, make_runner

log = structlog.get_logger()
LOOPBACK = ("127.0.0.1", "localhost", "::1")
COLLECT_AFTER = 10_000  # objects: a request makes hundreds, and nearly all of them end with it


async def serve(config: Config, ready: Callable[[], None], halted: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. ``ready`` is called once the port is open, ``halted`` when the log is found to be.

    Raises ``SetupError`` where the operator must act.
    """
    tls = listener_tls(config.service)
    lock = hold(config.data)
    try:
        async with (
            open_fetcher(reach(config)) as fetcher,
            open_office(config, fetcher, Metrics(), halted) as office,
            running(office, config.security_keys.metadata_url) as failed,
        ):
            app = make_app(office, demo=config.service.demo)
            runner = make_runner(app)
            await runner.setup()
            templates = asyncio.create_task(asyncio.to_thread(app[AROUND].renderer.compile_all))
            told = told_to_stop()  # before anybody hears that there is something to stop
            try:
                await listen(runner, config.service.host, config.service.port, tls)
                _spare_the_collector()
                ready()
                await _until(told, failed)
            finally:
                await runner.cleanup()
                await templates
    finally:
        os.close(lock)


def listener_tls(service: Service) -> ssl.SSLContext | None:
    """The TLS context to listen with. Raises ``SetupError`` for half of it, and for a public host without any."""
    if (service.tls_certificate is None) != (service.tls_key is None):
        raise SetupError("TLS needs a certificate and its key; one of them is missing.", "Give both, or neither.")
    if service.tls_certificate is not None and service.tls_key is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(service.tls_certificate, service.tls_key)
        except (OSError, ssl.SSLError) as error:
            raise SetupError(
                f"The TLS certificate cannot be used ({error}).", "Give a PEM chain and its key."
            ) from error
        return context
    if service.host not in LOOPBACK and not service.behind_proxy:
        raise SetupError(
            f"Listening on {service.host} without TLS would expose people.",
            "Give --tls-certificate and --tls-key, or --behind-proxy if a TLS proxy stands in front.",
        )
    return None


def _spare_the_collector() -> None:
    """What was made until here lives as long as the process: looking through it again and again finds nothing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


async def _until(told: asyncio.Event, failed: asyncio.Future[Any]) -> None:
    waiting: asyncio.Future[Any] = asyncio.ensure_future(told.wait())
    try:
        await asyncio.wait({waiting, failed}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if failed.done() and not told.is_set():
        reason = failed.result()
        log.error("background_work_failed", error=repr(reason))
        raise SetupError(
            f"Background work failed: {str(reason).rstrip('.')}.", "Run: idverify ledger fsck; then start again."
        )
