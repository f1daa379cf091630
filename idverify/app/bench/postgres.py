"""Four front ends on one PostgreSQL database, against one: the row of the log that each locks must not cost throughput.

Entries have keys and private rows, as in use; between the measurements the log is found to have no gap. Where no server
is installed there is nothing to measure.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import closing
from typing import Final

import orjson

from hsm.rows import Pair, Row, row
from idverify.app.bench import appends
from idverify.app.bench.effort import Effort
from idverify.app.bench.private_server import binaries, private_server
from idverify.app.bench.programs import answer_of
from idverify.app.bench.soft_log import ORIGIN
from idverify.errors import IdverifyError
from idverify.ports import SystemClock
from idverify.stores.open import open_log, open_store
from idverify.stores.schema import upgrade

FRONT_ENDS: Final = 4
TARGET: Final = 0.9
START_SECONDS: Final = 3.0  # until all of them have connected
_NAME: Final = f"PostgreSQL ledger append, {FRONT_ENDS} front ends"
_LIMIT: Final = "one front end on the same server, each one list of 1024 after the other, with keys and private rows"


async def measure(effort: Effort) -> list[Row]:
    """One row, or none without a server."""
    programs = binaries()
    if programs is None:
        sys.stderr.write("PostgreSQL is not installed here; its front ends are not measured.\n")
        return []
    with private_server(programs, {}) as url:
        await asyncio.to_thread(upgrade, url)
        async with open_store(url, SystemClock()) as store:
            await appends.start(store, ORIGIN)
        size, pairs = 1, []
        await _entries(url, 1, effort)  # the first tables' pages and plans
        for _ in range(effort.rounds):
            one, several = await _entries(url, 1, effort), await _entries(url, FRONT_ENDS, effort)
            pairs.append(Pair(effort.front_end_seconds / several, effort.front_end_seconds / one))
            size += one + several
        _require_dense(url, size)
    return [row(_NAME, "entries per second", _LIMIT, TARGET, pairs)]


async def _entries(url: str, front_ends: int, effort: Effort) -> int:
    asked = {"url": url, "begin": time.time() + START_SECONDS, "seconds": effort.front_end_seconds}
    works = (answer_of("idverify.app.bench.front_end", orjson.dumps(asked)) for _ in range(front_ends))
    return sum(map(int, await asyncio.gather(*works)))


def _require_dense(url: str, at_least: int) -> None:
    """Every entry that was acknowledged is in the log, which has no gap."""
    following = 0
    with closing(open_log(url)) as source:
        for first, _, entries in source.bundles():
            if first != following:
                raise IdverifyError(f"Expected entry {following}, the next one in the log is {first}.")
            following += len(entries)
    if following < at_least:
        raise IdverifyError(f"Expected {at_least} entries or more, the log has {following}.")
