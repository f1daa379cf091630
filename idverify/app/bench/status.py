"""Status lists: signing a million entries again, and what that does to whoever verifies meanwhile.

A list of 2^20 entries of which one in a hundred is set, as after some years. Signing it again is all of it: the change
in memory, decoys, digest, compression, both forms, two signatures by the HSM, the commit with its ledger entry.
"""

from __future__ import annotations

import os
import tempfile
import time
import zlib
from pathlib import Path
from typing import Final

from hsm.rows import Pair, Row, row
from idverify.app.bench.deployment import deploy
from idverify.app.bench.effort import Effort
from idverify.app.bench.meanwhile import AT_MOST_TWICE, CONNECTIONS, UNIT, verified_meanwhile
from idverify.app.bench.programs import cpu_seconds
from idverify.app.services import open_office
from idverify.formats.status_list import StatusValue
from idverify.services.office import Office
from idverify.services.own_list import SIZE
from idverify.stores import tables
from idverify.stores.writes import Put, WriteSet

_SET: Final = SIZE // 100
_AT_ONCE: Final = 512
_HOLDERS: Final = 32
_SIGNINGS: Final = 10


async def measure(effort: Effort) -> list[Row]:
    """Sign the list again on a token of its own; then verify over HTTP, with and without that going on."""
    with tempfile.TemporaryDirectory(prefix="idverify-bench-") as name:
        directory = Path(name)
        deployment = await deploy(directory / "data", _HOLDERS)
        async with open_office(deployment.config, None) as office:
            await office.board.load()
            await _withdraw_many(office)
            resigned = [await _resigned(office) for _ in range(effort.rounds)]
        return [
            row(
                f"status list of {SIZE:,} entries signed again, both forms",
                "per CPU-second of all processes",
                "zlib alone at level 9, which the draft advises, over the same packed bytes",
                1 / 1.5,
                resigned,
            ),
            row(
                f"HTTP verify, {CONNECTIONS} connections, while the list is signed again all the time",
                UNIT,
                "the same service with the same requests while nothing is signed",
                AT_MOST_TWICE,
                await verified_meanwhile(directory, deployment, effort, "idverify.app.bench.resigning"),
            ),
        ]


async def _withdraw_many(office: Office) -> None:
    """One entry in a hundred, a few of them suspended."""
    references = [office.board.allocate() for _ in range(_SET)]
    for start in range(0, _SET, _AT_ONCE):
        some = references[start : start + _AT_ONCE]
        values = [StatusValue.SUSPENDED if one.index % 16 == 0 else StatusValue.INVALID for one in some]
        rows = [
            {"status_list": one.uri, "status_index": one.index, "value": int(value)}
            for one, value in zip(some, values, strict=True)
        ]
        await office.store.commit(WriteSet(tuple(Put(tables.status_entry, one) for one in rows)))
    await office.board.publish()


async def _resigned(office: Office) -> Pair:
    before = cpu_seconds(os.getpid())
    for _ in range(_SIGNINGS):
        place = office.board.allocate()
        row_ = {"status_list": place.uri, "status_index": place.index, "value": int(StatusValue.INVALID)}
        await office.store.commit(WriteSet((Put(tables.status_entry, row_),)))
        await office.board.publish()
    ours = (cpu_seconds(os.getpid()) - before) / _SIGNINGS
    kept = office.statuses.kept_at(office.board.uri)
    assert kept is not None
    started = time.thread_time()
    for _ in range(_SIGNINGS):
        zlib.compress(kept.statuses.packed, 9)
    return Pair(ours, (time.thread_time() - started) / _SIGNINGS)
