"""Receipts: what a holder keeps to show, offline, that their credential stands on the ledger."""

from __future__ import annotations

import hmac
from typing import Any, Final

from idverify.errors import NotFound, Unavailable
from idverify.ledger.proof import TlogProof
from idverify.ledger.receipt import Opening
from idverify.services.offer import code_hash
from idverify.services.office import Office
from idverify.services.records import opening_place, split_opening
from idverify.stores import queries
from idverify.stores.ledger import StoredLedger
from idverify.stores.vault import PersonKey

LONGEST_WAIT: Final = 5.0


class NotYetCovered(Unavailable):
    """No checkpoint covers the entry yet; the next one, within a second, will."""

    slug, title = "receipt-not-yet", "The receipt is not there yet"
    retry_after = 1


async def receipt(office: Office, handle: bytes, token: str, wait: float) -> bytes:
    """The ``.tlog-proof`` of a credential, for whoever holds its receipt token; waits up to ``wait`` seconds.

    Its proof leads to a checkpoint of the shard that holds the entry; a shard that ended is never signed again.
    Raises ``NotFound`` for an unknown handle and for a wrong token alike, and ``NotYetCovered``; ``LogHalted`` or
    ``Gone`` where waiting is of no use.
    """
    row: Any = await office.store.fetch_one(queries.RECEIPT, {"handle": handle})
    given = code_hash(token)
    if row is None or not hmac.compare_digest(row["receipt_token_hash"], given):
        raise NotFound("There is no such receipt, or the token is not its own.")
    shard, index = row["shard"], row["ledger_index"]
    try:
        await office.log_book.wait_covered(shard, index, min(wait, LONGEST_WAIT))
    except TimeoutError as early:
        raise NotYetCovered("No checkpoint covers this entry yet. Ask again in a second.") from early
    return await opened_proof(office, await office.person_key(row, row["person_id"]), row)


async def covered_proof(office: Office, key: PersonKey | None, row: Any) -> bytes:
    """``opened_proof``, once a checkpoint covers the entry. Raises ``NotYetCovered`` after ``LONGEST_WAIT`` seconds."""
    try:
        await office.log_book.wait_covered(row["shard"], row["ledger_index"], LONGEST_WAIT)
    except TimeoutError as early:
        raise NotYetCovered("No checkpoint covers this entry yet. Ask again in a second.") from early
    return await opened_proof(office, key, row)


async def opened_proof(office: Office, key: PersonKey | None, row: Any) -> bytes:
    """The ``.tlog-proof`` of an entry, with what opens it; ``row`` has its handle, shard, index and opening.

    ``key`` is that of the person whom it is about, ``None`` for an entry about ourselves.
    """
    shard, index = row["shard"], row["ledger_index"]
    hashes, checkpoint = await office.log_book.receipt_proof(shard, index)
    opening = row["opening"] if key is None else key.unseal(row["opening"], opening_place(row["handle"]))
    salt, record = split_opening(opening)
    (entry,) = await StoredLedger(office.store, shard).entries(index, index + 1)
    return TlogProof(index, tuple(hashes), checkpoint, Opening(entry, salt, record).encode()).encode()
