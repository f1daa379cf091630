"""Whether the ledger says already that every row that opens a door has its MAC: before, rows are taken as they are.

What says so is an entry of the rules, and its opening is a row: whoever writes to the database can hide it for the
minute in which a service starts. They cannot take the entry out of the tree that was signed. So where no row says so,
every entry of the rules must open, and say something else.
"""

from __future__ import annotations

from typing import Any, Final

from idverify.core import security_act
from idverify.core.security_act import POLICY_CHANGED
from idverify.ledger.commitment import SALT_SIZE, opens
from idverify.ledger.entry import Entry, EntryType
from idverify.ledger.merkle import fold, grow, leaf_hashes
from idverify.services.log_book import Log
from idverify.services.office import Office
from idverify.services.records import split_opening
from idverify.stores import queries
from idverify.stores.ledger import StoredLedger
from idverify.stores.standing import record_in

_AT_ONCE: Final = 8192


async def doors_are_recorded(office: Office) -> bool:
    """Whether an entry says so, or could: also where nobody knows which entries there are, as while the log is halted.

    Asked after the log was held against what was signed.
    """
    rows: list[Any] = await office.store.fetch(queries.OF_TYPE, {"type": POLICY_CHANGED})
    if any(_says_so(split_opening(row["opening"])[1].reason) for row in rows):
        return True
    if office.log_book.halted is not None:
        return True
    for log in office.log_book.logs:
        entries = await _entries_of_rules(office, log)
        if entries is None or not all([await _says_otherwise(office, log.shard, entry) for entry in entries]):
            return True
    return False


def _says_so(reason: str | None) -> bool:
    return security_act.least_admin_keys(reason) is not None


async def _entries_of_rules(office: Office, log: Log) -> list[Entry] | None:
    """Those of a log; ``None`` where its entries are not those of its tree."""
    stored = StoredLedger(office.store, log.shard)
    state, frontier, found = await stored.tree_state(), tuple[bytes, ...](), list[Entry]()
    for start in range(0, state.size, _AT_ONCE):
        entries = await stored.entries(start, min(start + _AT_ONCE, state.size))
        frontier = grow(frontier, start, leaf_hashes(entries))
        found += [one for one in map(Entry.decode, entries) if one.type == EntryType.POLICY]
    return found if fold(frontier) == state.root() else None


async def _says_otherwise(office: Office, shard: int, entry: Entry) -> bool:
    """Whether the opening that is kept opens this entry, and says nothing of doors."""
    row: Any = await office.store.fetch_one(queries.RECORD_AT, {"shard": shard, "ledger_index": entry.index})
    record = None if row is None else record_in(row["opening"])
    if record is None or not opens(row["opening"][:SALT_SIZE], record, entry.digest):
        return False
    return not _says_so(record.reason)
