"""All wrappings of a person's key in one column of a query, so that whichever token is there can open it.

``id:wrapped,id:wrapped`` in hexadecimal, which ``vault.read_wrapped`` takes apart; empty if there is none.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Text, func, literal_column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from idverify.stores.tables import person_key


class hexadecimal(GenericFunction[str]):  # noqa: N801  named as functions of SQL are
    """Bytes as text."""

    type = Text()
    inherit_cache = True


@compiles(hexadecimal, "sqlite")
def _sqlite(element: hexadecimal, compiler: SQLCompiler, **options: Any) -> str:
    return f"hex({compiler.process(element.clauses, **options)})"


@compiles(hexadecimal, "postgresql")
def _postgresql(element: hexadecimal, compiler: SQLCompiler, **options: Any) -> str:
    return f"encode({compiler.process(element.clauses, **options)}, 'hex')"


class comma_separated(GenericFunction[str]):  # noqa: N801  likewise
    """The values of every row, joined; SQLAlchemy's own wants the comma as a parameter that only it can fill in."""

    type = Text()
    inherit_cache = True


@compiles(comma_separated, "sqlite")
def _sqlite_joined(element: comma_separated, compiler: SQLCompiler, **options: Any) -> str:
    return f"group_concat({compiler.process(element.clauses, **options)}, ',')"


@compiles(comma_separated, "postgresql")
def _postgresql_joined(element: comma_separated, compiler: SQLCompiler, **options: Any) -> str:
    return f"string_agg({compiler.process(element.clauses, **options)}, ',')"


def wrapped_keys(person_id: ColumnElement[bytes]) -> ColumnElement[str]:
    """The wrappings of the key of the person that a column of the query names."""
    key = person_key.alias("own_key")
    colon, nothing = literal_column("':'", Text()), literal_column("''", Text())
    pair = hexadecimal(key.c.wrapping_key_id).concat(colon).concat(hexadecimal(key.c.wrapped))
    all_of_them = select(func.coalesce(comma_separated(pair), nothing))
    found = all_of_them.where(key.c.person_id == person_id).correlate_except(key).scalar_subquery()
    return found.label("wrapped_keys")
