"""Status lists are fetched from where their issuer registered, and from nowhere else."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from idverify.errors import Unavailable
from idverify.formats.status_list import MAX_TOKEN
from idverify.web.fetch import MEDIA_TYPE, HttpStatusFetcher, open_fetcher
from tests.simulators.service import free_port

BASE = "https://issuer.example/status"


@pytest.fixture
async def fetcher() -> AsyncIterator[HttpStatusFetcher]:
    """A fetcher as the service opens it."""
    async with open_fetcher() as opened:
        yield opened


@pytest.mark.parametrize(
    "uri",
    [
        "https://issuer.example/statusx/1",
        "https://issuer.example/status",
        "https://issuer.example/other/1",
        "https://issuer.example/status/../admin",
        "https://issuer.example/status/%2e%2e/admin",
        "https://issuer.example/status/1?person=7",
        "https://issuer.example/status/1#x",
        "https://issuer.example/status\\..\\admin",
        "https://user@issuer.example/status/1",
        "https://issuer.example@evil.example/status/1",
        "https://issuer.example.evil.example/status/1",
        "https://issuer.example:8443/status/1",
        "http://issuer.example/status/1",
        "file:///etc/passwd",
        "",
    ],
)
async def test_addresses_that_are_not_the_issuer_s(fetcher: HttpStatusFetcher, uri: str) -> None:
    """An address outside the registered one is refused before anybody is asked."""
    with pytest.raises(Unavailable, match="not at the address"):
        await fetcher.fetch(uri, BASE)


async def _list(request: web.Request) -> web.Response:
    return web.Response(body=b"token for " + request.headers["Accept"].encode())


async def _elsewhere(_request: web.Request) -> web.Response:
    raise web.HTTPFound("/status/1")


async def _error(_request: web.Request) -> web.Response:
    return web.Response(status=500)


async def _large(_request: web.Request) -> web.Response:
    return web.Response(body=bytes(MAX_TOKEN + 1))


async def _cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b"half")
    assert request.transport is not None
    request.transport.abort()
    return response


@pytest.fixture
async def issuer() -> AsyncIterator[str]:
    """An issuer that serves one good list and several bad ones; its registered base."""
    app = web.Application()
    routes = {"1": _list, "elsewhere": _elsewhere, "error": _error, "large": _large, "cut": _cut}
    for name, handler in routes.items():
        app.router.add_get(f"/status/{name}", handler)
    runner, port = web.AppRunner(app), free_port()
    await runner.setup()
    await web.TCPSite(runner, "localhost", port).start()
    yield f"http://localhost:{port}/status"
    await runner.cleanup()


async def test_a_list(fetcher: HttpStatusFetcher, issuer: str) -> None:
    """The list's bytes as served, asked for by its media type."""
    assert await fetcher.fetch(f"{issuer}/1", issuer) == b"token for " + MEDIA_TYPE.encode()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("elsewhere", "answered 302"),
        ("error", "answered 500"),
        ("nothing", "answered 404"),
        ("large", "larger than it may be"),
        ("cut", "could not be fetched"),
    ],
)
async def test_answers_that_are_no_list(fetcher: HttpStatusFetcher, issuer: str, name: str, sentence: str) -> None:
    """A redirect is not followed; errors, cut-off and oversized answers mean that the list cannot be had."""
    with pytest.raises(Unavailable, match=sentence):
        await fetcher.fetch(f"{issuer}/{name}", issuer)


async def test_nobody_there(fetcher: HttpStatusFetcher) -> None:
    """An issuer that does not answer at all is away."""
    base = f"http://localhost:{free_port()}/status"

    with pytest.raises(Unavailable, match="could not be fetched"):
        await fetcher.fetch(f"{base}/1", base)
