"""One answer for everybody who asks at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """While a question is being asked, whoever asks it too waits for the same answer: a crowd costs what one does."""

    def __init__(self) -> None:
        self._asking: asyncio.Task[T] | None = None

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """The answer. Whoever gives up waiting does not stop it for the others."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(_answered(question))
        return await asyncio.shield(self._asking)


async def _answered(question: Callable[[], Awaitable[T]]) -> T:
    return await question()
