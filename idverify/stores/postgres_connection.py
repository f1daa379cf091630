"""One connection to PostgreSQL as this driver uses it, and what its errors mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from idverify.errors import Unavailable, Unprocessable
from idverify.stores.connection import NOTHING, Query, Refused, Row
from idverify.stores.statements import Statements

CONNECT_SECONDS: Final = 10.0
_NO_TEXT: Final = "A text contains U+0000, which is no character."  # to PostgreSQL; SQLite takes it
_KEYS: Final = "SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[])"

_COMMON: Final[Mapping[str, str]] = {
    "application_name": "idverify",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",  # a URL may ask for a server that can be written to
    "jit": "off",
    "search_path": "public",  # and no schema that somebody else made in front of it
    # A network that swallows packets is noticed by both ends within half a minute.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "4",
}
WRITING: Final[Mapping[str, str]] = {
    **_COMMON,
    "client_min_messages": "warning",
    # Nothing cuts a COMMIT short: whoever stops waiting for a replica sees rows that no replica has.
    "statement_timeout": "0",
    "lock_timeout": "0",
    # A process that stands still in mid-transaction must not hold the log for ever.
    "idle_in_transaction_session_timeout": "20s",
}

_AT_LEAST_ON: Final = """
    SELECT set_config('synchronous_commit', 'on', false)
    WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')"""

# SQLSTATE: the same transaction succeeds if it is run again (40001, 40P01), or by someone else's fault it did not.
_CONTENTION: Final = frozenset({"40001", "40P01", "55P03"})
# Classes of SQLSTATE in which the server failed, not what was asked of it: connection, transaction state, contention,
# resources, operator intervention, system error, configuration, internal error.
_SERVER_FAILED: Final = ("08", "25", "40", "53", "55", "57", "58", "F0", "XX")
# The session ended, or is about to, through no fault of anybody's.
_GONE: Final = ("08", "57P", "25P03")
# What a server says whose disk or memory is not to be believed any more.
_DAMAGE: Final = ("58030", "F0", "XX001", "XX002")


class Raw(Protocol):
    """What of asyncpg's connection is used; rows are ``connection.Row``."""

    async def execute(self, sql: str, *values: Any) -> str:
        """The server's word for what was done, such as ``UPDATE 1``."""

    async def copy_records_to_table(
        self, table: str, *, columns: Sequence[str], records: Sequence[tuple[Any, ...]]
    ) -> str:
        """Add rows; the server's word for how many."""

    async def fetch(self, sql: str, *values: Any) -> list[Row]:
        """All rows."""

    def add_log_listener(self, listener: Callable[[Any, Any], None]) -> None:
        """Hear what the server says besides its answers."""

    def remove_log_listener(self, listener: Callable[[Any, Any], None]) -> None:
        """And no more."""

    def is_closed(self) -> bool:
        """Whether it is known to be gone."""

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109  asyncpg's own
        """Take leave of the server."""

    def terminate(self) -> None:
        """Go without leave."""


async def connect_reading(url: str) -> Raw:
    """A connection on which nothing can be written."""
    return await _connected(url, _COMMON, "SET default_transaction_read_only = on")


async def _connected(url: str, settings: Mapping[str, str], first: str) -> Raw:
    """A new connection on which ``first`` was run. Raises ``Unavailable`` with the reason, never with the password."""
    raw: Raw | None = None
    try:
        raw = await asyncpg.connect(
            url, server_settings=dict(settings), statement_cache_size=1024, timeout=CONNECT_SECONDS
        )
        await raw.execute(first)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        if raw is not None:
            raw.terminate()
        raise Unavailable(f"The database {named(url)} cannot be reached: {said(error)}.") from error
    else:
        return raw


async def connect_writing(url: str) -> Raw:
    """A connection whose commits are durable here and, where the server has synchronous replicas, there too."""
    return await _connected(url, WRITING, _AT_LEAST_ON)


def named(url: str) -> str:
    """A URL without what is secret in it."""
    parts = urlsplit(url)
    return f"{parts.path.lstrip('/') or 'postgres'} on {parts.hostname or 'this machine'}"


