"""A server that fails, goes or does not answer: nothing is promised that is not kept; a key resolves doubt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from sqlalchemy import bindparam, select

from idverify.errors import Conflict, Gone, NotFound, OutcomeUnknown, Unavailable, Unprocessable
from idverify.stores import postgres_commit, postgres_connection, tables
from idverify.stores.ledger import StoredLedger
from idverify.stores.open import open_store
from idverify.stores.postgres import PostgresStore
from idverify.stores.transaction import Transaction
from idverify.stores.writes import Consume, Insert, WriteSet
from tests.simulators.databases import fresh
from tests.simulators.postgres import Cluster, of_url
from tests.simulators.postgres_proxy import Cut, Proxy, proxied
from tests.unit.stores.conftest import Database, FixedClock, with_log
from tests.unit.stores.rows import bundles, count, entry, recorded, request_row, status_row, statuses, with_entry


@pytest.fixture
async def database(request: pytest.FixtureRequest, tmp_path: Any) -> AsyncIterator[Database]:
    """An empty log on a PostgreSQL server."""
    async with fresh("postgres", tmp_path, request) as location:
        yield await with_log(location)


@pytest.fixture
def server(database: Database) -> Cluster:
    """The server that it is on."""
    assert isinstance(database.location, str)
    return of_url(database.location)


@pytest.fixture
async def store(database: Database) -> AsyncIterator[PostgresStore]:
    """An open driver over it."""
    async with database.open() as opened:
        assert isinstance(opened, PostgresStore)
        yield opened


@pytest.fixture
async def proxy(database: Database) -> AsyncIterator[Proxy]:
    """What stands between a driver and the server."""
    assert isinstance(database.location, str)
    async with proxied(database.location) as between:
        yield between


@pytest.fixture
async def distant(proxy: Proxy) -> AsyncIterator[PostgresStore]:
    """A driver whose connections go through the proxy."""
    async with open_store(proxy.url, FixedClock()) as opened:
        assert isinstance(opened, PostgresStore)
        await opened.commit(with_entry(0))
        yield opened


async def pid_of_the_writer(store: PostgresStore) -> int:
    """The server's process that the writer's connection leads to."""

    async def ask(transaction: Transaction) -> int:
        return int((await transaction.fetch("SELECT pg_backend_pid()"))[0][0])

    return int(await store.write(ask))


# --- a COMMIT that is not answered --------------------------------------------------------------------------------


async def test_a_commit_whose_answer_is_lost_is_found(distant: PostgresStore, proxy: Proxy) -> None:
    """The server committed: every caller of the batch gets the answer, once, and the log goes on."""
    proxy.cuts.append(Cut.AFTER)
    answers = await asyncio.gather(*(distant.commit(with_entry(number)) for number in (1, 2)))

    assert answers == [(1,), (2,)]
    assert distant.stopped_by() is None
    assert await distant.commit(with_entry(3)) == (3,)
    assert list(await statuses(distant)) == await recorded(distant) == [0, 1, 2, 3]


async def test_a_commit_that_never_arrived_was_not_done(distant: PostgresStore, proxy: Proxy) -> None:
    """The server never heard of it: callers are told that nothing was done, and a repeat succeeds."""
    proxy.cuts.append(Cut.BEFORE)
    answers = await asyncio.gather(*(distant.commit(with_entry(number)) for number in (1, 2)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [Unavailable, Unavailable]
    assert "Nothing was done" in str(answers[0])
    assert await recorded(distant) == [0]
    assert await distant.commit(with_entry(1)) == (1,)


async def test_a_doubt_that_comes_again_is_resolved_all_the_same(distant: PostgresStore, proxy: Proxy) -> None:
    """While the first one is looked into, the connection that asks is lost at its own COMMIT, too."""
    proxy.cuts += [Cut.AFTER, Cut.AFTER, Cut.BEFORE]

    assert await distant.commit(with_entry(1)) == (1,)
    assert await recorded(distant) == [0, 1]


async def test_a_doubt_that_nobody_resolves_stops_the_driver(
    distant: PostgresStore, proxy: Proxy, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server stays away: callers hear that nobody knows, later ones that it stopped; a restart reads the truth."""
    monkeypatch.setattr(postgres_commit, "RESOLVE_SECONDS", 0.5)
    proxy.cuts.append(Cut.AFTER)
    proxy.refusing = True
    with pytest.raises(OutcomeUnknown, match="Repeat with the same key"):
        await distant.commit(with_entry(1))
    proxy.refusing = False

    with pytest.raises(Unavailable, match="Restart the service"):
        await distant.commit(with_entry(2))
    assert "COMMIT in doubt" in str(distant.stopped_by())
    assert await recorded(distant) == [0, 1]  # reads go on
    async with database.open() as again:
        assert await again.commit(with_entry(2)) == (2,)


