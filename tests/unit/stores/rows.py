"""Write sets that speak of nothing in particular."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from idverify.ledger.commitment import Record, commitment
from idverify.ledger.entry import Draft
from idverify.stores import tables
from idverify.stores.store import Store
from idverify.stores.writes import Insert, Recorded, WriteSet
from tests.simulators.ledger_memory import NOW, draft

LIST = "https://id.example/status/1"


def status_row(index: int, value: int = 1) -> dict[str, Any]:
    """A row of ``status_entry``."""
    return {"status_list": LIST, "status_index": index, "value": value}


def request_row(number: int, expires_at: int = NOW + 60) -> dict[str, Any]:
    """A single-use row."""
    return {
        "id": b"request %8d" % number,
        "handle": b"handle  %8d" % number,
        "nonce": "n",
        "audience": "a",
        "type": "t",
        "created_by": "Olive Officer",
        "expires_at": expires_at,
        "consumed_at": None,
    }


def entry(number: int, once: bytes | None = None) -> Recorded:
    """A ledger entry of nobody."""
    record, salt = Record("test", number.to_bytes(32, "big")), number.to_bytes(32, "big")
    made = Draft(draft(number).type, draft(number).handle, commitment(salt, record))
    return Recorded(made, "test", salt + record.encode(), once=once)


def with_entry(number: int) -> WriteSet:
    """One row and one entry."""
    return WriteSet((Insert(tables.status_entry, status_row(number)),), (entry(number),))


async def statuses(store: Store) -> dict[int, int]:
    """What ``status_entry`` holds."""
    rows = await store.fetch(select(tables.status_entry).order_by(tables.status_entry.c.status_index), {})
    return {row["status_index"]: row["value"] for row in rows}


async def recorded(store: Store) -> list[int]:
    """Every index in ``ledger_record``, in order."""
    column = tables.ledger_record.c.ledger_index
    return [row["ledger_index"] for row in await store.fetch(select(column).order_by(column), {})]


async def bundles(store: Store) -> list[int]:
    """How many entries each bundle holds, in order."""
    bundle = tables.ledger_bundle
    rows = await store.fetch(select(bundle.c.first_index, bundle.c.count).order_by(bundle.c.first_index), {})
    return [row["count"] for row in rows]


async def count(store: Store, table: Any) -> int:
    """How many rows a table has."""
    row = await store.fetch_one(select(func.count().label("n")).select_from(table), {})
    assert row is not None
    return int(row["n"])
