"""One front end at work, as a program: it is told in JSON where, from when and how long, and says how many entries."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any, Final

import orjson

from idverify.app.bench.appends import FULL, append, entries
from idverify.ports import SystemClock
from idverify.stores.open import open_store

BATCH: Final = 1024  # a full batch of the writer: 256 acts, of four entries at least


async def _work(url: str, begin: float, seconds: float) -> int:
    """Entries that were acknowledged within the time, handed over one list after the other."""
    async with open_store(url, SystemClock()) as store:
        begin = max(begin, time.time())  # late on a busy machine, and no shorter at work
        await asyncio.sleep(begin - time.time())
        done, end = 0, begin + seconds
        while time.time() < end:
            await append(store, FULL, entries(BATCH))
            done += BATCH
        return done


def main(asked: dict[str, Any]) -> None:
    """Work, and say how many entries were acknowledged."""
    sys.stdout.write(f"{asyncio.run(_work(**asked))}\n")


if __name__ == "__main__":
    main(orjson.loads(sys.stdin.buffer.read()))
