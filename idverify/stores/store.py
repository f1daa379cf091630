"""The database as services see it, whichever driver is behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol, Self

from sqlalchemy import Select

from idverify.stores.connection import Connection, Row
from idverify.stores.transaction import Work
from idverify.stores.writes import WriteSet

FIRST_SHARD: Final = 1
MAX_BATCH: Final = 256
"""Write sets that share a transaction at most."""

Read = Callable[[Connection], Awaitable[Any]]


class Store(Protocol):
    """``async with`` opens and closes it. Reads see everything that was committed before they were asked for."""

    async def __aenter__(self) -> Self:
        """Open."""

    async def __aexit__(self, *_: object) -> None:
        """Finish what was asked for, and close."""

    async def write(self, work: Work) -> Any:
        """Run ``work`` in a transaction, alone with the database: what it reads holds until it is committed."""

    async def read(self, work: Read) -> Any:
        """Run ``work`` on a connection that only reads."""

    async def scrub(self, secrets: Sequence[bytes]) -> bool:
        """See to it that deleted ``secrets`` are gone from the database's files too; whether they were found to be."""

    def stopped_by(self) -> str | None:
        """Why nothing is written any more, if that is so: only a restart helps."""

    async def commit(self, work: WriteSet) -> tuple[int, ...]:
        """Make a write set true, durably; the ledger indices of its entries.

        Raises what the write set's preconditions name; ``Unavailable``: nothing was written;
        ``OutcomeUnknown``: it may or may not have been.
        """
        return tuple(await self.write(lambda transaction: transaction.apply(work)))

    async def fetch(self, query: Select[Any], values: Mapping[str, Any]) -> list[Row]:
        """All rows of a query; ``values`` by the names of its ``bindparam``."""
        rows: list[Row] = await self.read(lambda connection: connection.fetch(query, values))
        return rows

    async def fetch_one(self, query: Select[Any], values: Mapping[str, Any]) -> Row | None:
        """The first row of a query, or ``None``."""
        rows = await self.fetch(query, values)
        return rows[0] if rows else None
