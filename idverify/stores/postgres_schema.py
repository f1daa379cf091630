"""The schema of a PostgreSQL database: alembic writes the SQL, our own driver runs it, in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import asyncpg  # type: ignore[import-untyped]

from idverify.errors import SetupError, Unavailable
from idverify.stores.postgres_connection import Raw, connect_writing, named, said

T = TypeVar("T")

_IS_OURS = "SELECT to_regclass('alembic_version') IS NOT NULL"
_REVISION = "SELECT version_num FROM alembic_version"


def current_revision(url: str) -> str | None:
    """The revision a database is at; ``None`` for one without our tables. Raises ``SetupError``."""
    return _apart(_with(url, _revision))


def migrate(url: str, goal: str, script: Callable[[str | None], str]) -> None:
    """Run what ``script`` makes of the revision there, unless that is the ``goal``. Raises ``SetupError``."""

    async def run(raw: Raw) -> None:
        await raw.execute("BEGIN")
        if await _is_ours(raw):
            await raw.execute("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
        revision = await _revision(raw)
        if revision != goal:
            await raw.execute(script(revision))
        await raw.execute("COMMIT")

    _apart(_with(url, run))


async def _is_ours(raw: Raw) -> bool:
    return bool((await raw.fetch(_IS_OURS))[0][0])


async def _revision(raw: Raw) -> str | None:
    rows = await raw.fetch(_REVISION) if await _is_ours(raw) else []
    return str(rows[0][0]) if rows else None


async def _with(url: str, work: Callable[[Raw], Coroutine[Any, Any, T]]) -> T:
    try:
        raw = await connect_writing(url)
    except Unavailable as away:
        raise SetupError(str(away), "Start the server, or correct [database] url.") from away
    try:
        return await work(raw)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise SetupError(
            f"The database {named(url)} cannot be set up ({said(error)}).", "Mend that, then start again."
        ) from error
    finally:
        await raw.close()


def _apart(work: Coroutine[Any, Any, T]) -> T:
    """Run to its end on an event loop of its own: commands and services alike call from where one may be running."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