async def test_the_old_transaction_is_waited_for(
    store: PostgresStore, distant: PostgresStore, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks is not answered while the old connection might still commit: never yes or no too early."""
    monkeypatch.setattr(postgres_commit, "RESOLVE_SECONDS", 1.0)
    proxy.cuts.append(Cut.SWALLOWED)
    writing = asyncio.ensure_future(distant.commit(with_entry(1)))
    await asyncio.sleep(0.3)
    assert not writing.done()
    (holding,) = await store.read(
        lambda connection: connection.fetch(
            "SELECT count(*) AS n FROM pg_stat_activity WHERE state = 'idle in transaction'"
        )
    )
    assert holding["n"] == 1
    proxy.end()  # both see it; the server rolls back

    with pytest.raises(Unavailable, match="Nothing was done"):
        await writing
    assert await recorded(store) == [0]


# --- failures before COMMIT ---------------------------------------------------------------------------------------


async def test_a_lost_connection_is_made_again(distant: PostgresStore, proxy: Proxy) -> None:
    """Every connection is cut while nobody waits: the next write and the next reads succeed as if nothing had been."""
    proxy.end()
    await asyncio.sleep(0.05)

    assert await distant.commit(with_entry(1)) == (1,)
    assert await asyncio.gather(*(recorded(distant) for _ in range(8))) == [[0, 1]] * 8


async def test_a_server_that_is_away_is_told_and_comes_back(distant: PostgresStore, proxy: Proxy) -> None:
    """While nobody can be reached, writes and reads say so at once; afterwards all goes on."""
    proxy.refusing = True
    proxy.end()
    for refused in (distant.commit(with_entry(1)), recorded(distant)):
        with pytest.raises(Unavailable, match="cannot be reached"):
            await refused
    proxy.refusing = False

    assert await distant.commit(with_entry(1)) == (1,)
    assert distant.stopped_by() is None


async def test_a_transaction_that_others_stopped_is_run_again(store: PostgresStore, server: Cluster) -> None:
    """A deadlock and a serialisation failure are nobody's fault and nobody hears of them; what never ends is told."""
    attempts = []

    async def unlucky(transaction: Transaction) -> int:
        attempts.append(transaction)
        if len(attempts) <= 2:
            code = ("40P01", "40001")[len(attempts) - 1]
            await transaction.fetch(f"DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '{code}'; END $$")
        return len(attempts)

    answers = await asyncio.gather(store.write(unlucky), store.commit(with_entry(0)))

    assert answers == [3, (0,)]
    assert await bundles(store) == [1]

    async def unlucky_for_ever(transaction: Transaction) -> None:
        await transaction.fetch("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$")

    with pytest.raises(Unavailable, match="Nothing was done"):
        await store.write(unlucky_for_ever)
    assert await store.commit(with_entry(1)) == (1,)


@pytest.mark.parametrize("state", ["58030", "XX001"])
async def test_a_server_whose_storage_fails_is_written_to_no_more(store: PostgresStore, state: str) -> None:
    """An I/O error or damaged data: what it has in memory may never have reached its disk, so the driver stops."""

    async def broken(transaction: Transaction) -> None:
        await transaction.fetch(f"DO $$ BEGIN RAISE EXCEPTION 'could not fsync' USING ERRCODE = '{state}'; END $$")

    with pytest.raises(Unavailable, match="could not fsync"):
        await store.write(broken)
    with pytest.raises(Unavailable, match="Restart the service"):
        await store.commit(with_entry(0))

    assert "storage failed" in str(store.stopped_by())


@dataclass
class Failing:
    """A connection on which COMMIT is answered with an error."""

    inner: Any
    error: Exception

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def execute(self, sql: str, *values: Any) -> str:
        if sql == "COMMIT":
            raise self.error
        return str(await self.inner.execute(sql, *values))


async def test_a_panic_at_commit_is_no_matter_of_resolving(store: PostgresStore) -> None:
    """After it, the server may read from memory what is not on its disk: nobody is told that it was committed."""
    panic = asyncpg.PostgresError.new({"S": "PANIC", "V": "PANIC", "C": "XX000", "M": "could not fsync"})
    store._written_by._raw = Failing(store._written_by._raw, panic)
    with pytest.raises(OutcomeUnknown):
        await store.commit(with_entry(0))

    assert "could not fsync" in str(store.stopped_by())


async def test_a_frozen_process_does_not_hold_the_log(
    store: PostgresStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A front end that stands still in mid-transaction is put out by the server; others go on, and so does it later."""
    monkeypatch.setitem(postgres_connection.WRITING, "idle_in_transaction_session_timeout", "300ms")
    await store.commit(with_entry(0))
    async with database.open() as frozen:
        attempts = []

        async def stands_still(transaction: Transaction) -> tuple[int, ...]:
            attempts.append(await transaction.apply(with_entry(1)))
            if len(attempts) == 1:
                await asyncio.sleep(0.8)
            return attempts[-1]

        writing = asyncio.ensure_future(frozen.write(stands_still))
        await asyncio.sleep(0.1)
        assert await store.commit(with_entry(2)) == (1,)
        assert await writing == (2,)
    assert await recorded(store) == [0, 1, 2]


# --- what is asked of the server ----------------------------------------------------------------------------------


async def test_settings_of_the_server_weaken_nothing(server: Cluster, database: Database) -> None:
    """Whatever the database is set to: commits are synchronous, have no time limit, and read what is committed."""
    name = str(database.location).partition("@/")[2].partition("?")[0]
    asked = {
        "synchronous_commit": "off",
        "statement_timeout": "'1ms'",
        "lock_timeout": "'1ms'",
        "default_transaction_isolation": "serializable",
        "default_transaction_read_only": "on",
    }
    for setting, value in asked.items():
        await server.asked(f"ALTER DATABASE {name} SET {setting} = {value}")

    async def settings(transaction: Transaction) -> list[str]:
        return [(await transaction.fetch(f"SHOW {setting}"))[0][0] for setting in asked]

    async with database.open() as store:
        shown = await store.write(settings)
        assert shown == ["on", "0", "0", "read committed", "off"]
        assert await store.commit(with_entry(0)) == (0,)
    await server.asked(f"ALTER DATABASE {name} SET synchronous_commit = remote_apply")
    async with database.open() as store:
        assert (await store.write(settings))[0] == "remote_apply"


async def test_bundles_and_tiles_are_stored_as_they_are(store: PostgresStore) -> None:
    """Hashes do not compress, so no attempt is made."""
    sql = """
        SELECT attname FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid
        WHERE relname IN ('ledger_bundle', 'ledger_tile') AND attstorage = 'e' ORDER BY attname"""
    rows = await store.read(lambda connection: connection.fetch(sql))

    assert [row["attname"] for row in rows] == ["entries", "hashes", "leaf_hashes"]


async def test_keys_of_transactions_are_dropped_when_no_doubt_can_be_about_them(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each transaction leaves one; those of more than an hour ago go, those of this hour stay."""
    keys = "SELECT key FROM group_commit"
    await store.commit(with_entry(0))
    before = {row["key"] for row in await store.read(lambda connection: connection.fetch(keys))}
    monkeypatch.setattr("idverify.stores.postgres.SWEEP_EVERY", 1)
    await store.commit(with_entry(1))
    assert before < {row["key"] for row in await store.read(lambda connection: connection.fetch(keys))}
    monkeypatch.setattr(store._written_by._committing._clock, "now", lambda: FixedClock().now() + 3601, raising=False)
    await store.commit(with_entry(2))
    after = {row["key"] for row in await store.read(lambda connection: connection.fetch(keys))}

    assert len(after) == 1
    assert not after & before


async def test_a_text_that_the_server_does_not_know_is_its_senders_fault(store: PostgresStore) -> None:
    """U+0000 is in no text of the server: whoever sends it is told, others of the batch and the driver are unharmed."""
    wrong = WriteSet((Insert(tables.verification_request, {**request_row(1), "nonce": "a\0b"}),))
    results = await asyncio.gather(store.commit(with_entry(0)), store.commit(wrong), return_exceptions=True)
    assert [type(result) for result in results] == [tuple, Unprocessable]
    asked = select(tables.verification_request).where(tables.verification_request.c.nonce == bindparam("nonce"))
    with pytest.raises(Unprocessable):
        await store.fetch(asked, {"nonce": "a\0b"})

    assert await store.fetch(asked, {"nonce": "n"}) == []


# --- group commit -------------------------------------------------------------------------------------------------


async def test_what_waits_is_committed_together(store: PostgresStore) -> None:
    """Three hundred commits of one moment are two transactions, each with one bundle row; each caller has its index."""
    commits = [asyncio.ensure_future(store.commit(with_entry(number))) for number in range(300)]

    assert await asyncio.gather(*commits) == [(number,) for number in range(300)]
    assert await bundles(store) == [256, 44]


async def test_a_refused_set_leaves_its_transaction_whole(store: PostgresStore) -> None:
    """In one transaction of five sets, the refused one is gone with its entry; the others stand, without a gap."""
    await store.commit(WriteSet((Insert(tables.status_entry, status_row(2)),)))
    refused = Insert(tables.status_entry, status_row(2), Conflict("taken"))
    sets = [with_entry(0), with_entry(1), WriteSet((refused,), (entry(2),)), with_entry(3), with_entry(4)]
    results = await asyncio.gather(*(store.commit(work) for work in sets), return_exceptions=True)

    assert [str(result) for result in results] == ["(0,)", "(1,)", "taken", "(2,)", "(3,)"]
    assert await bundles(store) == [4]


async def test_closing_finishes_what_was_asked_for_whoever_cancels(database: Database) -> None:
    """Being cancelled while it closes, the driver still ends its COMMIT before it lets go."""
    async with database.open() as reading:
        store = await database.open().__aenter__()
        writing = asyncio.ensure_future(store.commit(with_entry(0)))
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(store.__aexit__(None, None, None))
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing

        assert await writing == (0,)
        assert await recorded(reading) == [0]


async def test_single_use_rows_of_two_processes(store: PostgresStore, database: Database) -> None:
    """Of many at once in two drivers, one uses it."""
    async with database.open() as other:
        await store.commit(WriteSet((Insert(tables.verification_request, request_row(1)),)))
        used = [(store, other)[number % 2].commit(WriteSet((consume(),))) for number in range(20)]
        results = await asyncio.gather(*used, return_exceptions=True)

        assert sum(result == () for result in results) == 1
        assert sum(isinstance(result, Conflict) for result in results) == 19
        assert await count(store, tables.verification_request) == 1
        assert (await StoredLedger(other).tree_state()).size == 0


def consume() -> Consume:
    row = request_row(1)
    return Consume(
        tables.verification_request, row["id"], 1, used=Conflict("used"), expired=Gone("gone"), unknown=NotFound("no")
    )
