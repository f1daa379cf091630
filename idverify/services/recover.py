"""Closing what a crash or a failure left open: an issuance that was intended and never finished is void.

Its status index is marked invalid, because a signature over it may exist somewhere; the ledger says so; and the
offer can be used again, so that the holder's repeat succeeds.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import structlog

from idverify.errors import Conflict, IdverifyError
from idverify.formats.status_list import StatusValue
from idverify.ledger.commitment import Record
from idverify.services.office import Office
from idverify.services.records import act, entry
from idverify.stores import queries, tables
from idverify.stores.connection import Row
from idverify.stores.writes import Change, Put, WriteSet

FORGOTTEN_SECONDS: Final = 600
log = structlog.get_logger()


async def close_open_issuances(office: Office) -> int:
    """At start, before the status list is loaded: void every intent that a crash left open; how many there were."""
    rows = await _open_issuances(office)
    for row in rows:
        with suppress(Conflict):  # another process on the same database finished it
            await _commit_void(office, row)
    return len(rows)


async def close_forgotten_issuances(office: Office) -> None:
    """While serving: void intents that are older than any request, which a failed ``void`` left open."""
    for row in await _open_issuances(office):
        if row["created_at"] < office.clock.now() - FORGOTTEN_SECONDS:
            await void(office, row["id"])


async def _open_issuances(office: Office) -> list[Row]:
    return await office.store.fetch(queries.OPEN_ISSUANCES, {})


async def void(office: Office, issuance_id: bytes) -> None:
    """After a failure: void this intent now. If that fails too, the next start does it."""
    try:
        row = await office.store.fetch_one(queries.OPEN_ISSUANCE, {"id": issuance_id})
        if row is not None:
            await _commit_void(office, row)
            await office.board.apply([(row["status_list"], row["status_index"], StatusValue.INVALID)])
    except IdverifyError as error:
        log.warning("issuance_left_open", error=type(error).__name__)


async def _commit_void(office: Office, row: Any) -> None:
    key = await office.person_key(row, row["person_id"])
    status = (row["status_list"], row["status_index"])
    record = Record("issuance.void", row["tbs_digest"], row["key_id"], status)
    about = (row["person_id"], key)
    entries = (*act(office.entropy, about), entry(record, office.entropy, about))
    invalid = {"status_list": status[0], "status_index": status[1], "value": int(StatusValue.INVALID)}
    closed = Conflict("This issuance was finished meanwhile.")
    writes = (
        Change(tables.issuance, {"id": row["id"], "state": "open"}, {"state": "void"}, closed),
        Change(tables.offer, {"id": row["offer_id"]}, {"consumed_at": None}),
        Put(tables.status_entry, invalid),
    )
    await office.store.commit(WriteSet(writes, entries))
