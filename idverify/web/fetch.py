"""Fetching status lists of registered issuers, and FIDO's metadata, over HTTP; nothing else of anybody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from idverify.auth.mds import MAX_BLOB
from idverify.errors import Unavailable
from idverify.formats.status_list import MAX_TOKEN
from idverify.services.status_source import under

SECONDS: Final = 5.0
METADATA_SECONDS: Final = 120.0  # some megabytes
MEDIA_TYPE: Final = "application/statuslist+jwt"


class HttpStatusFetcher:
    """``ports.StatusFetcher``: no redirects, no cookies, no proxies from the environment, capped in size and time."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def fetch(self, uri: str, base: str) -> bytes:
        """The token at a URI under an issuer's registered base."""
        if not _may_fetch(uri, base):
            raise Unavailable("The status list is not at the address its issuer registered; it was not fetched.")
        return await _capped(self._session, uri, MEDIA_TYPE, MAX_TOKEN, "The issuer's status list")


async def fetch_metadata(url: str) -> bytes:
    """The metadata at an address of the operator's choice. Raises ``Unavailable``."""
    timeout = aiohttp.ClientTimeout(total=METADATA_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False) as session:
        try:
            return await _capped(session, url, "*/*", MAX_BLOB, f"The metadata of authenticators at {url}")
        except Unavailable as away:
            raise Unavailable(f"{away} Check the address, or load them from a file.") from away


@asynccontextmanager
async def open_fetcher() -> AsyncIterator[HttpStatusFetcher]:
    """A fetcher with a session of its own."""
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False) as session:
        yield HttpStatusFetcher(session)


async def _capped(session: aiohttp.ClientSession, uri: str, accept: str, most: int, what: str) -> bytes:
    """The body at a URI, if it is no longer than ``most`` bytes; ``what`` begins the sentence that says why not."""
    body = b""
    try:
        async with session.get(URL(uri, encoded=True), allow_redirects=False, headers={"Accept": accept}) as response:
            if response.status != 200:
                raise Unavailable(f"{what} answered {response.status}.")
            while len(body) <= most and (more := await response.content.read(most + 1 - len(body))):
                body += more
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise Unavailable(f"{what} could not be fetched ({type(error).__name__}).") from error
    if len(body) > most:
        raise Unavailable(f"{what} is larger than it may be.")
    return body


def _may_fetch(uri: str, base: str) -> bool:
    """Same scheme, host and port, below the base path, with nothing that could lead elsewhere."""
    asked, registered = urlsplit(uri), urlsplit(base)
    plain = not (asked.query or asked.fragment or asked.username or "\\" in uri or "%" in uri or ".." in asked.path)
    return plain and under(uri, base) and (asked.scheme, asked.netloc) == (registered.scheme, registered.netloc)
