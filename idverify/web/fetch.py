"""Fetching status lists of registered issuers over HTTP, and nothing else of anybody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from idverify.errors import Unavailable
from idverify.formats.status_list import MAX_TOKEN
from idverify.services.status_source import under

SECONDS: Final = 5.0
MEDIA_TYPE: Final = "application/statuslist+jwt"


class HttpStatusFetcher:
    """``ports.StatusFetcher``: no redirects, no cookies, no proxies from the environment, capped in size and time."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def fetch(self, uri: str, base: str) -> bytes:
        """The token at a URI under an issuer's registered base."""
        if not _may_fetch(uri, base):
            raise Unavailable("The status list is not at the address its issuer registered; it was not fetched.")
        try:
            async with self._session.get(
                URL(uri, encoded=True), allow_redirects=False, headers={"Accept": MEDIA_TYPE}
            ) as response:
                if response.status != 200:
                    raise Unavailable(f"The issuer's status list answered {response.status}.")
                token = await response.content.read(MAX_TOKEN + 1)
                while len(token) <= MAX_TOKEN and (more := await response.content.read(MAX_TOKEN)):
                    token += more
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unavailable(f"The issuer's status list could not be fetched ({type(error).__name__}).") from error
        if len(token) > MAX_TOKEN:
            raise Unavailable("The issuer's status list is larger than it may be.")
        return token


@asynccontextmanager
async def open_fetcher() -> AsyncIterator[HttpStatusFetcher]:
    """A fetcher with a session of its own."""
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False) as session:
        yield HttpStatusFetcher(session)


def _may_fetch(uri: str, base: str) -> bool:
    """Same scheme, host and port, below the base path, with nothing that could lead elsewhere."""
    asked, registered = urlsplit(uri), urlsplit(base)
    plain = not (asked.query or asked.fragment or asked.username or "\\" in uri or "%" in uri or ".." in asked.path)
    return plain and under(uri, base) and (asked.scheme, asked.netloc) == (registered.scheme, registered.netloc)
