"""Several tokens opened together, of which one is enough to begin with.

    async with TokenSet({"first": first, "second": second}) as tokens:
        signature = await tokens["first"].sign(key, message)

A token that cannot be opened at the start is tried again in the background until it can, so that a service comes up
while one of its tokens is away. A PIN that was refused is tried again once an operator has acted (`hsm.pin_watch`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import Self

from hsm.client import Hsm
from hsm.config import TokenConfig
from hsm.errors import HsmError, HsmPinRefused, HsmPolicy
from hsm.health import HsmHealth, HsmState

_AGAIN_FIRST, _AGAIN_LAST = 1.0, 30.0  # seconds between attempts to open a token that was away at the start


Admit = Callable[[str, Hsm], Awaitable[None]]


class TokenSet(Mapping[str, Hsm]):
    """The tokens by the names that the caller gives them. One that is not open refuses what it is asked."""

    def __init__(self, tokens: Mapping[str, TokenConfig], admit: Admit | None = None) -> None:
        """`admit` looks at each token once it is open, and raises an `HsmError` for one that is not the right one."""
        if not tokens:
            raise HsmPolicy("Expected at least one token, got none. Configure one.")
        self._tokens = {name: Hsm(config, admit=admit and partial(admit, name)) for name, config in tokens.items()}
        self._away: dict[str, HsmError] = {}
        self._stack = AsyncExitStack()
        self._openers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Open every token; raises the first one's error when none opens."""
        try:
            await asyncio.gather(*(self._open(name) for name in self._tokens))
            if len(self._away) == len(self._tokens):
                raise next(iter(self._away.values()))
        except BaseException:
            await self._stack.aclose()
            raise
        self._openers = [asyncio.create_task(self._open_later(name)) for name in self._away]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every token."""
        for opener in self._openers:
            opener.cancel()
        await asyncio.gather(*self._openers, return_exceptions=True)
        await self._stack.aclose()

    def __getitem__(self, name: str) -> Hsm:
        return self._tokens[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tokens)

    def __len__(self) -> int:
        return len(self._tokens)

    def serves(self, name: str) -> bool:
        """Whether a request to this token may be answered now, or after a restart that is under way."""
        return name not in self._away and self._tokens[name].state in SERVING

    def away(self) -> dict[str, HsmError]:
        """Why each token that was never opened was not, by name."""
        return dict(self._away)

    def health(self) -> dict[str, HsmHealth]:
        """How each token is doing, by name; one that was never opened is `down` or `refused`, with the reason."""
        return {name: hsm.health() for name, hsm in self._tokens.items()}

    async def _open(self, name: str) -> None:
        try:
            await self._stack.enter_async_context(self._tokens[name])
        except HsmError as error:
            self._away[name] = error
        else:
            self._away.pop(name, None)

    async def _open_later(self, name: str) -> None:
        pause = _AGAIN_FIRST
        while name in self._away:
            if isinstance(self._away[name], HsmPinRefused):
                await self._tokens[name].pin_acted_on()
            else:
                await asyncio.sleep(pause)
                pause = min(_AGAIN_LAST, 2 * pause)
            try:
                await self._open(name)
            except Exception:  # noqa: BLE001 of whoever admits: what that one asks may be away, too
                self._away[name] = self._tokens[name].unopened or self._away[name]


SERVING = frozenset({HsmState.READY, HsmState.DEGRADED, HsmState.RESTARTING})
"""States in which a token takes requests."""
