"""Background work on authenticators: metadata fetched anew, and keys judged again without anybody asking for it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from idverify.app import authenticators as work
from idverify.core.policy import Role
from idverify.errors import Unavailable
from idverify.services.office import Office
from idverify.stores import queries
from idverify.stores.open import Location
from idverify.web.fetch import fetch_metadata
from tests.simulators.attested_key import OTHER_MODEL, AttestedKey, list_of
from tests.simulators.authenticator import AAGUID
from tests.simulators.service import free_port
from tests.simulators.strict_office import Strict, strict_office
from tests.simulators.tls import make_certificate
from tests.vectors.make_attestation_vectors import blob

PATIENCE = 20.0  # seconds until a test gives up


@pytest.fixture
async def strict(tmp_path: Path, location: Location) -> AsyncIterator[Strict]:
    """A deployment that asks staff for attested keys."""
    async with strict_office(tmp_path, location) as opened:
        yield opened


@asynccontextmanager
async def _served(answers: list[bytes], tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """An address that gives each of these in turn, and the last one from then on."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=answers.pop(0) if len(answers) > 1 else answers[0])

    app = web.Application()
    app.router.add_get("/blob.jwt", answer)
    runner, port = web.AppRunner(app), free_port()
    await runner.setup()
    await web.TCPSite(runner, "localhost", port, ssl_context=tls).start()
    try:
        yield f"http{'s' if tls else ''}://localhost:{port}/blob.jwt"
    finally:
        await runner.cleanup()


async def _number(office: Office) -> int | None:
    rows = await office.store.fetch(queries.NEWEST_METADATA_NUMBER, {})
    return rows[0]["number"] if rows else None


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await holds():  # noqa: ASYNC110  another task commits it
            await asyncio.sleep(0.01)


async def test_metadata_are_fetched_until_there_are_newer_ones(strict: Strict, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not hold is passed over, and so is what is no newer; what was there is used until then."""
    monkeypatch.setattr(work, "FETCHED_EVERY_SECONDS", 0)
    office, good, newer = strict.served.office, blob(), blob(no=1_000_000)

    async def arrived() -> bool:
        return await _number(office) == 1_000_000

    async with _served([b"junk", good.encode(), good.encode(), b"junk", newer.encode()]) as url:
        keeping = asyncio.create_task(work.keep_metadata_new(office, url))
        try:
            await _until(arrived)
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)


async def test_a_place_that_is_away_ends_nothing(strict: Strict, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked again the next day."""
    monkeypatch.setattr(work, "FETCHED_EVERY_SECONDS", 0)
    keeping = asyncio.create_task(work.keep_metadata_new(strict.served.office, f"http://localhost:{free_port()}/blob"))
    await asyncio.sleep(0.2)

    assert not keeping.done()
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert await _number(strict.served.office) is None


async def test_keys_of_a_weak_model_stop_by_themselves(strict: Strict, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody loads metadata by which a model is broken, in whatever process: its keys are suspended."""
    monkeypatch.setattr(work, "LOOKED_EVERY_SECONDS", 0)
    await strict.set_list(list_of(AAGUID, OTHER_MODEL))
    await strict.enrol("Olive Officer", Role.OFFICER, AttestedKey(), AttestedKey(OTHER_MODEL))
    office = strict.served.office

    async def stopped() -> bool:
        return bool(await office.store.fetch(queries.SUSPENDED_KEYS, {}))

    judging = asyncio.create_task(work.judge_keys(office))
    try:
        await asyncio.sleep(0.2)
        assert not await stopped()
        weak = [{"aaguid": "01020304-0506-0708-0102-030405060708", "statusReports": [{"status": "REVOKED"}]}]
        await strict.load(entries=weak)
        await _until(stopped)
    finally:
        judging.cancel()
        await asyncio.gather(judging, return_exceptions=True)

    assert len(await office.store.fetch(queries.SUSPENDED_KEYS, {})) == 1


@pytest.mark.parametrize("trusted", [True, False])
async def test_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, trusted: bool) -> None:
    """The server's certificate is checked: a stranger's is no place to fetch from."""
    certificate, key = tmp_path / "tls.pem", tmp_path / "tls.key"
    make_certificate(certificate, key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    if trusted:
        ours = ssl.create_default_context(cafile=str(certificate))
        monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", ours)
    async with _served([b"a blob"], server) as url:
        if trusted:
            assert await fetch_metadata(url) == b"a blob"
        else:
            with pytest.raises(Unavailable, match="could not be fetched") as refused:
                await fetch_metadata(url)
            assert url in refused.value.detail
            assert "Check the address, or load them from a file." in refused.value.detail
