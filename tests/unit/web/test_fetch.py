"""Status lists are fetched from where their issuer registered, from public servers, and from nowhere else."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from idverify.errors import Unavailable
from idverify.formats.status_list import MAX_TOKEN
from idverify.web import fetch
from idverify.web.fetch import MEDIA_TYPES, HttpStatusFetcher, open_fetcher
from idverify.web.reach import Reach
from tests.simulators.outbound import outbound
from tests.simulators.service import free_port
from tests.simulators.tls import make_certificate

BASE = "https://issuer.example/status"
JWT, CWT = MEDIA_TYPES
CWT_BYTES = b"\xd2cwt"  # no text, as a COSE_Sign1 begins
DEMO = Reach(demo=True)


@pytest.fixture
async def fetcher() -> AsyncIterator[HttpStatusFetcher]:
    """A fetcher as a demo opens it."""
    async with open_fetcher(DEMO) as opened:
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
    with outbound() as seen, pytest.raises(Unavailable, match="not at the address"):
        await fetcher.fetch(uri, BASE)
    assert seen == []


async def _list(request: web.Request) -> web.Response:
    return web.Response(body=b"token for " + request.headers["Accept"].encode(), content_type=JWT)


async def _cwt(_request: web.Request) -> web.Response:
    return web.Response(body=CWT_BYTES, content_type=CWT)


async def _jwt_as_cwt(_request: web.Request) -> web.Response:
    return web.Response(body=b"ey.ey.A", content_type=CWT)


async def _cwt_as_jwt(_request: web.Request) -> web.Response:
    return web.Response(body=CWT_BYTES, content_type=JWT)


async def _elsewhere(_request: web.Request) -> web.Response:
    raise web.HTTPFound("/status/1")


async def _error(_request: web.Request) -> web.Response:
    return web.Response(status=500)


async def _large(_request: web.Request) -> web.Response:
    return web.Response(body=bytes(MAX_TOKEN + 1), content_type=JWT)


async def _page(_request: web.Request) -> web.Response:
    return web.Response(body=b"<p>Sign in", content_type="text/html")


async def _bomb(_request: web.Request) -> web.Response:
    packed = gzip.compress(bytes(50 * MAX_TOKEN))
    return web.Response(body=packed, content_type=JWT, headers={"Content-Encoding": "gzip"})


async def _cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100", "Content-Type": JWT})
    await response.prepare(request)
    await response.write(b"half")
    assert request.transport is not None
    request.transport.abort()
    return response


async def _drip(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": JWT})
    await response.prepare(request)
    while True:
        await response.write(b".")
        await asyncio.sleep(0.05)


@dataclass
class Issuer:
    """Serves one good list and several bad ones below ``base``; ``seen`` are the requests that came."""

    base: str = ""
    seen: list[web.Request] = field(default_factory=list)
    late: asyncio.Event = field(default_factory=asyncio.Event)

    async def slow(self, _request: web.Request) -> web.Response:
        """The list, once ``late`` is set."""
        await self.late.wait()
        return web.Response(body=b"late", content_type=JWT)

    def application(self) -> web.Application:
        """Everything below ``/status``."""

        @web.middleware
        async def remember(request: web.Request, handler: Callable[[web.Request], object]) -> web.StreamResponse:
            self.seen.append(request)
            answer: web.StreamResponse = await handler(request)  # type: ignore[misc]
            return answer

        app = web.Application(middlewares=[remember])
        routes = {"1": _list, "cwt": _cwt, "elsewhere": _elsewhere, "error": _error, "large": _large, "cut": _cut}
        routes |= {"jwt-as-cwt": _jwt_as_cwt, "cwt-as-jwt": _cwt_as_jwt}
        for name, handler in {**routes, "page": _page, "bomb": _bomb, "drip": _drip, "slow": self.slow}.items():
            app.router.add_get(f"/status/{name}", handler)
        return app


@asynccontextmanager
async def _serving(app: web.Application, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    runner, port = web.AppRunner(app, shutdown_timeout=0.1), free_port()
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
        yield port
    finally:
        await runner.cleanup()


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    """An issuer on this machine."""
    serves = Issuer()
    async with _serving(serves.application()) as port:
        serves.base = f"http://localhost:{port}/status"
        yield serves


async def test_a_list(fetcher: HttpStatusFetcher, issuer: Issuer) -> None:
    """The list's bytes as served, asked for by its media types and by nothing that tells of anybody."""
    assert await fetcher.fetch(f"{issuer.base}/1", issuer.base) == b"token for " + ", ".join(MEDIA_TYPES).encode()
    assert await fetcher.fetch(f"{issuer.base}/cwt", issuer.base) == CWT_BYTES

    (first, _) = issuer.seen
    assert set(first.headers) == {"Host", "Accept", "Accept-Encoding", "Connection", "User-Agent"}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("elsewhere", "answered 302"),
        ("error", "answered 500"),
        ("nothing", "answered 404"),
        ("large", "larger than it may be"),
        ("cut", "could not be fetched"),
        ("page", "another media type"),
        ("bomb", "came compressed"),
        ("jwt-as-cwt", "came as application/statuslist[+]cwt, which it is not"),
        ("cwt-as-jwt", "came as application/statuslist[+]jwt, which it is not"),
    ],
)
async def test_answers_that_are_no_list(fetcher: HttpStatusFetcher, issuer: Issuer, name: str, sentence: str) -> None:
    """A redirect is not followed; what is an error, cut off, oversized or something else is no list.

    The same answer is given for a while without anybody being asked.
    """
    for _ in range(3):
        with pytest.raises(Unavailable, match=sentence):
            await fetcher.fetch(f"{issuer.base}/{name}", issuer.base)
    assert len(issuer.seen) == 1


