"""A PostgreSQL database for whoever has no event loop: as it is at one moment, or in one transaction that writes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from threading import Thread
from typing import Any, Final, TypeVar

import asyncpg  # type: ignore[import-untyped]

from idverify.errors import Unavailable
from idverify.stores.connection import NOTHING, Row
from idverify.stores.postgres_connection import PostgresConnection, Raw, connect_reading, connect_writing, said

AT_ONCE: Final = 200
"""Rows that are on their way together; a bundle of entries has up to some 40 KiB."""

T = TypeVar("T")


class _Session:
    """A connection on an event loop in a thread of its own, within a transaction. Raises ``Unavailable``."""

    def __init__(self, opening: Coroutine[Any, Any, Raw], begin: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="idverify-database", daemon=True)
        self._thread.start()
        self._cursors = 0
        try:
            self._raw = self._run(opening)
            self._run(self._raw.execute(begin))
        except BaseException:
            self._end()
            raise

    def rows(self, sql: str, values: Mapping[str, Any] = NOTHING) -> Iterator[Row]:
        """Rows of a query one after the other."""
        query = PostgresConnection.statements.query(sql)
        self._cursors += 1
        name = f"rows_{self._cursors}"
        self._run(self._raw.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {query.text}", *query.arrange(values)))
        while some := self._run(self._raw.fetch(f"FETCH {AT_ONCE} FROM {name}")):
            yield from some
        self._run(self._raw.execute(f"CLOSE {name}"))

    def close(self) -> None:
        """Let go of the server; what was not committed was never done."""
        self._run(self._raw.close())
        self._end()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise Unavailable(f"The database cannot be used: {said(error)}.") from error

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class PostgresSnapshot(_Session):
    """``log_source.Snapshot`` of a database."""

    def __init__(self, url: str) -> None:
        super().__init__(connect_reading(url), "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")


class PostgresAlone(_Session):
    """``ledger_restore.Alone`` with a database: nobody else writes until it is closed."""

    def __init__(self, url: str) -> None:
        super().__init__(connect_writing(url), "BEGIN; LOCK TABLE ledger_state IN ACCESS EXCLUSIVE MODE")

    def run(self, sql: str, values: Mapping[str, Any] = NOTHING) -> None:
        """One statement."""
        self._run(PostgresConnection(self._raw).run(sql, values))

    def commit(self) -> None:
        """Make it all true."""
        self._run(self._raw.execute("COMMIT"))
