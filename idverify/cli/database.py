"""Commands that work straight on the database, whether or not the service runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from idverify.app.services import open_doors
from idverify.config import load
from idverify.ports import SystemClock
from idverify.services.doors import Doors
from idverify.services.office import load_deployment
from idverify.stores.open import open_store
from idverify.stores.schema import upgrade_existing
from idverify.stores.store import Store

T = TypeVar("T")


def with_doors(data: Path, work: Callable[[Store, Doors], Awaitable[T]]) -> T:
    """What ``work`` makes of the store and of the token's secret, without which no row opens anything."""

    async def opened(store: Store) -> T:
        async with open_doors(load(data), store) as doors:
            return await work(store, doors)

    return with_store(data, opened)


def with_store(data: Path, work: Callable[[Store], Awaitable[T]]) -> T:
    """What ``work`` makes of the store of a data directory."""

    async def run() -> T:
        location = load(data).location
        upgrade_existing(location)
        async with open_store(location, SystemClock()) as store:
            await load_deployment(store)  # what is done here goes on the ledger, so there must be one
            return await work(store)

    return asyncio.run(run())
