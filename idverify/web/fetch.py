"""Fetching status lists of registered issuers, and FIDO's metadata, over HTTP; nothing else of anybody.

What a document names is fetched only below the address that two admins registered for its issuer, from a public address
that was judged and is then connected to, without redirects, cookies, credentials or proxies, capped in size and time.
Whoever waits for it waits for a short while: what comes later is there for whoever asks next.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from idverify.auth.mds import MAX_BLOB
from idverify.errors import Unavailable
from idverify.formats.status_list import MAX_TOKEN
from idverify.formats.status_list_cwt import FORMS, media_type_of
from idverify.services.status_source import under
from idverify.web.reach import Reach
from idverify.web.resolver import Judging, OwnThreads

DEADLINE_SECONDS: Final = 2.0
"""As long as a verification waits for a list."""
SECONDS: Final = 10.0
"""As long as a fetch may take altogether, however the bytes drip."""
CONNECT_SECONDS: Final = 4.0
RETRY_SECONDS: Final = 30.0
LATE_SECONDS: Final = 60.0
"""As long as a list that came too late is there for whoever asks next."""
METADATA_SECONDS: Final = 120.0  # some megabytes
MOST_AT_ONCE: Final = 8
MOST_REMEMBERED: Final = 1024
RESOLVERS: Final = 4
MEDIA_TYPES: Final = tuple(FORMS)
_BUSY: Final = "Too many status lists are being fetched now; this one was not."
_ELSEWHERE: Final = "The status list is not at the address its issuer registered; it was not fetched."
_LATE: Final = f"The issuer's status list did not come within {DEADLINE_SECONDS:g} seconds."


@dataclass(frozen=True, slots=True)
class _Failed:
    until: float
    why: str


@dataclass(frozen=True, slots=True)
class _Came:
    body: bytes
    at: float


class HttpStatusFetcher:
    """``ports.StatusFetcher``: one fetch of a list at a time, few altogether, and a pause after each failure."""

    def __init__(self, session: aiohttp.ClientSession, reach: Reach) -> None:
        self._session, self._reach = session, reach
        self._under_way: dict[str, asyncio.Task[_Came]] = {}
        self._failed: OrderedDict[str, _Failed] = OrderedDict()

    async def fetch(self, uri: str, base: str) -> bytes:
        """The token at a URI under an issuer's registered base."""
        if not self._may_fetch(uri, base):
            raise Unavailable(_ELSEWHERE)
        self._require_not_failed(uri)
        late = self._under_way.pop(uri, None) if uri in self._done() else None
        if late is not None and late.exception() is None and late.result().at + LATE_SECONDS > time.monotonic():
            return late.result().body
        task = self._under_way.get(uri) or self._begun(uri)
        finished, _ = await asyncio.wait({task}, timeout=DEADLINE_SECONDS)
        if not finished:
            raise Unavailable(_LATE)
        if self._under_way.get(uri) is task:
            del self._under_way[uri]
        return task.result().body

    async def close(self) -> None:
        """End every fetch that is under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._under_way.clear()

    def _done(self) -> list[str]:
        """What came late, or failed late: nobody has asked for it since. The oldest first."""
        return [uri for uri, task in self._under_way.items() if task.done()]

    def _begun(self, uri: str) -> asyncio.Task[_Came]:
        for late in self._done()[:-MOST_AT_ONCE]:
            del self._under_way[late]
        if len(self._under_way) - len(self._done()) >= MOST_AT_ONCE:
            raise Unavailable(_BUSY)
        self._under_way[uri] = task = asyncio.create_task(self._fetched(uri), name="status list of an issuer")
        task.add_done_callback(_seen)
        return task

    async def _fetched(self, uri: str) -> _Came:
        try:
            return _Came(await _status_list(self._session, uri), time.monotonic())
        except Unavailable as away:
            self._failed[uri] = _Failed(time.monotonic() + RETRY_SECONDS, away.detail)
            self._failed.move_to_end(uri)
            while len(self._failed) > MOST_REMEMBERED:
                self._failed.popitem(last=False)
            raise

    def _require_not_failed(self, uri: str) -> None:
        failed = self._failed.get(uri)
        if failed is not None and failed.until > time.monotonic():
            raise Unavailable(failed.why)
        self._failed.pop(uri, None)

    def _may_fetch(self, uri: str, base: str) -> bool:
        """Same scheme, host and port, below the base path, with nothing that could lead elsewhere."""
        if not self._reach.allows_url(uri) or not under(uri, base):
            return False
        asked, registered = urlsplit(uri), urlsplit(base)
        return (asked.scheme, asked.netloc) == (registered.scheme, registered.netloc)


async def fetch_metadata(url: str) -> bytes:
    """The metadata at an address of the operator's choice. Raises ``Unavailable``."""
    timeout = aiohttp.ClientTimeout(total=METADATA_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False) as session:
        try:
            _, blob = await _capped(session, url, None, MAX_BLOB, f"The metadata of authenticators at {url}")
        except Unavailable as away:
            raise Unavailable(f"{away} Check the address, or load them from a file.") from away
    return blob


