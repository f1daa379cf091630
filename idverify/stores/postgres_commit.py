"""COMMIT, and finding out what became of one that was not answered as it should be.

Every transaction of the writer leaves a fresh key in ``group_commit``, whose primary key settles all doubt: whoever
inserts the same key again, on a new connection, is made to wait by the index until the old transaction has ended. If
the key is there then, it was committed; if not, it never will be.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]

from idverify.errors import Unavailable
from idverify.ports import Clock, Entropy, uuid7
from idverify.stores.postgres_connection import Raw, connect_writing, contended, damaged, said

RESOLVE_SECONDS: Final = 30.0
PAUSE_SECONDS: Final = 0.2
KEPT_SECONDS: Final = 3600


def leaving(key: bytes) -> str:
    """The statement by which a transaction leaves its key, in words: it travels with others in one message."""
    return rf"INSERT INTO group_commit (key) VALUES ('\x{key.hex()}')"  # noqa: S608  hexadecimal


class NotCommittedError(Exception):
    """Nothing was done. ``again``: because of other transactions, so that the same may succeed."""

    def __init__(self, reason: object, *, again: bool) -> None:
        super().__init__(str(reason))
        self.again = again


class InDoubtError(Exception):
    """Nobody can tell whether it was committed."""


class Committing:
    """COMMIT of one writer's transactions."""

    def __init__(self, url: str, clock: Clock, entropy: Entropy) -> None:
        self._url, self._clock, self._entropy = url, clock, entropy

    def new_key(self) -> bytes:
        """A key that begins with its time, so that the index is appended to."""
        return uuid7(self._clock, self._entropy)

    async def sweep(self, raw: Raw) -> None:
        """Drop the keys of an hour ago."""
        past = (self._clock.now() - KEPT_SECONDS) * 1000
        await raw.execute("DELETE FROM group_commit WHERE key < $1", past.to_bytes(6, "big"))

    async def commit(self, raw: Raw, key: bytes) -> Raw:
        """End the transaction on ``raw`` that left ``key``; once it is durable, the connection to go on with.

        Nothing bounds the time that COMMIT itself takes, and nobody may cancel it. Raises ``NotCommittedError``,
        ``InDoubtError``; ``raw`` is closed then, or as it was.
        """
        try:
            doubt = await _told(raw)
        except Exception as error:
            if contended(error):
                raise NotCommittedError(error, again=True) from error
            raw.terminate()
            if damaged(error):
                raise InDoubtError(error) from error
            return await self._find_out(key, said(error))
        if doubt is None:
            return raw
        raw.terminate()
        return await self._find_out(key, doubt)

    async def _find_out(self, key: bytes, doubt: str) -> Raw:
        now = asyncio.get_running_loop().time
        deadline = now() + RESOLVE_SECONDS
        while now() < deadline:
            try:
                confirmed = await self._confirmed(key, deadline)
            except KeyError:
                raise NotCommittedError(doubt, again=False) from None
            except (Unavailable, TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if damaged(error):
                    raise InDoubtError(said(error)) from error
            else:
                if confirmed is not None:
                    return confirmed
            await asyncio.sleep(PAUSE_SECONDS)
        raise InDoubtError(doubt)

    async def _confirmed(self, key: bytes, deadline: float) -> Raw | None:
        """A connection on which it was confirmed that ``key`` is committed, and durable wherever a commit must be.

        None: it is committed, the rest is not known yet. Raises ``KeyError``: it never will be.
        """
        async with asyncio.timeout_at(deadline):
            raw = await connect_writing(self._url)
        try:
            async with asyncio.timeout_at(deadline):
                await raw.execute("BEGIN")
                claimed = await raw.execute(f"{leaving(key)} ON CONFLICT DO NOTHING")
            if claimed != "INSERT 0 0":
                raise KeyError(key)
            # What was left behind by an earlier COMMIT is before this one in the server's log, and goes with it.
            await raw.execute(leaving(self.new_key()))
            if await _told(raw) is None:
                return raw
        except BaseException:
            raw.terminate()
            raise
        raw.terminate()
        return None


async def _told(raw: Raw) -> str | None:
    """None if the server said that it is committed, and nothing besides; otherwise what it said.

    A server that was told to stop waiting for its replicas warns, and commits all the same: no other node may have it.
    """
    warnings: list[str] = []

    def listen(_: Any, message: Any) -> None:
        if message.severity_en == "WARNING":
            warnings.append(str(message))

    raw.add_log_listener(listen)
    try:
        done = await raw.execute("COMMIT")
    finally:
        raw.remove_log_listener(listen)
    if done != "COMMIT":
        return f"COMMIT was answered with {done}"
    return warnings[0] if warnings else None
