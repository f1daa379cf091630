"""SQL from SQLAlchemy Core, compiled once per shape and then only executed.

The tables are declared once (``tables``); what a driver runs is the text and the parameter order that Core
compiled for its dialect. Nothing of SQLAlchemy runs per request (docs/decisions/0003).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    Delete,
    Insert,
    Select,
    Table,
    TextClause,
    Update,
    and_,
    bindparam,
    delete,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.engine.interfaces import Dialect

Statement = Select[Any] | Insert | Update | Delete | TextClause

# ``where`` and ``values`` of one update may name the same column, so their parameters are told apart.
_WHERE = "where_"


@dataclass(frozen=True, slots=True)
class Sql:
    """A statement's text, the names of its parameters in order, and those that the statement itself fixes."""

    text: str
    names: tuple[str, ...]
    fixed: Mapping[str, Any]

    def arrange(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values in the order of the statement's parameters."""
        given = {**self.fixed, **values} if self.fixed else values
        return tuple(given[name] for name in self.names)


def where(values: Mapping[str, Any]) -> dict[str, Any]:
    """Parameter values for the condition of an ``update`` or ``delete``."""
    return {_WHERE + name: value for name, value in values.items()}


class Statements:
    """Compiles for one dialect, whose ``insert`` knows ``ON CONFLICT``, and remembers."""

    def __init__(self, dialect: Dialect, insert: Callable[[Table], Any]) -> None:
        self._dialect, self._inserted = dialect, insert
        self._known: dict[object, Sql] = {}

    def query(self, query: Select[Any] | Sql | str) -> Sql:
        """A query of ours: module constants, so identity is the key; of text, the text."""
        if isinstance(query, Sql):
            return query
        return self._remember(query, lambda: text(query) if isinstance(query, str) else query)

    def insert(self, table: Table, columns: tuple[str, ...]) -> Sql:
        """Insert one row."""
        return self._remember(
            ("insert", table.name, columns),
            lambda: self._inserted(table).values({name: bindparam(name) for name in columns}),
        )

    def put(self, table: Table, columns: tuple[str, ...]) -> Sql:
        """Insert one row, or update the one with the same primary key."""

        def build() -> Insert:
            statement = self._inserted(table).values({name: bindparam(name) for name in columns})
            key = [column.name for column in table.primary_key]
            fresh = {name: statement.excluded[name] for name in columns if name not in key}
            upsert: Insert = statement.on_conflict_do_update(index_elements=key, set_=fresh)
            return upsert

        return self._remember(("put", table.name, columns), build)

    def update(self, table: Table, condition: tuple[str, ...], columns: tuple[str, ...]) -> Sql:
        """Update ``columns`` where every column of ``condition`` equals."""
        return self._remember(
            ("update", table.name, condition, columns),
            lambda: update(table).where(_equal(table, condition)).values({name: bindparam(name) for name in columns}),
        )

    def delete(self, table: Table, condition: tuple[str, ...]) -> Sql:
        """Delete where every column of ``condition`` equals."""
        return self._remember(("delete", table.name, condition), lambda: delete(table).where(_equal(table, condition)))

    def found(self, table: Table, condition: tuple[str, ...]) -> Sql:
        """One row for each where every column of ``condition`` equals."""
        return self._remember(
            ("found", table.name, condition), lambda: select(literal_column("1")).where(_equal(table, condition))
        )

    def consume(self, table: Table) -> Sql:
        """Mark a single-use row as used: only if it is unused and has not expired."""
        return self._remember(
            ("consume", table.name),
            lambda: (
                update(table)
                .where(
                    table.c.id == bindparam(_WHERE + "id"),
                    table.c.consumed_at.is_(None),
                    table.c.expires_at > bindparam(_WHERE + "at"),
                )
                .values(consumed_at=bindparam("consumed_at"))
            ),
        )

    def single_use(self, table: Table) -> Sql:
        """What became of a single-use row."""
        return self._remember(
            ("single_use", table.name),
            lambda: select(table.c.consumed_at, table.c.expires_at).where(table.c.id == bindparam("id")),
        )

    def _remember(self, key: object, build: Callable[[], Statement]) -> Sql:
        known = self._known.get(key)
        if known is None:
            compiled = build().compile(dialect=self._dialect)
            fixed = {name: value for name, value in compiled.params.items() if value is not None}
            known = self._known[key] = Sql(str(compiled), tuple(compiled.positiontup or ()), fixed)
        return known


def _equal(table: Table, columns: tuple[str, ...]) -> Any:
    """Every column equals; where a column may be NULL, NULL equals NULL."""
    return and_(*(_same(table.c[name], bindparam(_WHERE + name)) for name in columns))


def _same(column: Column[Any], value: BindParameter[Any]) -> ColumnElement[bool]:
    return column.is_not_distinct_from(value) if column.nullable else column == value
