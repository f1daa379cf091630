"""Until two admins can agree, the operator does on the command line what they do afterwards, and only until then."""

from __future__ import annotations

from typing import Any

from idverify.core.policy import Role
from idverify.services.cancelling import cancelling
from idverify.stores import queries
from idverify.stores.store import Store
from idverify.stores.transaction import Transaction
from idverify.stores.writes import WriteSet


async def two_admins_are_active(store: Store) -> bool:
    """Whether there are two who can sign in: who had as many keys as they need, and still have one that works."""
    return _two(await store.fetch(queries.ACTIVE_ADMINS, {}))


async def others_than(store: Store, *accounts: bytes) -> bool:
    """Whether an active admin is left who has none of these accounts."""
    rows: list[Any] = await store.fetch(queries.ACTIVE_ADMINS, {})
    return bool({row["id"] for row in rows} - set(accounts))


async def end_of_the_first(transaction: Transaction, at: int) -> None:
    """What is done in the transaction in which an admin may have become the second one.

    Links for staff that the operator made while nobody could agree to them open nothing any more.
    """
    if _two(await transaction.fetch(queries.ACTIVE_ADMINS, {})):
        alone = (cancelling({"role": role.value, "authorisation_id": None}, at) for role in (Role.OFFICER, Role.ADMIN))
        await transaction.apply(WriteSet(tuple(alone)))


def _two(active: list[Any]) -> bool:
    return len(active) >= 2
