"""Somebody writes to the ledger's tables under a publisher: it refuses, or signs on without contradicting itself."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from idverify.errors import Unavailable
from idverify.ledger import ForkError, Publisher, genesis
from idverify.ledger.errors import LedgerError, UnreachableError
from idverify.stores.guard_file import GuardFile
from idverify.stores.ledger import StoredLedger
from idverify.stores.sqlite import SqliteStore
from idverify.stores.writes import WriteSet
from tests.simulators.fork_witnesses import Organisations, Reach
from tests.simulators.ledger_memory import NOW, ORIGIN, publishing
from tests.simulators.log_history import History, WatchedSigner
from tests.simulators.log_places import InSqlite
from tests.unit.stores.conftest import sqlite
from tests.unit.stores.rows import entry

SIGNED = (300, 301, 600)
"""Sizes that were signed before anybody tampers; there is a full tile below the first, and two below the last."""
UNSIGNED = 7
TAMPERS: dict[str, tuple[str, str]] = {
    "a tile altered": ("UPDATE ledger_tile SET hashes = zeroblob(8192) WHERE tile_index = 0", "signed was"),
    "a tile exchanged": (
        "UPDATE ledger_tile SET hashes = (SELECT hashes FROM ledger_tile WHERE tile_index = 1)",
        "signed was",
    ),
    "a tile cut short": ("UPDATE ledger_tile SET hashes = substr(hashes, 1, 8160)", "got 8160 bytes"),
    "every tile gone": ("DELETE FROM ledger_tile", "got none"),
    "a tile of the future": ("INSERT INTO ledger_tile VALUES (1, 0, 2, zeroblob(8192))", ""),
    "an older note as the latest": (
        "UPDATE ledger_checkpoint SET note = (SELECT note FROM ledger_checkpoint WHERE size = 301) WHERE size = 600",
        "latest checkpoint to be of size 301",
    ),
    "the latest note gone": (
        "UPDATE ledger_checkpoint SET note = NULL WHERE size = 600",
        "latest checkpoint to be of size None",
    ),
    "the latest checkpoint gone": (
        "DELETE FROM ledger_checkpoint WHERE size = 600",
        "latest checkpoint to be of size None",
    ),
    "an older size as the latest": ("UPDATE ledger_state SET signed_size = 301", ""),
    "an older size, and nothing newer": (
        "UPDATE ledger_state SET signed_size = 301; DELETE FROM ledger_checkpoint WHERE size > 301",
        "",
    ),
    "nothing signed": ("UPDATE ledger_state SET signed_size = NULL", ""),
    "nothing signed nor intended": (
        "UPDATE ledger_state SET signed_size = NULL; DELETE FROM ledger_checkpoint",
        "",
    ),
    "noise as a note": ("UPDATE ledger_checkpoint SET note = x'6e6f69736500'", "control character"),
    "another root in every intent": ("UPDATE ledger_checkpoint SET root = zeroblob(32)", ""),
    "an intent for what comes next": (
        "INSERT INTO ledger_checkpoint VALUES (1, 607, zeroblob(32), NULL, NULL)",
        "size 607 was intended with root 0000",
    ),
    "an empty tree": ("UPDATE ledger_state SET tree = empty_tree()", "restored from a backup"),
    "noise as a tree": ("UPDATE ledger_state SET tree = x'00'", "tree state: expected"),
    "a leaf hash below what is signed": (
        "UPDATE ledger_bundle SET leaf_hashes = zeroblob(32) WHERE first_index = 300",
        "",
    ),
    "a leaf hash above what is signed": (
        "UPDATE ledger_bundle SET leaf_hashes = zeroblob(length(leaf_hashes)) WHERE first_index = 600",
        "do not lead to the root of the 607",
    ),
    "a bundle gone": ("DELETE FROM ledger_bundle WHERE first_index = 300", ""),
    "the last bundle gone": ("DELETE FROM ledger_bundle WHERE first_index = 600", "do not lead to the root of the 607"),
    "somebody else's lease": (
        "UPDATE ledger_state SET lease_holder = x'00', lease_until = 0, epoch = epoch + 1",
        "",
    ),
    "an older epoch": ("UPDATE ledger_state SET epoch = 0", ""),
}
"""What is done to the tables, and what a process says that starts then; nothing where tiles, frontier and guard lead on
from what was signed. The audit finds what they need not look at."""


class Log:
    """A log in a file that was signed three times, with some entries that were not, under a publisher."""

    def __init__(self, path: Path, store: SqliteStore) -> None:
        self.path, self.store = path, store
        self.history = History()
        self._place, self._before = InSqlite(path, lambda _: store), list[bytes]()
        self.signer = WatchedSigner(history=self.history, stored=self._leaves)
        self.guard = path.parent / "guard" / "last-checkpoint"
        self.entries = 0

    def publisher(self, organisations: Organisations | None = None) -> Publisher:
        """A new process's."""
        witnesses = None if organisations is None else organisations.client()
        return publishing(
            StoredLedger(self.store), self.signer, guard=GuardFile(self.guard), now=lambda: NOW, witnesses=witnesses
        )

    async def grow(self, count: int) -> None:
        """So many entries, as one bundle."""
        drafts = tuple(entry(number) for number in range(self.entries, self.entries + count))
        self.entries += count
        await self.store.commit(WriteSet((), drafts))

    def _leaves(self) -> list[bytes]:
        """What was there before anybody tampered, and what came after."""
        with closing(sqlite3.connect(self.path)) as connection:
            sql = "SELECT leaf_hashes FROM ledger_bundle WHERE first_index >= ? ORDER BY first_index"
            added = b"".join(row[0] for row in connection.execute(sql, (len(self._before),)))
        return self._before + [added[at : at + 32] for at in range(0, len(added), 32)]

    def back_up(self) -> Path:
        """A copy of the file."""
        return self._place.back_up()

    def restore(self, backup: Path) -> None:
        """Put it back, with all that is open."""
        with closing(sqlite3.connect(self.path)) as connection, closing(sqlite3.connect(backup)) as taken:
            taken.backup(connection)

    def tamper(self, sql: str) -> None:
        """Change the tables behind everybody's back."""
        self._before = self._place.leaves()
        with closing(sqlite3.connect(self.path)) as connection:
            connection.create_function("empty_tree", 0, genesis(ORIGIN).encode)
            connection.executescript(sql)


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[Log]:
    """An empty log in a file."""
    database = await sqlite(tmp_path)
    async with database.open() as store:
        yield Log(tmp_path / "idverify.sqlite", store)


