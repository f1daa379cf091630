"""Rows that open doors, changed as the service itself would have written them: with the MAC that goes with it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import select

from idverify.ports import SystemClock
from idverify.services.doors import Doors
from idverify.stores.open import Location, open_store
from idverify.stores.tables import metadata
from idverify.stores.writes import Change, WriteSet


def rewritten(location: Location, doors: Doors, table: str, values: Mapping[str, Any], **where: Any) -> int:
    """Give columns of every row of ``enrolment``, ``ceremony`` or ``offer`` other values; how many rows that were."""

    async def run() -> int:
        async with open_store(location, SystemClock()) as store:
            rows: list[Any] = await store.fetch(select(metadata.tables[table]), {})
            named = [dict(row) | values for row in rows if all(row[name] == value for name, value in where.items())]
            changes = (_change(doors, table, row, values) for row in named)
            await store.commit(WriteSet(tuple(changes)))
            return len(named)

    with ThreadPoolExecutor(1) as thread:  # an event loop may be running here
        return thread.submit(asyncio.run, run()).result()


def _change(doors: Doors, table: str, row: Mapping[str, Any], values: Mapping[str, Any]) -> Change:
    described = metadata.tables[table]
    return Change(described, {"id": row["id"]}, {**values, "mac": doors.mac(described, row)})
