"""Until two admins can agree, the operator does on the command line what they do afterwards, and only until then."""

from __future__ import annotations

from typing import Any

from idverify.core.policy import Role
from idverify.services.cancelling import cancelling
from idverify.stores import queries
from idverify.stores.connection import Connection, Row
from idverify.stores.standing import ENTRIES, KEYS, TWO, WAITING, Standing, recorded
from idverify.stores.store import Store
from idverify.stores.transaction import Transaction
from idverify.stores.writes import WriteSet


async def two_admins_are_active(store: Store) -> bool:
    """Whether there are two who can sign in: who had as many keys as they need, and still have one that works.

    By the ledger: a row is set back as easily as it is written.
    """
    standing = Standing(await _rows(store, KEYS))
    for entry in recorded([*await _rows(store, ENTRIES), *await _rows(store, WAITING)]):
        standing.after(entry)
    return standing.active_admins() >= TWO


async def others_than(store: Store, *accounts: bytes) -> bool:
    """Whether an active admin is left who has none of these accounts."""
    rows: list[Any] = await store.fetch(queries.ACTIVE_ADMINS, {})
    return bool({row["id"] for row in rows} - set(accounts))


async def end_of_the_first(transaction: Transaction, at: int) -> None:
    """What is done in the transaction in which an admin may have become the second one.

    Links for staff that the operator made while nobody could agree to them open nothing any more.
    """
    if len(await transaction.fetch(queries.ACTIVE_ADMINS, {})) >= TWO:
        alone = (cancelling({"role": role.value, "authorisation_id": None}, at) for role in (Role.OFFICER, Role.ADMIN))
        await transaction.apply(WriteSet(tuple(alone)))


async def _rows(store: Store, sql: str) -> list[Row]:
    async def read(reader: Connection) -> list[Row]:
        return await reader.fetch(sql)

    rows: list[Row] = await store.read(read)
    return rows
