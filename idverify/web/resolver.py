"""Looking names up for connections that we open: in threads of our own, and judged before anybody connects."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult


class OwnThreads(AbstractResolver):
    """Names are looked up in threads of our own.

    A look-up cannot be stopped once it has begun; in the loop's shared threads, a name server that hangs would soon
    leave none for anybody else.
    """

    def __init__(self, threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, "idverify-resolver")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Every address of a host, as literals: whoever connects asks nobody again."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        )
        return [
            ResolveResult(
                hostname=host, host=str(address[0]), port=port, family=kind, proto=proto, flags=socket.AI_NUMERICHOST
            )
            for kind, _, proto, _, address in found
        ]

    async def close(self) -> None:
        """Nothing is looked up any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class Judging(AbstractResolver):
    """Gives only addresses that ``allows(host, address)`` takes; a host with any other is not connected to at all.

    One name with a public and a private address is how whoever owns it tries both.
    """

    def __init__(self, names: AbstractResolver, allows: Callable[[str, str], bool]) -> None:
        self._names, self._allows = names, allows

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host, judged. Raises ``OSError``."""
        found = await self._names.resolve(host, port, family)
        if not found or not all(self._allows(host, one["host"]) for one in found):
            raise OSError(f"{host} has an address that is not connected to")
        return found

    async def close(self) -> None:
        """Nothing is looked up any more."""
        await self._names.close()
