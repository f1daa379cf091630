"""Several processes on one PostgreSQL database, killed, and their server, too: one log, and no promise is broken."""

from __future__ import annotations

import asyncio
import random
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest

from idverify.ledger.audit import Report, fsck
from idverify.stores.ledger import StoredLedger
from idverify.stores.open import open_log, open_store
from idverify.stores.schema import upgrade
from idverify.stores.writes import WriteSet
from tests.simulators.databases import rows
from tests.simulators.ledger_memory import ORIGIN, SoftwareSigner, publishing
from tests.simulators.postgres import FAST, Cluster, cluster
from tests.simulators.service import ROOT
from tests.unit.stores.conftest import FixedClock, with_log
from tests.unit.stores.rows import entry

FRONT_ENDS = 3
WRITES = 160
KILLS = 4
PATIENCE = 90.0


@pytest.fixture
def server() -> Iterator[Cluster]:
    """A server of the test's own, which flushes: what it acknowledged is there after it was killed."""
    with cluster({**FAST, "fsync": "on", "full_page_writes": "on"}) as running:
        yield running


@dataclass
class FrontEnds:
    """Processes that write, and what each of them was acknowledged."""

    url: str
    acknowledged: dict[str, int] = field(default_factory=dict)

    @asynccontextmanager
    async def running(self, writes: int) -> AsyncIterator[asyncio.subprocess.Process]:
        """One of them; on the way out it has written everything, or was killed."""
        command = [sys.executable, "-m", "tests.simulators.front_end", self.url, str(writes)]
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
        reading = asyncio.create_task(self._read(process))
        try:
            yield process
            async with asyncio.timeout(PATIENCE):
                await reading
        finally:
            reading.cancel()
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            key, _, index = line.decode().strip().partition(" ")
            if index.isdecimal():  # of a process that was killed in mid-line no more can be told
                self.acknowledged[key] = int(index)


async def _begun(server: Cluster) -> str:
    await server.asked("CREATE DATABASE ledger")
    url = server.url("ledger")
    await asyncio.to_thread(upgrade, url)
    database = await with_log(url)
    async with database.open() as store:
        await store.commit(WriteSet((), (entry(0),)))
    return url


async def _require_one_log(url: str, acknowledged: dict[str, int]) -> int:
    """Its size: dense, chained, and with every acknowledged entry where it was said to be."""
    async with open_store(url, FixedClock()) as store:
        signer = SoftwareSigner()
        await publishing(StoredLedger(store), signer).publish_once()
    source = open_log(url)
    *_, report = fsck(source, signer.verifier, ORIGIN)
    findings = list(source.record_findings())
    source.close()
    assert isinstance(report, Report)
    assert (report.findings, findings) == ((), [])
    keys = {key.hex(): index for key, index in rows(url, "SELECT key, ledger_index FROM ledger_once")}
    assert {key: keys.get(key) for key in acknowledged} == acknowledged
    assert sorted(keys.values()) == list(range(1, report.size))
    return report.size


async def test_several_front_ends_write_one_log(server: Cluster) -> None:
    """At once, by ones and by lists: every entry once, without a gap, each where its caller was told."""
    url = await _begun(server)
    front_ends = FrontEnds(url)
    async with AsyncExitStack() as stack:
        for _ in range(FRONT_ENDS):
            await stack.enter_async_context(front_ends.running(WRITES // 4))

    size = await _require_one_log(url, front_ends.acknowledged)
    assert size == 1 + len(front_ends.acknowledged) == 1 + FRONT_ENDS * 8 * WRITES // 4 * 3


async def test_server_and_front_ends_die_under_load(server: Cluster) -> None:
    """The server is stopped hard again and again, and a front end killed: nothing acknowledged is lost or moved."""
    seed = secrets.randbits(32)
    sys.stdout.write(f"seed {seed}\n")
    chance = random.Random(seed)  # noqa: S311 repeatable on purpose
    url = await _begun(server)
    front_ends = FrontEnds(url)
    async with AsyncExitStack() as stack:
        processes = [await stack.enter_async_context(front_ends.running(WRITES)) for _ in range(FRONT_ENDS)]
        for _ in range(KILLS):
            before = len(front_ends.acknowledged)
            async with asyncio.timeout(PATIENCE):
                while len(front_ends.acknowledged) < before + 50:  # noqa: ASYNC110  the processes tell nobody
                    await asyncio.sleep(0.01)
            await asyncio.sleep(chance.uniform(0, 0.05))
            await asyncio.to_thread(server.restart)
            if processes[0].returncode is None:
                processes[0].kill()

    size = await _require_one_log(url, front_ends.acknowledged)
    assert size >= 1 + (FRONT_ENDS - 1) * 8 * WRITES * 3
