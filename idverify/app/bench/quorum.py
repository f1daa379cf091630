"""From an entry to a checkpoint that a quorum of witnesses signed: all three, each a program of its own on loopback."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from hsm.rows import Pair, Row, row
from idverify.app.bench import appends
from idverify.app.bench.effort import Effort
from idverify.app.bench.programs import running
from idverify.app.bench.soft_log import ORIGIN, SoftSigner, publisher
from idverify.app.witness import make_witness
from idverify.ledger.note import vkey
from idverify.ledger.policy import parse_policy
from idverify.ledger.publisher import Publisher
from idverify.ledger.witness_client import Witnesses
from idverify.ports import SystemClock, system_entropy
from idverify.stores.schema import upgrade
from idverify.stores.sqlite import SqliteStore
from idverify.stores.writes import WriteSet
from idverify.web.witness_transport import open_witness_transport

_WITNESSES: Final = 3
_EVERY: Final = 0.05  # seconds, an entry is appended
_MOST: Final = 2.0  # seconds, in 99 of 100 cases
_PATIENCE: Final = 30.0


async def measure(effort: Effort) -> list[Row]:
    """Entries at a steady pace, as a quiet office makes them; the slowest but for one in a hundred counts."""
    with tempfile.TemporaryDirectory(prefix="idverify-bench-") as name:
        async with _witnessed(Path(name)) as (store, publishing):
            pairs = []
            for _ in range(effort.rounds):
                waited = await _round(store, publishing, max(1, round(effort.witnessed_seconds / _EVERY)))
                pairs.append(Pair(sorted(waited)[-1 - len(waited) // 100], _MOST))
    limit_is = f"{_MOST:g} s, with {_WITNESSES} witnesses on loopback that must all sign"
    return [row("ledger entry to quorum checkpoint, p99", "per second, one after another", limit_is, 1.0, pairs)]


async def _round(store: SqliteStore, publishing: Publisher, entries: int) -> list[float]:
    """Seconds for each entry, from asking for it to the first receipt that can be had."""
    waiting = []
    for _ in range(entries):
        waiting.append(asyncio.create_task(_receivable(store, publishing)))
        await asyncio.sleep(_EVERY)
    return await asyncio.gather(*waiting)


async def _receivable(store: SqliteStore, publishing: Publisher) -> float:
    begin = time.perf_counter()
    (index,) = await store.commit(WriteSet((), tuple(appends.entries(1))))
    await publishing.wait_covered(index, _PATIENCE)
    return time.perf_counter() - begin


@asynccontextmanager
async def _witnessed(folder: Path) -> AsyncIterator[tuple[SqliteStore, Publisher]]:
    """A log that is published every second, as the service does it."""
    database, signer = folder / "ledger.sqlite", SoftSigner()
    upgrade(database)
    async with AsyncExitStack() as stack:
        policy = await _policy(stack, folder, signer)
        store = await stack.enter_async_context(SqliteStore(database, SystemClock()))
        await appends.start(store, ORIGIN)
        witnesses = Witnesses(parse_policy(policy), await stack.enter_async_context(open_witness_transport()))
        publishing = publisher(store, signer, witnesses)
        task = asyncio.create_task(publishing.run())
        try:
            yield store, publishing
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _policy(stack: AsyncExitStack, folder: Path, signer: SoftSigner) -> str:
    """Start the witnesses; the policy that asks for all of them."""
    log, names = vkey(signer.verifier), [f"w{number}" for number in range(_WITNESSES)]
    lines = [f"log {log}"]
    for name in names:
        directory = folder / name
        *_, strongest = make_witness(directory, f"{name}.bench.example", system_entropy)
        command = ("witness", "serve", "--dir", str(directory), "--log", log, "--port", "0")
        program = await stack.enter_async_context(running(folder / "log", "idverify.cli", *command))
        lines.append(f"witness {name} {vkey(strongest.verifier)} {_address(program.announced)}")
    return "\n".join([*lines, f"group everybody all {' '.join(names)}", "quorum everybody", ""])


def _address(announced: str) -> str:
    return next(word for word in announced.split() if word.startswith("http://"))
