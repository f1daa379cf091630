"""Holding every use of a key against the inventory as it is now."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from hsm.errors import HsmError, HsmInventoryRefused, HsmKeyRefused, HsmPolicy
from hsm.frames import Op
from hsm.keys import decode_keys
from hsm.rules import CertificateAlarm, KeyRules, rules_of
from hsm.signer import proven_signer

FOLLOWED_EVERY = 2.0
"""Seconds between two looks at whether the inventory is another."""

Ask = Callable[[Op, bytes, bytes], Awaitable[bytes]]
"""Has the token do something whatever the rules say: what reading its inventory takes."""


class Guard:
    """The rules of one token, from the file at `path`; where that is None there are none.

    `clock` gives Unix seconds: certificates end by the wall clock.
    """

    def __init__(self, path: Path | None, ask: Ask, clock: Callable[[], float]) -> None:
        self._path, self._ask, self._clock = path, ask, clock
        self._rules: KeyRules | None = None
        self._seen: tuple[int, int, int] | None = None  # the file as it was when it was read last
        self.untaken: str | None = None  # why the file as it is now was not taken

    def forget(self) -> None:
        """The token is opened anew: what held for the one before holds no more."""
        self._rules = self.untaken = None

    async def read(self) -> None:
        """Take the file as it is now. Raises `HsmInventoryRefused` or `HsmKeyRefused`, and what was read stays."""
        if self._path is None:
            return
        seen = self._sight()  # before the file is opened: what is changed from here on is read again
        keys = decode_keys(await self._ask(Op.INVENTORY, b"", b""))
        count = int.from_bytes(await self._ask(Op.COUNT, b"", b""))
        _, spki = await proven_signer(keys, partial(self._ask, Op.SIGN))
        self._seen = seen
        self._rules, self.untaken = rules_of(self._path, spki, keys, count), None

    async def follow(self) -> None:
        """Read it anew whenever the file is another; what cannot be taken is told, and changes nothing."""
        while True:
            await asyncio.sleep(FOLLOWED_EVERY)
            if self._sight() != self._seen:
                try:
                    await self.read()
                except (HsmInventoryRefused, HsmKeyRefused) as error:
                    self.untaken = str(error)
                except HsmError:  # the token is away: the file is looked at again when it is back
                    continue

    def require(self, op: Op, key: bytes) -> None:
        """Raise `HsmKeyRefused` unless the key may be used for this now."""
        if self._rules is not None:
            self._rules.require(op, key, self._clock(), None)

    def require_signing(self, key: bytes, until: int | None) -> None:
        """Raise `HsmKeyRefused` unless the key may sign now what holds `until` then (Unix seconds)."""
        if self._rules is not None:
            self._rules.require(Op.SIGN, key, self._clock(), until)
        elif until is not None:
            raise HsmPolicy("Expected a token with an inventory to hold `until` against, got none. Name it.")

    def require_sealed(self, key: bytes, wrapping_key: bytes) -> None:
        """Raise `HsmKeyRefused` unless the key in software may sign now."""
        if self._rules is not None:
            self._rules.require_sealed(key, wrapping_key)

    def alarms(self) -> tuple[CertificateAlarm, ...]:
        """The keys in use whose certificates end before long."""
        return self._rules.alarms(self._clock()) if self._rules is not None else ()

    def _sight(self) -> tuple[int, int, int] | None:
        """What tells a file that was exchanged from the one before; None while there is none."""
        if self._path is None:
            return None
        try:
            seen = self._path.stat()
        except OSError:
            return None
        return seen.st_ino, seen.st_mtime_ns, seen.st_size
