"""Write sets: what a service wants to become true together, as data that every driver can carry out.

A write set is rows, preconditions and ledger entries. It commits whole or not at all, in one transaction with
the others of its batch, each in a savepoint of its own.

>>> from idverify.stores import tables
>>> Insert(tables.status_entry, {"status_list": "u", "status_index": 3, "value": 1}).table.name
'status_entry'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table

from idverify.errors import IdverifyError
from idverify.ledger.entry import Draft


@dataclass(frozen=True, slots=True)
class IndexOf:
    """Stands for the ledger index that entry number ``position`` of the same write set will get."""

    position: int


@dataclass(frozen=True, slots=True)
class ShardOf:
    """Stands for the shard of the log that the entries of the same write set go to."""


@dataclass(frozen=True, slots=True)
class Insert:
    """Insert one row. A unique constraint that is already taken raises ``conflict``."""

    table: Table
    row: Mapping[str, Any]
    conflict: IdverifyError | None = None


@dataclass(frozen=True, slots=True)
class InsertMany:
    """Insert rows of one shape, together with those of others; nothing of the same transaction reads them.

    A unique constraint that is taken fails the set.
    """

    table: Table
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class Require:
    """Nothing is written unless exactly one row is such that every column equals, as of this very transaction."""

    table: Table
    where: Mapping[str, Any]
    otherwise: IdverifyError


@dataclass(frozen=True, slots=True)
class Put:
    """Insert one row or replace the one with the same primary key."""

    table: Table
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """Update the rows where every column equals. With ``otherwise``, exactly one row must match or it is raised."""

    table: Table
    where: Mapping[str, Any]
    values: Mapping[str, Any]
    otherwise: IdverifyError | None = None


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete the rows where every column equals."""

    table: Table
    where: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Consume:
    """Use a single-use row: one conditional update on ``consumed_at``; tells used from expired from unknown."""

    table: Table
    id: bytes
    at: int
    used: IdverifyError
    expired: IdverifyError
    unknown: IdverifyError


Write = Insert | InsertMany | Require | Put | Change | Remove | Consume


@dataclass(frozen=True, slots=True)
class Recorded:
    """A ledger entry and the private row that opens it. ``opening`` is sealed where ``person_id`` is set.

    ``once`` is its idempotency key, a UUIDv7 (16 bytes): whoever appends it again gets the index that it has.
    """

    draft: Draft
    type: str
    opening: bytes
    person_id: bytes | None = None
    once: bytes | None = None


@dataclass(frozen=True, slots=True)
class WriteSet:
    """All of it, or nothing.

    Where every entry that has an idempotency key is there already, the set was carried out before: nothing is written,
    and the answer is that of the first time. A set of entries alone may mix old and new; a set with rows may not.
    """

    writes: tuple[Write, ...]
    entries: tuple[Recorded, ...] = field(default=())
