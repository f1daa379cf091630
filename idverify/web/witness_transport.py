"""The way to witnesses over HTTP: only to addresses of the policy, no redirects, capped in size and time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from yarl import URL

from idverify.ledger.errors import UnreachableError
from idverify.ledger.witness_protocol import MAX_ANSWER
from idverify.web.resolver import OwnThreads

SECONDS: Final = 10.0
"""Whoever asks gives up earlier, after the budget for all witnesses."""
_RESOLVERS: Final = 4


class HttpWitnessTransport:
    """``ledger.witness_client.WitnessTransport`` over HTTP, with connections that are kept."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def add_checkpoint(self, url: str, body: bytes) -> tuple[int, str, bytes]:
        """POST a checkpoint."""
        return await self._ask("POST", f"{url}/add-checkpoint", body)

    async def latest(self, url: str, hashed_origin: str) -> bytes | None:
        """GET what monitors are shown."""
        status, _, body = await self._ask("GET", f"{url}/{hashed_origin}/checkpoint", None)
        if status not in {200, 404}:
            raise UnreachableError(f"the witness answered {status}")
        return body if status == 200 else None

    async def _ask(self, method: str, url: str, body: bytes | None) -> tuple[int, str, bytes]:
        try:
            async with self._session.request(
                method, URL(url, encoded=True), data=body, allow_redirects=False
            ) as response:
                answer = await response.content.read(MAX_ANSWER + 1)
                while len(answer) <= MAX_ANSWER and (more := await response.content.read(MAX_ANSWER)):
                    answer += more
                media = response.content_type
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
            raise UnreachableError(f"the witness could not be asked ({type(error).__name__})") from error
        if len(answer) > MAX_ANSWER:
            raise UnreachableError(f"the witness answered more than {MAX_ANSWER} bytes")
        return response.status, media, answer


@asynccontextmanager
async def open_witness_transport() -> AsyncIterator[HttpWitnessTransport]:
    """A transport with a session of its own."""
    connector = aiohttp.TCPConnector(resolver=OwnThreads(_RESOLVERS))
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=SECONDS),
        headers={"Accept-Encoding": "identity", "User-Agent": "idverify"},
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
    ) as session:
        yield HttpWitnessTransport(session)