async def said_in_two_cycles(publisher: Publisher) -> str:
    """The last refusal, or nothing."""
    said = ""
    for _ in range(2):
        try:
            await publisher.publish_once()
        except LedgerError as refused:
            said = str(refused)
    return said


@pytest.mark.parametrize("restarted", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("name", TAMPERS)
async def test_the_ledgers_tables_are_tampered_with(log: Log, name: str, restarted: bool) -> None:  # noqa: FBT001 - parametrized
    """Whatever is changed: all that is signed afterwards goes with all that was signed before."""
    publisher = log.publisher()
    for size in SIGNED:
        await log.grow(size - log.entries)
        assert await publisher.publish_once()
    await log.grow(UNSIGNED)
    tampering, said = TAMPERS[name]
    log.tamper(tampering)
    if restarted:
        publisher = log.publisher()
    first = await said_in_two_cycles(publisher)
    with suppress(LedgerError, Unavailable):
        await log.grow(UNSIGNED)
    await said_in_two_cycles(publisher)

    assert log.history.broken == []
    if restarted:
        assert said in first
        assert bool(said) == bool(first)


async def test_a_restored_backup_is_refused_by_witnesses_where_the_guard_is_lost(log: Log) -> None:
    """The file is put back and the guard is gone: one witness is enough to say no, and none to keep from signing."""
    organisations = Organisations()
    await log.grow(5)
    await log.publisher(organisations).publish_once()
    older = log.back_up()
    await log.grow(5)
    await log.publisher(organisations).publish_once()
    log.restore(older)
    log.guard.unlink()
    await log.grow(1)
    for reachable, said in ((0, UnreachableError), (1, ForkError), (2, ForkError), (3, ForkError)):
        for number, store in enumerate(organisations.stores):
            store.reach = Reach.WELL if number < reachable else Reach.CUT
        await log.grow(3)
        with pytest.raises(said):
            await log.publisher(organisations).publish_once()

    assert [checkpoint.size for checkpoint in log.history.signed] == [5, 10]
