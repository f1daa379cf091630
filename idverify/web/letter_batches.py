"""Officers' routes: letters that a print room makes together, and how far they are."""

from __future__ import annotations

import datetime as dt
from typing import Any

from idverify.services import letter_batch
from idverify.services.letter_batch import Batch, Ordered
from idverify.web import letter_zip, schema
from idverify.web.endpoint import Call, Reply


async def order(call: Call) -> Reply:
    """Order one letter for each person of a list; they are made one after the other, also after a restart."""
    asked: schema.NewLetterBatch = call.body
    people = [bytes.fromhex(person) for person in asked.people]
    batch = await letter_batch.order(call.office, call.caller, people, asked.choices, call.given)
    where = f"/api/v1/letter-batches/{batch.handle.hex()}"
    return Reply(schema.LetterBatchView(**_view(batch)), status=202, headers={"Location": where})


async def list_batches(call: Call) -> schema.LetterBatches:
    """The newest batches, and how far each is."""
    batches = await letter_batch.batches(call.office, call.caller)
    return schema.LetterBatches(batches=[schema.LetterBatchView(**_view(batch)) for batch in batches])


async def show(call: Call) -> schema.LetterBatchDetail:
    """One batch, letter by letter."""
    batch, orders = await letter_batch.batch(call.office, call.caller, call.handle("batch"))
    return schema.LetterBatchDetail(**_view(batch), letters=list(map(_order, orders)))


async def files(call: Call) -> Reply:
    """The letters of a batch that are made, as one ZIP; each person sees who took theirs."""
    handle = call.handle("batch")
    pieces = await letter_zip.of_batch(call.office, call.caller, handle)
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{letter_zip.zip_name(handle)}"',
    }
    return Reply(pieces, content_type=letter_zip.ZIP, headers=headers)


async def due(call: Call) -> schema.LettersDue:
    """Who should get a letter: no valid one goes on beyond a day, and none is on order."""
    asked: schema.LettersWanted = call.body
    people = await letter_batch.due(call.office, call.caller, asked.type, end_of(asked.good_until))
    return schema.LettersDue(people=[person.hex() for person in people])


def end_of(day: dt.date) -> int:
    """The last second of a day, UTC."""
    return int(dt.datetime.combine(day, dt.time(23, 59, 59), dt.UTC).timestamp())


def _view(batch: Batch) -> dict[str, Any]:
    return {
        "batch": batch.handle.hex(),
        "created_by": batch.created_by,
        "created_at": schema.instant(batch.created_at),
        "choices": batch.choices,
        "total": batch.total,
        "made": batch.made,
        "failed": batch.failed,
    }


def _order(one: Ordered) -> schema.LetterOrderView:
    return schema.LetterOrderView(
        person=one.person.hex(),
        state=one.state,
        letter=None if one.letter is None else one.letter.hex(),
        sha256=None if one.digest is None else one.digest.hex(),
        detail=one.failed_for,
    )