async def test_nobody_there(fetcher: HttpStatusFetcher) -> None:
    """An issuer that does not answer at all is away."""
    base = f"http://localhost:{free_port()}/status"

    with pytest.raises(Unavailable, match="could not be fetched"):
        await fetcher.fetch(f"{base}/1", base)


async def test_after_a_pause_the_issuer_is_asked_again(
    fetcher: HttpStatusFetcher, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What failed is remembered for half a minute, and of no more lists than can be remembered."""
    monkeypatch.setattr(fetch, "MOST_REMEMBERED", 1)
    for name in ("error", "elsewhere", "error"):
        with pytest.raises(Unavailable):
            await fetcher.fetch(f"{issuer.base}/{name}", issuer.base)
    assert len(issuer.seen) == 3

    later = time.monotonic() + fetch.RETRY_SECONDS + 1
    monkeypatch.setattr(fetch.time, "monotonic", lambda: later)
    with pytest.raises(Unavailable, match="500"):
        await fetcher.fetch(f"{issuer.base}/error", issuer.base)
    assert len(issuer.seen) == 4


async def test_whoever_waits_waits_for_a_short_while(
    fetcher: HttpStatusFetcher, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow issuer delays nobody; what comes late is there for whoever asks next, and then it is asked anew."""
    monkeypatch.setattr(fetch, "DEADLINE_SECONDS", 0.1)
    uri, began = f"{issuer.base}/slow", time.monotonic()
    for _ in range(2):
        with pytest.raises(Unavailable, match="did not come within"):
            await fetcher.fetch(uri, issuer.base)
    assert time.monotonic() - began < 1
    issuer.late.set()
    await asyncio.sleep(0.2)

    assert await fetcher.fetch(uri, issuer.base) == b"late"
    assert len(issuer.seen) == 1
    assert await fetcher.fetch(uri, issuer.base) == b"late"
    assert len(issuer.seen) == 2


async def test_what_came_too_late_is_fetched_again(
    fetcher: HttpStatusFetcher, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute later nobody takes it for new."""
    monkeypatch.setattr(fetch, "DEADLINE_SECONDS", 0.1)
    monkeypatch.setattr(fetch, "LATE_SECONDS", -1)
    with pytest.raises(Unavailable):
        await fetcher.fetch(f"{issuer.base}/slow", issuer.base)
    issuer.late.set()
    await asyncio.sleep(0.2)

    assert await fetcher.fetch(f"{issuer.base}/slow", issuer.base) == b"late"
    assert len(issuer.seen) == 2


async def test_a_list_that_drips(fetcher: HttpStatusFetcher, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many bytes come, the whole of it has a time; then it has failed for everybody."""
    monkeypatch.setattr(fetch, "SECONDS", 0.3)
    async with open_fetcher(DEMO) as short:
        with pytest.raises(Unavailable, match="could not be fetched"):
            await short.fetch(f"{issuer.base}/drip", issuer.base)


async def test_many_who_ask_are_one_fetch(fetcher: HttpStatusFetcher, issuer: Issuer) -> None:
    """Of one list there is one fetch at a time, however many wait for it."""
    waits = [asyncio.create_task(fetcher.fetch(f"{issuer.base}/slow", issuer.base)) for _ in range(50)]
    await asyncio.sleep(0.2)
    issuer.late.set()

    assert set(await asyncio.gather(*waits)) == {b"late"}
    assert len(issuer.seen) == 1


async def test_few_fetches_altogether(
    fetcher: HttpStatusFetcher, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever makes many lists slow holds up none of the others' verifications for longer."""
    monkeypatch.setattr(fetch, "MOST_AT_ONCE", 1)
    first = asyncio.create_task(fetcher.fetch(f"{issuer.base}/slow", issuer.base))
    await asyncio.sleep(0.1)

    with pytest.raises(Unavailable, match="Too many"):
        await fetcher.fetch(f"{issuer.base}/1", issuer.base)
    issuer.late.set()
    assert await first == b"late"
    assert await fetcher.fetch(f"{issuer.base}/1", issuer.base)


# --- where names lead ---------------------------------------------------------------------------------------------


@dataclass
class Names(AbstractResolver):
    """A name server of a test's: the next of ``answers`` at each look-up, the last again and again."""

    answers: list[list[str]]
    asked: list[str] = field(default_factory=list)

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
        """The next answer, whatever ``family`` is asked for."""
        del family
        self.asked.append(host)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        kinds = [(one, socket.AF_INET6 if ":" in one else socket.AF_INET) for one in found]
        return [ResolveResult(hostname=host, host=one, port=port, family=kind, proto=0, flags=0) for one, kind in kinds]

    async def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["169.254.169.254"], ["fe80::1%lo"], []],
)
async def test_a_name_that_leads_inside(addresses: list[str]) -> None:
    """Nobody is connected to, also not at the public address that the name has besides."""
    names = Names([addresses])
    async with open_fetcher(Reach(), names=names) as fetcher:
        with outbound() as seen, pytest.raises(Unavailable, match="could not be fetched"):
            await fetcher.fetch(f"{BASE}/1", BASE)

    assert names.asked == ["issuer.example"]
    assert seen == []


async def test_a_name_that_changes_its_mind(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the address that was judged is the one that is connected to, and nobody looks again."""
    names, connected = Names([["203.0.113.7"], ["127.0.0.1"]]), []
    monkeypatch.setattr("idverify.web.reach.is_public", lambda address: not address.is_loopback)

    async def refused(*, addr_infos: list[tuple[object, ...]], **_: object) -> socket.socket:
        connected.extend(info[4] for info in addr_infos)
        raise OSError("unreachable in a test")

    monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", refused)
    async with open_fetcher(Reach(), names=names) as fetcher:
        with pytest.raises(Unavailable, match="could not be fetched"):
            await fetcher.fetch(f"{BASE}/1", BASE)

    assert names.asked == ["issuer.example"]
    assert connected == [("203.0.113.7", 443)]


@dataclass
class Secure:
    """A server with a certificate for ``list.example`` on this machine, and whom to believe for it."""

    port: int
    issuer: Issuer
    believed: ssl.SSLContext
    hosts: list[str | None] = field(default_factory=list)


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[Secure]:
    """It remembers which name each client asked for."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    make_certificate(certificate, key, ["list.example"])
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificate, key)
    hosts: list[str | None] = []
    served.sni_callback = lambda _socket, name, _context: hosts.append(name)
    serves = Issuer()
    async with _serving(serves.application(), served) as port:
        yield Secure(port, serves, ssl.create_default_context(cafile=str(certificate)), hosts)


INSIDE = Reach(private_hosts=frozenset({"list.example", "other.example"}))


async def test_the_name_is_asked_for_and_checked(secure: Secure) -> None:
    """At the judged address the host is asked for by its name, in TLS and in HTTP."""
    base = f"https://list.example:{secure.port}/status"
    async with open_fetcher(INSIDE, names=Names([["127.0.0.1"]]), tls=secure.believed) as fetcher:
        assert await fetcher.fetch(f"{base}/1", base)

    assert secure.hosts == ["list.example"]
    assert secure.issuer.seen[0].headers["Host"] == f"list.example:{secure.port}"


@pytest.mark.parametrize("trusting", [True, False])
async def test_another_s_certificate(secure: Secure, trusting: bool) -> None:  # noqa: FBT001  a parameter of the test
    """A certificate for another name, or by nobody who is believed, ends it before anything is asked."""
    host = "other.example" if trusting else "list.example"
    base, believed = f"https://{host}:{secure.port}/status", secure.believed if trusting else None
    async with open_fetcher(INSIDE, names=Names([["127.0.0.1"]]), tls=believed) as fetcher:
        with pytest.raises(Unavailable, match="could not be fetched"):
            await fetcher.fetch(f"{base}/1", base)

    assert secure.issuer.seen == []


async def test_no_proxy_and_no_credentials_of_the_environment(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the environment says of proxies and passwords is nobody's business here."""
    (tmp_path / "netrc").write_text("machine localhost login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://localhost:{free_port()}")
    async with AsyncExitStack() as stack:
        fetcher = await stack.enter_async_context(open_fetcher(DEMO))
        assert await fetcher.fetch(f"{issuer.base}/1", issuer.base)

    assert "Authorization" not in issuer.seen[0].headers
