"""Between driver and server: connections that are cut at a COMMIT, before the server hears of it or afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from tests.simulators.postgres import USER, of_url

SOCKET = ".s.PGSQL.5432"
COMMIT = b"Q\0\0\0\x0bCOMMIT\0"
"""The message (protocol 3.0, simple query) with which the driver commits."""


class Cut(Enum):
    """When the connection ends."""

    BEFORE = auto()  # the server never hears of the COMMIT
    AFTER = auto()  # the server commits, its answer is lost
    SWALLOWED = auto()  # neither hears anything any more, and both connections stay


@dataclass
class Proxy:
    """Passes everything on; ``cuts`` says what happens to the next COMMITs, each on its connection."""

    folder: Path
    server: Path
    database: str
    cuts: list[Cut] = field(default_factory=list)
    refusing: bool = False
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Of the same database, through the proxy."""
        return f"postgresql://{USER}@/{self.database}?host={self.folder}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
        if self.refusing:
            writer.close()
            return
        answers, asks = await asyncio.open_unix_connection(self.server / SOCKET)
        self._open |= {writer, asks}
        back = asyncio.create_task(_passed_on(answers, writer))
        try:
            while data := await reader.read(65536):
                cut = self.cuts.pop(0) if data.endswith(COMMIT) and self.cuts else None
                if cut is Cut.SWALLOWED:
                    await asyncio.Event().wait()
                if cut is Cut.AFTER:
                    back.cancel()
                    asks.write(data)
                    await answers.read(1)
                if cut is not None:
                    break
                asks.write(data)
                await asks.drain()
        finally:
            back.cancel()
            for stream in (writer, asks):
                stream.transport.abort()
            self._open -= {writer, asks}

    def end(self) -> None:
        """Cut every connection."""
        for stream in self._open:
            stream.transport.abort()


async def _passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.transport.abort()


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[Proxy]:
    """A proxy before the server of a database."""
    with TemporaryDirectory(prefix="idverify-proxy-") as folder:
        proxy = Proxy(Path(folder), of_url(url).folder, urlsplit(url).path[1:])
        clients: set[asyncio.Task[None]] = set()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(proxy.serve(reader, writer))
            clients.add(task)
            task.add_done_callback(clients.discard)

        server = await asyncio.start_unix_server(accept, proxy.folder / SOCKET)
        try:
            yield proxy
        finally:
            server.close()
            for task in clients:
                task.cancel()
            await asyncio.gather(*clients, return_exceptions=True)
            await server.wait_closed()
