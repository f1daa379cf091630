"""Wrapping what is there for tokens that were not there when it was written, and for a recovery key that came later.

The same walk serves a new token, one that was away for a while, and the first start with a recovery key. Rows are added
and never changed: a run that was cut off is simply run again. Whoever's key does not open is left out and named: one
altered row holds up nobody else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from idverify.errors import Conflict
from idverify.ports import Custodian
from idverify.services.doors import SECRET_NAME
from idverify.services.people import lookups
from idverify.services.sealed import unseal_details
from idverify.stores import queries, tables
from idverify.stores.store import Store
from idverify.stores.transaction import Transaction
from idverify.stores.vault import KEY_BYTES, SealBroken, Vault
from idverify.stores.writes import Insert, WriteSet

PAGE: Final = 200
"""People at a time: their keys are in memory together."""
_TWICE: Final = "This travel document is on record with two people. Ask an operator to join them."


@dataclass(frozen=True, slots=True)
class Wrapped:
    """How many people got a further wrapping, how many a further look-up, and how many documents two people have.

    ``broken`` are the ids of the people whose key does not open, or opens nothing of theirs.
    """

    keys: int
    lookups: int
    twice: int
    broken: frozenset[bytes] = frozenset()


async def wrap_again(store: Store, vault: Vault, custodian: Custodian) -> Wrapped:
    """Bring every person to every wrapping key and every look-up key that is there. Raises ``Unavailable``."""
    await keep_secret(store, custodian)
    keys, found, twice = 0, 0, 0
    broken = set[bytes]()
    for wrapping_key in sorted(await custodian.wrap(b"", bytes(KEY_BYTES))):  # of the tokens that are there
        asked = {"wrapping_key_id": wrapping_key}
        keys += await _each(store, queries.KEYS_TO_WRAP, asked, partial(_wrapped, store, vault), broken)
    for lookup_key in sorted(await custodian.blind(b"")):
        asked = {"lookup_key_id": lookup_key}
        before = found
        found += await _each(store, queries.LOOKUPS_TO_ADD, asked, partial(_looked_up, store, vault, custodian), broken)
        left: Sequence[Any] = await store.fetch(queries.LOOKUPS_TO_ADD, {**asked, "after": b"", "most": PAGE})
        twice += sum(row["id"] not in broken for row in left) if found > before else 0
    return Wrapped(keys, found, twice, frozenset(broken))


async def keep_secret(store: Store, custodian: Custodian) -> None:
    """Keep the deployment's own secret under every wrapping key that is there; at first as one token makes it."""
    rows: list[Any] = await store.fetch(queries.DEPLOYMENT_SECRET, {})
    there = {row["wrapping_key_id"] for row in rows}
    if custodian.wrapping_keys <= there:
        return
    wrapped = await custodian.wrap(SECRET_NAME, await custodian.secret())
    fresh = [{"wrapping_key_id": key, "wrapped": value} for key, value in wrapped.items() if key not in there]

    async def kept(transaction: Transaction) -> None:
        by_now = {row["wrapping_key_id"] for row in await transaction.fetch(queries.DEPLOYMENT_SECRET, {})}
        writes = tuple(Insert(tables.deployment_secret, row) for row in fresh if row["wrapping_key_id"] not in by_now)
        await transaction.apply(WriteSet(writes))

    await store.write(kept)


async def _each(
    store: Store, query: Any, asked: dict[str, Any], work: Callable[[Any], Awaitable[bool]], broken: set[bytes]
) -> int:
    """For how many people of a query, page after page, ``work`` had anything to do; whose it could not is added."""
    done, after = 0, b""
    while page := await store.fetch(query, {**asked, "after": after, "most": PAGE}):
        for row in page:
            try:
                done += await work(row)
            except SealBroken:
                broken.add(row["id"])
        after = page[-1]["id"]
    return done


async def _wrapped(store: Store, vault: Vault, row: Any) -> bool:
    rows = await vault.wrap_again(row["id"], row["wrapped_keys"], row["sealed"])
    return await _added(store, row["id"], rows, tables.person_key)


async def _looked_up(store: Store, vault: Vault, custodian: Custodian, row: Any) -> bool:
    details = unseal_details(await vault.open(row["id"], row["wrapped_keys"]), row["id"], row["sealed"])
    if details.travel_document is None:
        return False
    found = await lookups(custodian, row["id"], details.travel_document, Conflict(_TWICE))
    try:
        return await _added(store, row["id"], found, tables.person_lookup)
    except Conflict:  # recorded twice while each token was away in turn: both stay, and are found by one each
        return False


async def _added(store: Store, person_id: bytes, rows: Sequence[Insert], table: Any) -> bool:
    """Whether anything was added. Whoever was erased meanwhile gets nothing, and nothing is added twice."""
    key = "wrapping_key_id" if table is tables.person_key else "lookup_key_id"
    query = queries.WRAPPINGS_OF_PERSON if table is tables.person_key else queries.LOOKUPS_OF_PERSON

    async def add(transaction: Transaction) -> bool:
        if not await transaction.fetch(queries.PERSON_IS_THERE, {"id": person_id}):
            return False
        there = {row[key] for row in await transaction.fetch(query, {"person_id": person_id})}
        writes = tuple(row for row in rows if row.row[key] not in there)
        await transaction.apply(WriteSet(writes))
        return bool(writes)

    return bool(await store.write(add))
