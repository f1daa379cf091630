"""A person's own entries: the complete list, signed, and a receipt for each.

The list is the other half of a receipt. A receipt shows that what somebody holds was recorded; the list shows that no
more was recorded about them than they know of: a second credential in their name, a decision that nobody told them
(``completeness``).
"""

from __future__ import annotations

from typing import Any

from idverify.core.policy import Act, Principal, require_may
from idverify.errors import NotFound
from idverify.formats import entries_statement
from idverify.formats.entries_statement import Place, Statement
from idverify.ledger.entry import Entry
from idverify.services import receipts
from idverify.services.another_token import on_another_token
from idverify.services.office import ENTRIES_SIGNER, Office
from idverify.services.people import Person, own_person
from idverify.services.receipts import NotYetCovered
from idverify.stores import queries
from idverify.stores.ledger import StoredLedger


@on_another_token
async def statement(office: Office, citizen: Principal) -> bytes:
    """The signed list of every entry about the caller that a checkpoint covers, oldest first."""
    require_may(citizen, Act.SEE_OWN_RECORD)
    person = await own_person(office, citizen)
    shown = await office.log_book.snapshot(office.log.shard)
    tree = None if shown is None else shown.quorum
    if tree is None:
        raise NotYetCovered("No checkpoint covers this entry yet. Ask again in a second.")
    rows: list[Any] = await office.store.fetch(queries.RECORDS_OF_PERSON, {"person_id": person.id})
    origins = {log.shard: log.origin for log in office.logs}
    covered = [row for row in rows if row["shard"] != office.log.shard or row["ledger_index"] < tree.tree.size]
    places = [
        Place(origins[row["shard"]], row["ledger_index"], row["handle"], row["type"], await _time(office, row))
        for row in covered
    ]
    said = Statement(
        office.deployment.iss,
        person.handle.hex(),
        office.clock.now(),
        office.log.origin,
        tree.tree.size,
        tree.tree.root(),
        tuple(sorted(places, key=lambda place: (place.origin, place.index))),
    )
    signer = office.keys.issuer(ENTRIES_SIGNER)
    unsigned = entries_statement.prepare(said, signer)
    return entries_statement.seal(unsigned, await office.signer.sign(signer.key_id, unsigned.payload))


async def receipt(office: Office, citizen: Principal, shard: int, index: int) -> bytes:
    """The ``.tlog-proof`` of an entry of a log, with its opening; for whom it is about alone."""
    require_may(citizen, Act.SEE_OWN_RECORD)
    person = await own_person(office, citizen)
    row = await _own_row(office, person, (shard, index))
    try:
        await office.log_book.wait_covered(shard, index, 0)
    except TimeoutError as early:
        raise NotYetCovered("No checkpoint covers this entry yet. Ask again in a second.") from early
    return await receipts.opened_proof(office, person.key, row)


async def _own_row(office: Office, person: Person, place: tuple[int, int]) -> Any:
    rows: list[Any] = await office.store.fetch(queries.RECORDS_OF_PERSON, {"person_id": person.id})
    row = next((one for one in rows if (one["shard"], one["ledger_index"]) == place), None)
    if row is None:
        raise NotFound("No entry about you has this index.")
    return row


async def _time(office: Office, row: Any) -> int:
    index = row["ledger_index"]
    (entry,) = await StoredLedger(office.store, row["shard"]).entries(index, index + 1)
    return Entry.decode(entry).time