@asynccontextmanager
async def open_fetcher(
    reach: Reach, *, names: AbstractResolver | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[HttpStatusFetcher]:
    """A fetcher with a session of its own. ``names`` looks hosts up, ``tls`` says whom to believe of them."""
    connector = aiohttp.TCPConnector(
        resolver=Judging(names or OwnThreads(RESOLVERS), reach.allows_address),
        use_dns_cache=False,
        force_close=True,  # every connection is to an address that was judged for it
        limit=MOST_AT_ONCE,
        ssl=True if tls is None else tls,
    )
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=SECONDS, sock_connect=CONNECT_SECONDS),
        headers={"Accept-Encoding": "identity", "User-Agent": "idverify"},
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
    ) as session:
        fetcher = HttpStatusFetcher(session, reach)
        try:
            yield fetcher
        finally:
            await fetcher.close()


async def _status_list(session: aiohttp.ClientSession, uri: str) -> bytes:
    """The token at a URI; it is in the form that the answer's media type names (Token Status List, section 8.2)."""
    what = "The issuer's status list"
    media_type, body = await _capped(session, uri, MEDIA_TYPES, MAX_TOKEN, what)
    if media_type_of(body) != media_type:
        raise Unavailable(f"{what} came as {media_type}, which it is not.")
    return body


async def _capped(
    session: aiohttp.ClientSession, uri: str, types: tuple[str, ...] | None, most: int, what: str
) -> tuple[str, bytes]:
    """The media type and the body at a URI, if it is of one of ``types`` and no longer than ``most`` bytes.

    ``what`` begins the sentence that says why not.
    """
    body, accept = b"", {"Accept": "*/*" if types is None else ", ".join(types)}
    try:
        async with session.get(URL(uri, encoded=True), allow_redirects=False, headers=accept) as response:
            if response.status != 200:
                raise Unavailable(f"{what} answered {response.status}.")
            if types is not None and response.content_type not in types:
                raise Unavailable(f"{what} is of another media type than {' or '.join(types)}.")
            if types is not None and response.headers.get("Content-Encoding", "identity") != "identity":
                raise Unavailable(f"{what} came compressed, which was not asked for.")
            while len(body) <= most and (more := await response.content.read(most + 1 - len(body))):
                body += more
    except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
        raise Unavailable(f"{what} could not be fetched ({type(error).__name__}).") from error
    if len(body) > most:
        raise Unavailable(f"{what} is larger than it may be.")
    return response.content_type, body


def _seen(task: asyncio.Task[_Came]) -> None:
    """What failed after nobody waited any more was told to nobody, and that is no fault."""
    if not task.cancelled():
        task.exception()
