"""A synchronous replica: nothing is acknowledged and nothing signed that it does not have, and it can take over."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import pytest

from idverify.ledger.audit import Report, fsck
from idverify.stores.ledger import StoredLedger
from idverify.stores.open import open_log, open_store
from idverify.stores.postgres import PostgresStore
from idverify.stores.schema import upgrade
from idverify.stores.store import Store
from tests.simulators.ledger_memory import ORIGIN, SoftwareSigner, publishing
from tests.simulators.postgres import USER, Cluster, cluster, empty_cluster
from tests.unit.stores.conftest import FixedClock, with_log
from tests.unit.stores.rows import recorded, with_entry

NAME = "ledger"


@dataclass(frozen=True)
class Pair:
    """A server, and the replica that it waits for."""

    first: Cluster
    second: Cluster

    @property
    def url(self) -> str:
        """Of whichever can be written to."""
        hosts = f"{self.first.folder},{self.second.folder}"
        return f"postgresql://{USER}@/{NAME}?host={hosts}&port=5432,5432&target_session_attrs=read-write"

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The replica receives nothing, as if the network were cut."""
        (row,) = self.second.sql("SELECT pid FROM pg_stat_wal_receiver")
        os.kill(row["pid"], signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(row["pid"], signal.SIGCONT)


@pytest.fixture(scope="module")
def servers() -> Iterator[Pair]:
    """Both, and a log with nothing in it."""
    with cluster() as first, empty_cluster() as second:
        first.sql(f"CREATE DATABASE {NAME}")
        upgrade(first.url(NAME))
        asyncio.run(with_log(first.url(NAME)))
        second.standby(first)
        first.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
        first.sql("SELECT pg_reload_conf()")
        yield Pair(first, second)


@asynccontextmanager
async def opened(pair: Pair) -> AsyncIterator[Store]:
    """A driver over whichever server can be written to."""
    async with open_store(pair.url, FixedClock()) as store:
        yield store


async def writer_of(store: Store) -> int:
    """The server's process that writes for a driver."""

    async def ask(transaction: object) -> int:
        return int((await transaction.fetch("SELECT pg_backend_pid()"))[0][0])  # type: ignore[attr-defined]

    return int(await store.write(ask))


async def waits_for_the_replica(server: Cluster, pid: int) -> None:
    """Until that process is in the middle of a COMMIT that only the replica can end."""
    asked = f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid} AND wait_event = 'SyncRep'"  # noqa: S608  a number
    async with asyncio.timeout(10):
        while not await server.asked(asked):  # noqa: ASYNC110  the server tells nobody
            await asyncio.sleep(0.02)


async def test_nothing_is_signed_that_the_replica_lacks(servers: Pair) -> None:
    """Told to wait no longer, a server commits alone, warns, says COMMIT: no answer, no signature, until both have."""
    signer = SoftwareSigner()
    async with opened(servers) as store, opened(servers) as publishers:
        size = (await StoredLedger(store).tree_state()).size
        pid = await writer_of(store)
        with servers.paused():
            writing = asyncio.ensure_future(store.commit(with_entry(size)))
            await waits_for_the_replica(servers.first, pid)
            assert await recorded(publishers) == list(range(size))
            await servers.first.asked(f"SELECT pg_cancel_backend({pid})")
            async with asyncio.timeout(10):
                while await recorded(publishers) != list(range(size + 1)):  # noqa: ASYNC110  likewise
                    await asyncio.sleep(0.02)
            publisher = publishing(StoredLedger(publishers), signer)
            publishes = asyncio.ensure_future(publisher.publish_once())
            await asyncio.sleep(1)
            assert not writing.done()
            assert (publishes.done(), signer.signed) == (False, [])

        assert await writing == (size,)
        signed = await publishes
        assert signed is not None
        assert signed.size == size + 1


async def test_a_server_process_killed_in_its_commit(servers: Pair) -> None:
    """Killed after the record of the commit is on disk, before the replica has it: recovered, found, and answered."""
    async with opened(servers) as store:
        size = (await StoredLedger(store).tree_state()).size
        await store.commit(with_entry(size))
        pid = await writer_of(store)
        with servers.paused():
            writing = asyncio.ensure_future(store.commit(with_entry(size + 1)))
            await waits_for_the_replica(servers.first, pid)
            os.kill(pid, signal.SIGKILL)

        assert await writing == (size + 1,)
        assert store.stopped_by() is None
        assert await recorded(store) == list(range(size + 2))


async def test_the_replica_takes_over(servers: Pair) -> None:
    """The first server is gone for good: what was acknowledged is on the second, the same drivers go on there."""
    signer = SoftwareSigner()
    async with opened(servers) as one, opened(servers) as other:
        assert isinstance(one, PostgresStore)
        size = (await StoredLedger(one).tree_state()).size
        for number in range(size, size + 20):
            await (one, other)[number % 2].commit(with_entry(number))
        servers.first.kill()
        await servers.second.asked("ALTER SYSTEM RESET synchronous_standby_names")  # there is nobody to wait for
        await servers.second.asked("SELECT pg_promote()")
        indices = [await (one, other)[number % 2].commit(with_entry(number)) for number in range(size + 20, size + 40)]
        await publishing(StoredLedger(one), signer).publish_once()

        assert indices == [(number,) for number in range(size + 20, size + 40)]
        assert await recorded(other) == list(range(size + 40))
    source = open_log(servers.second.url(NAME))
    *_, report = fsck(source, signer.verifier, ORIGIN)
    source.close()
    assert isinstance(report, Report)
    assert (report.findings, report.size) == ((), size + 40)
