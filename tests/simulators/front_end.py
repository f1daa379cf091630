"""One of several processes that write to a PostgreSQL database: ``python -m tests.simulators.front_end URL COUNT``.

Appends entries by ones and by lists, each with an idempotency key, and repeats what was not answered until it is. Each
entry that was acknowledged is a line on standard output: its key in hex, and its index.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field

from idverify.errors import OutcomeUnknown, Unavailable
from idverify.ports import SystemClock, system_entropy, uuid7
from idverify.stores.open import open_store
from idverify.stores.store import Store
from idverify.stores.writes import Recorded, WriteSet
from tests.unit.stores.rows import entry

CALLERS = 8
LIST = 5


@dataclass
class FrontEnd:
    """A store that is opened again whenever it stopped for good, as a service is started again."""

    url: str
    store: Store | None = None
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def appended(self, entries: tuple[Recorded, ...]) -> tuple[int, ...]:
        """Their indices, however often it takes."""
        while True:
            store = await self.opened()
            try:
                return await store.commit(WriteSet((), entries))
            except (Unavailable, OutcomeUnknown):
                await asyncio.sleep(0.05)

    async def opened(self) -> Store:
        """A driver that works."""
        async with self.opening:
            while self.store is None or self.store.stopped_by() is not None:
                try:
                    self.store = await open_store(self.url, SystemClock()).__aenter__()
                except Unavailable:
                    await asyncio.sleep(0.1)
            return self.store

    async def caller(self, count: int) -> None:
        """Lists and single entries by turns."""
        for number in range(count):
            size = LIST if number % 2 else 1
            keys = [uuid7(SystemClock(), system_entropy) for _ in range(size)]
            indices = await self.appended(tuple(entry(1 + number, key) for key in keys))
            for key, index in zip(keys, indices, strict=True):
                sys.stdout.write(f"{key.hex()} {index}\n")
            sys.stdout.flush()


async def main(url: str, count: int) -> None:
    """All callers at once."""
    front_end = FrontEnd(url)
    await asyncio.gather(*(front_end.caller(count) for _ in range(CALLERS)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