class PostgresConnection:
    """``connection.Connection`` over one of asyncpg."""

    statements = Statements(dialect(), insert)  # type: ignore[no-untyped-call]

    def __init__(self, raw: Raw, begin: str = "") -> None:
        """``begin`` is the text with which the transaction began, and to which the first ``undo`` goes back."""
        self.raw, self._begin = raw, begin
        self._is_new = bool(begin)

    async def fetch(self, query: Query, values: Mapping[str, Any] = NOTHING) -> list[Row]:
        """All rows."""
        sql = self.statements.query(query)
        try:
            return await self.raw.fetch(sql.text, *sql.arrange(values))
        except asyncpg.CharacterNotInRepertoireError as error:
            raise Unprocessable(_NO_TEXT) from error

    async def run(self, statement: Query, values: Mapping[str, Any] = NOTHING) -> int:
        """One statement; the server says at the end of its answer how many rows."""
        sql = self.statements.query(statement)
        try:
            done = await self.raw.execute(sql.text, *sql.arrange(values))
        except asyncpg.IntegrityConstraintViolationError as error:
            raise Refused(said(error)) from error
        except asyncpg.CharacterNotInRepertoireError as error:
            raise Unprocessable(_NO_TEXT) from error
        return _touched(done)

    async def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """All in one stream."""
        try:
            await self.raw.copy_records_to_table(table, columns=columns, records=rows)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise Refused(said(error)) from error

    async def claim(self, keys: Sequence[tuple[bytes, int, int]]) -> int:
        """All by one statement."""
        if not keys:
            return 0
        sql = f"INSERT INTO ledger_once (key, shard, ledger_index) {_KEYS} ON CONFLICT DO NOTHING"
        return _touched(await self.raw.execute(sql, *map(list, zip(*keys, strict=True))))

    async def give_back(self, keys: Sequence[tuple[bytes, int, int]]) -> None:
        """All by one statement."""
        sql = f"DELETE FROM ledger_once WHERE (key, shard, ledger_index) IN ({_KEYS})"  # noqa: S608  ours
        await self.raw.execute(sql, *map(list, zip(*keys, strict=True)))

    async def known(self, keys: Sequence[bytes]) -> list[Row]:
        """All by one query."""
        sql = "SELECT key, shard, ledger_index FROM ledger_once WHERE key = ANY($1::bytea[])"
        return await self.raw.fetch(sql, keys)

    async def add_bundle(self, bundle: tuple[int, int, int, bytes, bytes], tree: bytes) -> None:
        """Both by one statement."""
        sql = """
            WITH bundle AS (
                INSERT INTO ledger_bundle (shard, first_index, count, entries, leaf_hashes)
                VALUES ($1, $2, $3, $4, $5) RETURNING shard)
            UPDATE ledger_state SET tree = $6 FROM bundle WHERE ledger_state.shard = bundle.shard"""
        await self.raw.execute(sql, *bundle, tree)

    async def mark(self) -> None:
        """A savepoint, except where the transaction has only begun."""
        if not self._is_new:
            await self.raw.execute("SAVEPOINT work")

    async def keep(self) -> None:
        """The end of the savepoint."""
        if not self._is_new:
            await self.raw.execute("RELEASE work")
        self._is_new = False

    async def undo(self) -> None:
        """Back to the savepoint, or begin again; with the connection everything is gone."""
        if not self.raw.is_closed():
            await self.raw.execute(f"ROLLBACK; {self._begin}" if self._is_new else "ROLLBACK TO work; RELEASE work")
        self._is_new = False

    def failed(self, error: Exception) -> bool:
        """The connection is gone, the server is out of something, or another transaction was in the way."""
        return failed(error)


def failed(error: BaseException) -> bool:
    """Whether server or connection failed, rather than that what was asked cannot be."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "XX").startswith(_SERVER_FAILED)
    return gone(error)


def contended(error: BaseException) -> bool:
    """Whether the server undid the transaction because of others: run again, it may succeed."""
    return isinstance(error, asyncpg.PostgresError) and error.sqlstate in _CONTENTION


def gone(error: BaseException) -> bool:
    """Whether the connection was lost: on a new one it may go better."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(_GONE)
    # asyncpg's complaint about a value that no column takes is a ``ValueError``, too
    return isinstance(error, (OSError, asyncpg.InterfaceError)) and not isinstance(error, ValueError)


def damaged(error: BaseException) -> bool:
    """Whether the server's storage failed: what it holds in memory may never have reached the disk."""
    if not isinstance(error, asyncpg.PostgresError):
        return False
    return (error.sqlstate or "").startswith(_DAMAGE) or getattr(error, "severity_en", None) == "PANIC"


def _touched(done: str) -> int:
    return int(done.rpartition(" ")[2])


def said(error: BaseException) -> str:
    """What an error says, to stand within a sentence."""
    return str(error).strip().rstrip(".") or type(error).__name__
