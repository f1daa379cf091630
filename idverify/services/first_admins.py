"""Until two admins can agree, the operator does on the command line what they do afterwards, and only until then."""

from __future__ import annotations

from idverify.stores import queries
from idverify.stores.store import Store


async def two_admins_are_active(store: Store) -> bool:
    """Whether there are two who have as many keys as they need."""
    return len(await store.fetch(queries.ACTIVE_ADMINS, {})) >= 2
