"""The PostgreSQL driver: one writer with group commit, a few readers, each on an asyncpg connection of its own.

*Writer*: takes whatever write sets wait, runs them in one transaction, and answers after COMMIT. The transaction begins
by locking a row of the log's state, so that of several processes one writes at a time, as on SQLite: what is read in it
holds until it is committed, and the log has no gaps. How a doubtful COMMIT is resolved, ``postgres_commit`` says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final, Protocol, Self

import asyncpg  # type: ignore[import-untyped]
import structlog

from idverify.errors import IdverifyError, OutcomeUnknown, Unavailable
from idverify.ports import Clock, system_entropy
from idverify.stores.postgres_commit import Committing, InDoubtError, NotCommittedError, leaving
from idverify.stores.postgres_connection import (
    PostgresConnection,
    Raw,
    connect_reading,
    connect_writing,
    contended,
    damaged,
    gone,
    said,
)
from idverify.stores.store import MAX_BATCH, Read, Store
from idverify.stores.transaction import Outcome, Transaction, Work, carried_out

READERS: Final = 4
ATTEMPTS: Final = 6
PAUSE_SECONDS: Final = 0.05
CLOSE_SECONDS: Final = 5.0
SWEEP_EVERY: Final = 1000
"""Transactions after which keys are dropped that no doubt can be about any more."""

# Whoever writes holds this row. It is the first shard's, so that it is the same one when a new shard begins.
_LOCK: Final = "SELECT 1 FROM ledger_state WHERE shard = (SELECT min(shard) FROM ledger_state) FOR UPDATE"

log = structlog.get_logger()

_Item = tuple[Any, "asyncio.Future[Any]"]
_Batch = list[_Item]


class _Handler(Protocol):
    most: int

    async def open(self) -> None: ...

    async def do(self, batch: _Batch) -> None: ...

    async def close(self) -> None: ...


class _Lane:
    """Work that waits, and tasks that take it and have it done whether or not its callers still wait."""

    def __init__(self, *handlers: _Handler) -> None:
        self._handlers = handlers
        self._waiting: asyncio.Queue[_Item | None] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opening:
            for handler in self._handlers:
                await handler.open()
                opening.push_async_callback(handler.close)
            self._opened = opening.pop_all()
        self._tasks = [asyncio.create_task(self._run(handler)) for handler in self._handlers]
        return self

    async def __aexit__(self, *_: object) -> None:
        for _task in self._tasks:
            self._waiting.put_nowait(None)
        await _to_their_end(self._tasks)
        await self._opened.aclose()

    def submit(self, work: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((work, future))
        return future

    async def _run(self, handler: _Handler) -> None:
        going = True
        while going:
            batch, going = await self._take(handler.most)
            if batch:
                await handler.do(batch)

    async def _take(self, most: int) -> tuple[_Batch, bool]:
        batch: _Batch = []
        item = await self._waiting.get()
        while item is not None:
            batch.append(item)
            if len(batch) == most or self._waiting.empty():
                return batch, True
            item = self._waiting.get_nowait()
        return batch, False


class _Reader:
    most = 1

    def __init__(self, url: str) -> None:
        self._url = url
        self._raw: Raw | None = None

    async def open(self) -> None:
        self._raw = await connect_reading(self._url)

    async def do(self, batch: _Batch) -> None:
        ((work, future),) = batch
        try:
            _answer(future, await self._read(work), None)
        except Exception as error:  # noqa: BLE001  a failed read is its caller's answer
            _answer(future, None, error)

    async def close(self) -> None:
        await _closed(self._raw)

    async def _read(self, work: Read) -> Any:
        """Once more on a new connection if it turns out that the one before is gone."""
        for last in (False, True):
            if self._raw is None or self._raw.is_closed():
                self._raw = await connect_reading(self._url)
            try:
                return await work(PostgresConnection(self._raw))
            except Exception as error:
                if not gone(error):
                    raise
                self._raw.terminate()
                if last:
                    raise Unavailable(f"The database failed: {said(error)}.") from error
        return None


class _Writer:
    most = MAX_BATCH

    def __init__(self, url: str, clock: Clock) -> None:
        self._url, self._clock = url, clock
        self._committing = Committing(url, clock, system_entropy)
        self._raw: Raw | None = None
        self._transactions = 0
        self.stopped_by: str | None = None

    async def open(self) -> None:
        self._raw = await connect_writing(self._url)

    async def do(self, batch: _Batch) -> None:
        try:
            outcomes = await self._carried_out([work for work, _ in batch])
        except Exception as error:  # noqa: BLE001  the callers wait, whatever it was
            outcomes = [(None, error)] * len(batch)
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            _answer(future, *outcome)

    async def close(self) -> None:
        await _closed(self._raw)

    async def _carried_out(self, works: list[Work]) -> list[Outcome]:
        """The outcomes, durable. Of an attempt that was not committed nobody heard, so it may be made again."""
        attempts = ATTEMPTS
        while self.stopped_by is None:
            try:
                return await self._attempt(works)
            except InDoubtError as doubt:
                self.stopped_by = f"COMMIT in doubt: {doubt}"
                raise OutcomeUnknown("The storage failed while committing. Repeat with the same key.") from doubt
            except Exception as error:
                await self._undo()
                attempts -= 1
                if attempts == 0 or not _may_pass(error):
                    raise self._undone(error) from error
            await asyncio.sleep(PAUSE_SECONDS)
        raise Unavailable(f"The storage stopped ({self.stopped_by}). Restart the service.")

    async def _attempt(self, works: list[Work]) -> list[Outcome]:
        if self._raw is None or self._raw.is_closed():
            self._raw = await connect_writing(self._url)
        raw, key = self._raw, self._committing.new_key()
        begin = f"BEGIN; {leaving(key)}; {_LOCK}"  # one message to the server
        await raw.execute(begin)
        transaction = Transaction(PostgresConnection(raw, begin), self._clock.now())
        outcomes = await carried_out(transaction, works)
        await transaction.flush()
        if all(refused is not None for _, refused in outcomes):
            await self._undo()
            return outcomes
        self._transactions += 1
        if self._transactions % SWEEP_EVERY == 0:
            await self._committing.sweep(raw)
        self._raw = await self._committing.commit(raw, key)
        return outcomes

    async def _undo(self) -> None:
        """Roll back, or leave that to the server by closing the connection."""
        if self._raw is None or self._raw.is_closed():
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._raw.execute("ROLLBACK")
        except Exception:  # noqa: BLE001  whatever it is, the transaction goes with the connection
            self._raw.terminate()

    def _undone(self, error: Exception) -> Exception:
        if damaged(error):
            self.stopped_by = f"the server's storage failed: {said(error)}"
        if isinstance(error, IdverifyError):
            return error
        return Unavailable(f"The storage refused: {said(error)}. Nothing was done.")


class PostgresStore(Store):
    """A database of a PostgreSQL server, by its URL. Several processes may have it open."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._url = url
        self._written_by = _Writer(url, clock)
        self._writer = _Lane(self._written_by)
        self._readers = _Lane(*(_Reader(url) for _ in range(READERS)))

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opening:
            await opening.enter_async_context(self._readers)
            await opening.enter_async_context(self._writer)
            self._opened = opening.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    async def write(self, work: Work) -> Any:
        """Run ``work`` in the next group commit."""
        return await self._writer.submit(work)

    async def read(self, work: Read) -> Any:
        """Run ``work`` on a reader."""
        return await self._readers.submit(work)

    async def scrub(self, secrets: Sequence[bytes]) -> bool:
        """Write the table of people's keys anew, without what was deleted from it.

        False: the server's files, its write-ahead log among them, are not ours to search (docs/runbook.md).
        """
        del secrets
        try:
            raw = await connect_writing(self._url)
            try:
                await raw.execute("VACUUM (FULL) person_key")
            finally:
                await _closed(raw)
        except (Unavailable, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("scrub_failed", error=type(error).__name__)
        return False

    def stopped_by(self) -> str | None:
        """Why the writer stopped for good, if it did."""
        return self._written_by.stopped_by


def _answer(future: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def _may_pass(error: Exception) -> bool:
    return error.again if isinstance(error, NotCommittedError) else contended(error) or gone(error)


async def _to_their_end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Wait for tasks that nobody may cancel; whoever cancels the waiting is heard afterwards."""
    cancelled: asyncio.CancelledError | None = None
    ended = asyncio.gather(*tasks)
    while not ended.done():
        try:
            await asyncio.shield(ended)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


async def _closed(raw: Raw | None) -> None:
    if raw is None or raw.is_closed():
        return
    try:
        await raw.close(timeout=CLOSE_SECONDS)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        raw.terminate()
