"""A list that is signed again all the time, beside the service. A program."""

from __future__ import annotations

import asyncio

from idverify.app.bench.beside import main
from idverify.formats.status_list import StatusValue
from idverify.services.office import Office
from idverify.stores import tables
from idverify.stores.writes import Put, WriteSet


async def _sign_again(office: Office, wanted: asyncio.Event) -> None:
    """Each time with another change, so that nothing can be spared."""
    while await wanted.wait():
        place = office.board.allocate()
        row = {"status_list": place.uri, "status_index": place.index, "value": int(StatusValue.INVALID)}
        await office.store.commit(WriteSet((Put(tables.status_entry, row),)))
        await office.board.publish()


if __name__ == "__main__":
    main(_sign_again)
