"""What an entry costs while the log grows: its append, and its share of the checkpoints over it.

As a program (``.ci/growth``) it grows a log as far as it is told, prints the row and draws the costs.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Final

from hsm.rows import Pair, Row, row
from idverify.app.bench import appends, plot
from idverify.app.bench.soft_log import ORIGIN, SoftSigner, publisher
from idverify.ledger.publisher import Publisher
from idverify.ports import SystemClock
from idverify.stores.schema import upgrade
from idverify.stores.sqlite import SqliteStore

BATCH: Final = 256
_COMMITS: Final = 16  # to a point, and then a checkpoint
_TARGET: Final = 0.8
_FLAT_FROM: Final = 10_000
_STEPS: Final = 25  # in a power of ten, in the picture


@dataclass(frozen=True, slots=True)
class Point:
    """Microseconds per entry up to this size of the log, from the size of the point before: CPU, and wall clock.

    CPU is that of all threads and of the kernel; the wall clock's is the commit in the middle, without the checkpoint.
    """

    entries: int
    cpu: float
    wall: float


async def grow(store: SqliteStore, publishing: Publisher, size: int, until: int) -> AsyncIterator[Point]:
    """Grow the log of ``size`` entries to at least ``until``."""
    while size < until:
        works = [appends.entries(BATCH) for _ in range(_COMMITS)]
        begin = time.process_time()
        walls = [await appends.append(store, appends.FULL, work) for work in works]
        await publishing.publish_once()
        cpu = time.process_time() - begin
        size += BATCH * _COMMITS
        yield Point(size, cpu * 1e6 / BATCH / _COMMITS, median(walls) * 1e6 / BATCH)


def flat(points: Sequence[Point]) -> Row:
    """The last tenth of the points against the first tenth from 10,000 entries on."""
    grown = [point for point in points if point.entries >= _FLAT_FROM] or list(points)
    tenth = -(-len(grown) // 10)
    first, last = (median(point.cpu for point in some) / 1e6 for some in (grown[:tenth], grown[-tenth:]))
    limit_is = f"the same at {grown[0].entries:,} entries; this at {grown[-1].entries:,}"
    return row("ledger append, as the log grows", "entries per CPU-second", limit_is, _TARGET, [Pair(last, first)])


async def _grown(until: int) -> list[Point]:
    with tempfile.TemporaryDirectory(prefix="idverify-bench-") as name:
        database = Path(name, "ledger.sqlite")
        upgrade(database)
        async with SqliteStore(database, SystemClock()) as store:
            await appends.start(store, ORIGIN)
            publishing = publisher(store, SoftSigner())
            return [point async for point in grow(store, publishing, 1, until)]


def picture(points: Sequence[Point]) -> str:
    """The costs over the size of the log, as SVG: of points that would lie on one another, the one in the middle."""
    grown = [point for point in points if point.entries >= _FLAT_FROM]
    steps = [list(step) for _, step in groupby(grown, lambda point: int(_STEPS * math.log10(point.entries)))]
    shown = {
        "CPU, all threads and kernel": [(step[0].entries, median(point.cpu for point in step)) for step in steps],
        "until the commit is durable": [(step[0].entries, median(point.wall for point in step)) for step in steps],
    }
    return plot.svg("An entry's cost while the log grows", "entries in the log", "us per entry", shown)


if __name__ == "__main__":
    measured = asyncio.run(_grown(int(sys.argv[1])))
    json.dump(flat(measured), sys.stdout)
    Path(sys.argv[2]).write_text(picture(measured))
