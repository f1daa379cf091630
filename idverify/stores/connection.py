"""What transactions and reads ask of a database: the port under which every driver's connection stands.

SQL comes as a Core select, as what ``statements`` compiled, or as text that every database understands, with its
parameters as ``:name``. Rows are read by name or by position.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol

from sqlalchemy import Select

from idverify.stores.statements import Sql, Statements

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})

Query = Select[Any] | Sql | str


class Row(Protocol):
    """One row of an answer."""

    def __getitem__(self, name: Any, /) -> Any:
        """A column, by its name or position."""

    def __iter__(self) -> Iterator[Any]:
        """Every column in order."""

    def keys(self) -> Any:
        """The names of the columns."""


class Refused(Exception):
    """A constraint of the tables does not allow this write."""


class Connection(Protocol):
    """A connection within a transaction, or, on a reader, outside of one."""

    @property
    def statements(self) -> Statements:
        """Compiles for this database."""

    async def fetch(self, query: Query, values: Mapping[str, Any] = NOTHING) -> list[Row]:
        """All rows of a query, or of what a statement returns."""

    async def run(self, statement: Query, values: Mapping[str, Any] = NOTHING) -> int:
        """Carry out a statement; how many rows it touched. Raises ``Refused``."""

    async def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows, each with a value for each of the columns. Raises ``Refused``."""

    async def claim(self, keys: Sequence[tuple[bytes, int, int]]) -> int:
        """Write rows of ``ledger_once`` (key, shard, index) where the key is not there yet; how many were written."""

    async def give_back(self, keys: Sequence[tuple[bytes, int, int]]) -> None:
        """Drop those of these rows that are there."""

    async def known(self, keys: Sequence[bytes]) -> list[Row]:
        """The rows of ``ledger_once`` that bear one of these keys."""

    async def add_bundle(self, bundle: tuple[int, int, int, bytes, bytes], tree: bytes) -> None:
        """Write a row of ``ledger_bundle``, and the state of the tree that its shard has with it."""

    async def mark(self) -> None:
        """From here on ``undo`` undoes."""

    async def keep(self) -> None:
        """What was done since ``mark`` stays, if the transaction does."""

    async def undo(self) -> None:
        """What was done since ``mark`` was not done; nothing where the whole transaction is gone already."""

    def failed(self, error: Exception) -> bool:
        """Whether the database failed, rather than that what was asked of it cannot be."""
