"""Letters made all the time, beside the service: an officer orders more before the last are made. A program."""

from __future__ import annotations

import asyncio
from typing import Final

from sqlalchemy import select

from idverify.app.bench.beside import main
from idverify.app.software_officer import software_officer
from idverify.core.letter_choices import LetterChoices
from idverify.core.types.immigration_status import IMMIGRATION_STATUS
from idverify.services import letter_batch
from idverify.services.letter_batch import AT_ONCE
from idverify.services.office import Office
from idverify.stores import queries, tables

AHEAD: Final = 2 * AT_ONCE
_LOOK_SECONDS: Final = 0.2
_CHOICES: Final = LetterChoices(type=IMMIGRATION_STATUS.id)


async def _print(office: Office, wanted: asyncio.Event) -> None:
    rows = await office.store.fetch(select(tables.person.c.handle).limit(AHEAD), {})
    people = [row["handle"] for row in rows]
    async with software_officer(office, "Print room") as officer:
        while await wanted.wait():
            if len(await office.store.fetch(queries.OPEN_LETTER_ORDERS, {"most": AHEAD})) < AHEAD:
                await officer.confirm(
                    lambda principal, given: letter_batch.order(office, principal, people, _CHOICES, given)
                )
            await asyncio.sleep(_LOOK_SECONDS)


if __name__ == "__main__":
    main(_print)
