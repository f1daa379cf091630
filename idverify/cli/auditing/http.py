"""A published tree behind a URL: read in parallel, believed in nothing, and never waited for without end."""

from __future__ import annotations

import asyncio
import socket
import threading
import zlib
from collections import deque
from collections.abc import Coroutine, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

from aiohttp import ClientConnectorError, ClientError, ClientResponse, ClientSession, ClientTimeout, TCPConnector
from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver

from idverify.cli.output import WrongUsage
from idverify.errors import Unavailable
from idverify.ledger.files import size_limit

SECONDS: Final = 30.0
"""For one answer in all, however slowly it comes."""
ATTEMPTS: Final = 4
PAUSE: Final = 0.25
"""Seconds before the second attempt; twice as many before each further one."""
CONNECTIONS: Final = 8
AHEAD: Final = 4 * CONNECTIONS

_GONE: Final = frozenset({404, 410})
_TRANSIENT: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_SLACK: Final = 1024
"""Bytes that gzip may add to what does not shrink."""

T = TypeVar("T")


class HttpFiles:
    """``LogFiles`` below a URL, to be used in ``with``. Redirects are not followed: a log has one place."""

    def __init__(self, url: str) -> None:
        """Nothing is asked yet. Raises ``WrongUsage`` for what is no web address."""
        self._base = _base(url)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._session = self._submit(self._open()).result()
        return self

    def __exit__(self, *_: object) -> None:
        self._submit(self._close()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def read(self, path: str) -> bytes | None:
        """The content of a file; None if the server says that there is none.

        Raises ``Unavailable``: no answer, or none that says either, after ``ATTEMPTS`` attempts.
        """
        return self._submit(self._get(path)).result()

    def read_many(self, paths: Iterable[str]) -> Iterator[bytes | None]:
        """The content of each file in order; ``AHEAD`` are asked for at once."""
        asked: deque[Future[bytes | None]] = deque()
        try:
            for path in paths:
                asked.append(self._submit(self._get(path)))
                if len(asked) == AHEAD:
                    yield asked.popleft().result()
            while asked:
                yield asked.popleft().result()
        finally:
            for future in asked:
                future.cancel()

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _open(self) -> ClientSession:
        return ClientSession(
            connector=TCPConnector(limit=CONNECTIONS, resolver=_Resolver()),
            timeout=ClientTimeout(total=SECONDS),
            auto_decompress=False,
            headers={"Accept-Encoding": "gzip, identity"},
        )

    async def _close(self) -> None:
        mine = asyncio.current_task()
        for task in asyncio.all_tasks() - {mine}:
            task.cancel()
        await self._session.close()

    async def _get(self, path: str) -> bytes | None:
        url, limit = self._base + path, size_limit(path)
        pause = PAUSE
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self._session.get(url, allow_redirects=False) as response:
                    if response.status not in _TRANSIENT:
                        return await _content(url, response, limit)
                    why = f"answered {response.status}"
            except (ClientError, TimeoutError, OSError) as error:
                why = f"cannot be reached ({_reason(error)})"
            if attempt < ATTEMPTS:
                await asyncio.sleep(pause)
                pause *= 2
        raise Unavailable(f"{url} {why}, {ATTEMPTS} times.")


def _reason(error: Exception) -> str:
    """In the words of the system where it has any: aiohttp's own repeat the address."""
    if isinstance(error, ClientConnectorError):
        error = error.os_error
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


class _Resolver(ThreadedResolver):
    """``localhost`` is loopback (RFC 6761 section 6.3), also on a machine that has no /etc/hosts."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return await super().resolve("127.0.0.1" if host == "localhost" else host, port, family)


async def _content(url: str, response: ClientResponse, limit: int) -> bytes | None:
    if response.status in _GONE:
        return None
    if response.status != 200:
        raise Unavailable(f"{url} answered {response.status}; expected 200, or 404 for what is not there.")
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding == "identity":
        return await _at_most(response, limit + 1)
    if encoding != "gzip":
        raise Unavailable(f"{url} came in {encoding!r}; expected gzip, or as it is.")
    return _inflated(url, await _at_most(response, limit + _SLACK), limit)


async def _at_most(response: ClientResponse, size: int) -> bytes:
    """The body, cut behind ``size`` bytes."""
    pieces: list[bytes] = []
    left = size
    async for piece in response.content.iter_any():
        pieces.append(piece[:left])
        left -= len(pieces[-1])
        if not left:
            response.close()
            break
    return b"".join(pieces)


def _inflated(url: str, packed: bytes, limit: int) -> bytes:
    """What gzip holds, cut behind ``limit`` and one byte: of a bomb, no more than that is ever unpacked."""
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        data = unpacking.decompress(packed, limit + 1)
    except zlib.error as error:
        raise Unavailable(f"{url} is not the gzip that it says it is ({error}).") from error
    if len(data) <= limit and (not unpacking.eof or unpacking.unused_data):
        raise Unavailable(f"{url} is not one whole gzip member.")
    return data


def _base(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.query and not parts.fragment
    except ValueError:  # brackets that are none
        usable = False
    if not usable or not url.isascii() or not url.isprintable() or " " in url:
        raise WrongUsage(f"The address of a log must be like https://id.example/log/1, in ASCII; got {url!r}.")
    return url if url.endswith("/") else f"{url}/"
