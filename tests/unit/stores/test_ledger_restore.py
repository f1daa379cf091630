"""The published log is put back in the place of damaged ledger tables, whole or not at all."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from idverify.errors import SetupError
from idverify.ledger import Checkpoint, fsck, restore
from idverify.ledger.audit import Report
from idverify.ledger.published import CHECKPOINT
from idverify.stores.ledger import StoredLedger
from idverify.stores.ledger_restore import restoring
from idverify.stores.open import Location, open_alone, open_log
from idverify.stores.sealed_openings import is_database, sealed_openings
from idverify.stores.writes import WriteSet
from tests.simulators import databases
from tests.simulators.ledger_memory import NOW, ORIGIN, LedgerMemory, SoftwareSigner, publishing
from tests.simulators.published_tree import TreeInMemory, tree_of
from tests.unit.stores.conftest import Database, with_log
from tests.unit.stores.rows import entry

SIGNER = SoftwareSigner()
SIGNED, SIZE = 300, 310


@pytest.fixture
async def database(location: Location) -> Database:
    """A log of 310 entries, 300 of them signed for."""
    made = await with_log(location)
    async with made.open() as store:
        publisher = publishing(StoredLedger(store), SIGNER)
        for size in (100, SIGNED, SIZE):
            begin = (await StoredLedger(store).tree_state()).size
            await store.commit(WriteSet((), tuple(entry(number) for number in range(begin, size))))
            if size < SIZE:
                await publisher.publish_once()
    return made


def published(database: Database, size: int = SIGNED) -> TreeInMemory:
    """What the log published, kept elsewhere."""
    log = LedgerMemory()
    for number in range(SIZE):
        log.add(entry(number).draft, NOW)
    with closing(open_log(database.location)) as source:
        assert [one for _, _, entries in source.bundles() for one in entries] == log.log
    return tree_of(log, size)


def restored(database: Database, tree: TreeInMemory) -> None:
    note = tree.files[CHECKPOINT]
    checkpoint = Checkpoint.parse(note.rpartition(b"\n\n")[0] + b"\n")
    with restoring(open_alone(database.location), checkpoint) as sink:
        assert list(restore(tree, note, checkpoint, sink))[-1] == checkpoint.size


def report_of(database: Database) -> Report:
    with closing(open_log(database.location)) as source:
        *_, report = fsck(source, SIGNER.verifier, ORIGIN)
        assert isinstance(report, Report)
        return report


def audited(database: Database) -> Report:
    """The report on a ledger whose entries and rows belong together."""
    with closing(open_log(database.location)) as source:
        assert list(source.record_findings()) == []
    return report_of(database)


def changed(database: Database, statement: str) -> None:
    assert databases.changed(database.location, statement) > 0


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE ledger_bundle SET entries = zeroblob(10) WHERE first_index = 0",
        "DELETE FROM ledger_bundle WHERE first_index = 100",
        "UPDATE ledger_tile SET hashes = zeroblob(8192)",
        "UPDATE ledger_checkpoint SET note = x'00' WHERE size = 300",
    ],
)
async def test_damaged_tables_are_made_again(database: Database, damage: str) -> None:
    """What was signed for comes from the published files, what was not yet stays; and the log goes on."""
    tree = published(database)
    changed(database, damage)
    assert not report_of(database).holds
    restored(database, tree)
    report = audited(database)
    async with database.open() as store:
        signed = await publishing(StoredLedger(store), SIGNER).publish_once()

    assert (report.findings, report.size, report.signed_size) == ((), SIZE, SIGNED)
    assert signed is not None
    assert signed.size == SIZE


async def test_a_ledger_without_its_tail_goes_on(database: Database) -> None:
    """Where the entries behind the checkpoint are lost, too, the state is that of the checkpoint."""
    tree = published(database, SIZE)
    changed(database, "DELETE FROM ledger_bundle")
    restored(database, tree)

    assert audited(database).signed_size == SIZE


@pytest.mark.parametrize(
    ("change", "size", "match"),
    [
        ("UPDATE ledger_state SET origin = 'other.example/1'", SIGNED, "keeps no log"),
        ("UPDATE ledger_state SET signed_size = 301", SIGNED, "signed for 301"),
        ("UPDATE ledger_checkpoint SET root = zeroblob(32) WHERE size = 300", SIGNED, "another root for 300 entries"),
        ("UPDATE ledger_bundle SET leaf_hashes = zeroblob(320) WHERE first_index = 300", SIGNED, "do not continue"),
        ("UPDATE ledger_state SET tree = x'00'", SIGNED, "do not continue"),
        ("UPDATE ledger_state SET signed_size = 100", 250, "in one row"),
    ],
)
async def test_what_would_forget_something_is_refused(database: Database, change: str, size: int, match: str) -> None:
    """Another log, an older tree, another root for its size, or a tail that does not fit: nothing is changed."""
    tree = published(database, size)
    changed(database, change)
    before = dump(database)
    with pytest.raises(SetupError, match=match):
        restored(database, tree)

    assert dump(database) == before


async def test_a_broken_tree_changes_nothing(database: Database) -> None:
    """Files that do not lead to the signed root leave the tables as they were."""
    tree = published(database)
    tree.files["tile/entries/001.p/44"] = tree.files["tile/entries/001.p/44"][:-1] + b"x"
    before = dump(database)
    with pytest.raises(Exception, match="signed for them"):
        restored(database, tree)

    assert dump(database) == before


def dump(database: Database) -> list[list[tuple[Any, ...]]]:
    tables = ("ledger_state", "ledger_bundle", "ledger_tile", "ledger_checkpoint")
    return [sorted(databases.rows(database.location, f"SELECT * FROM {table}"), key=str) for table in tables]  # noqa: S608  ours


async def test_sealed_openings_are_told_with_their_keys(sqlite_database: Database, tmp_path: Path) -> None:
    """An opening of nobody has no key; another file is no database of ours."""
    async with sqlite_database.open() as store:
        await store.commit(WriteSet((), (entry(0),)))
    path = sqlite_database.location
    ((handle, index),) = databases.rows(path, "SELECT handle, ledger_index FROM ledger_record")
    (tmp_path / "other.sqlite").write_bytes(b"no database")

    assert list(sealed_openings(path, handle)) == [(index, 0)]
    assert list(sealed_openings(path, bytes(16))) == []
    assert is_database(path)
    assert not is_database(tmp_path / "other.sqlite")
