"""How new the status lists of others were that this service relied on, in its database: for every process, for good."""

from __future__ import annotations

from typing import Any

import structlog

from idverify.errors import Unavailable
from idverify.services.status_source import Age
from idverify.stores import queries, tables
from idverify.stores.store import Store
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Put, WriteSet

log = structlog.get_logger()


class StoredSeenLists:
    """``status_source.SeenLists``: one row for each list, which only ever gets newer."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def newest(self, uri: str) -> Age | None:
        """How new the newest list was. Raises ``Unavailable``: who cannot know it takes none."""
        return _age(await self._store.fetch(queries.STATUS_SEEN, {"status_list": uri}))

    async def remember(self, uri: str, age: Age) -> None:
        """It was so new. What cannot be written is known to this process alone until it is seen again."""
        row = {"status_list": uri, "issued_at": age[0], "version": age[1]}

        async def unless_older(transaction: Transaction) -> None:
            known = _age(await transaction.fetch(queries.STATUS_SEEN, {"status_list": uri}))
            if known is None or known < age:
                await transaction.apply(WriteSet((Put(tables.status_seen, row),)))

        try:
            await self._store.write(unless_older)
        except Unavailable as away:
            log.warning("status_list_not_remembered", error=type(away).__name__)


def _age(rows: list[Any]) -> Age | None:
    return (rows[0]["issued_at"], rows[0]["version"]) if rows else None
