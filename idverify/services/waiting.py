"""Entries that wait: what must be done although the log is halted is recorded in the log that follows.

Such a thing is what the way on needs, that admins can enrol; and what keeps people safe meanwhile: that a status list
shows what was decided, that an API key is revoked, that newer metadata tell of weak keys, that somebody signs out
everywhere.
"""

from __future__ import annotations

from idverify.ledger.entry import Draft, EntryType
from idverify.stores import queries, tables
from idverify.stores.connection import Row
from idverify.stores.store import Store
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Insert, Recorded, Remove, WriteSet


async def commit_or_wait(store: Store, work: WriteSet) -> None:
    """Make a write set true; where the log is halted, its entries wait for the next.

    No row of it may say where they stand: that nobody can know yet. Nobody is erased meanwhile, since that needs an
    entry, too.
    """

    async def carry_out(transaction: Transaction) -> None:
        await apply_or_wait(transaction, work)

    await store.write(carry_out)


async def apply_or_wait(transaction: Transaction, work: WriteSet) -> None:
    """The same within a transaction that has read what the write set rests on."""
    *_, current = await transaction.fetch(queries.LOGS, {})
    if current["halted"] is None:
        await transaction.apply(work)
        return
    waiting = await transaction.fetch(queries.WAITING, {})
    following = waiting[-1]["position"] + 1 if waiting else 1
    kept = [Insert(tables.ledger_waiting, _row(entry, place)) for place, entry in enumerate(work.entries, following)]
    await transaction.apply(WriteSet((*work.writes, *kept)))


async def record_waiting(transaction: Transaction) -> None:
    """Record all that waits in the log that goes on."""
    rows = await transaction.fetch(queries.WAITING, {})
    gone = tuple(Remove(tables.ledger_waiting, {"position": row["position"]}) for row in rows)
    await transaction.apply(WriteSet(gone, tuple(map(_entry, rows))))


def _row(entry: Recorded, position: int) -> dict[str, object]:
    draft = entry.draft
    return {
        "position": position,
        "entry_type": int(draft.type),
        "type": entry.type,
        "handle": draft.handle,
        "digest": draft.digest,
        "person_id": entry.person_id,
        "opening": entry.opening,
    }


def _entry(row: Row) -> Recorded:
    draft = Draft(EntryType(row["entry_type"]), row["handle"], row["digest"])
    return Recorded(draft, row["type"], row["opening"], row["person_id"])
