"""Migrations lead to the schema that the tables declare, and keep what is there."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from idverify.errors import SetupError
from idverify.ports import SystemClock
from idverify.stores import schema
from idverify.stores.open import open_store
from idverify.stores.schema import MIGRATIONS, REVISION, current_revision, upgrade, upgrade_existing
from idverify.stores.tables import metadata, status_entry
from idverify.stores.writes import Insert, WriteSet
from tests.simulators.databases import DRIVERS, changed, empty, rows


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that was migrated from nothing."""
    file = tmp_path / "idverify.sqlite"
    upgrade(file)
    return file


def constraints(path: Path) -> dict[str, set[str]]:
    """What autogeneration does not compare: every table's primary key, uniqueness and references, as SQLite has it."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            table: {
                *(f"key {row[1]} {row[5]}" for row in connection.execute(f"PRAGMA table_info({table})")),
                *(f"unique {_columns(connection, row[1])}" for row in _indices(connection, table) if row[2]),
                *(f"index {_columns(connection, row[1])} {row[4]}" for row in _indices(connection, table)),
                *(f"reference {row[3]} {row[2]}.{row[4]}" for row in _references(connection, table)),
            }
            for table in tables
            if table != "alembic_version"
        }


def _indices(connection: sqlite3.Connection, table: str) -> list[tuple[object, ...]]:
    return connection.execute(f"PRAGMA index_list({table})").fetchall()


def _references(connection: sqlite3.Connection, table: str) -> list[tuple[object, ...]]:
    return connection.execute(f"PRAGMA foreign_key_list({table})").fetchall()


def _columns(connection: sqlite3.Connection, index: object) -> list[str]:
    return [row[2] for row in connection.execute(f"PRAGMA index_info({index})")]


def test_the_migrated_schema_is_the_declared_one(path: Path) -> None:
    """Tables, columns, types and nullability: alembic would not change anything."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()

    assert differences == []


def test_keys_and_constraints_are_the_declared_ones(path: Path, tmp_path: Path) -> None:
    """A database made from the tables directly has the same keys, indices and references."""
    direct = tmp_path / "direct.sqlite"
    engine = create_engine(f"sqlite:///{direct}")
    metadata.create_all(engine)
    engine.dispose()

    assert constraints(path) == constraints(direct)


def test_the_expected_revision_is_the_newest(path: Path) -> None:
    """The one head of the migrations is what this version asks for, and what a migrated file has."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))

    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]
    assert current_revision(path) == REVISION


def test_a_new_file_has_no_revision(tmp_path: Path) -> None:
    """Neither one that is not there, nor one that is empty; and asking makes no file."""
    absent, empty = tmp_path / "absent.sqlite", tmp_path / "empty.sqlite"
    empty.touch()

    assert current_revision(absent) is None
    assert current_revision(empty) is None
    assert not absent.exists()


def test_upgrading_keeps_rows(path: Path) -> None:
    """A database in use is as it was after the next start's upgrade."""
    row = ("id", "Olive Officer", "officer", None, b"hash", 1, None, None, None)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO api_key VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    upgrade(path)

    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT * FROM api_key").fetchall() == [row]


KEY: Final = """
    INSERT INTO security_key (id, handle, account_id, credential_id, cose_key, algorithm, sign_count, backup_eligible,
        backed_up, aaguid, transports, attestation_format, policy_version, name, created_at)
    VALUES (:id, :id, :account, :id, :key, -7, 0, 0, 0, :id, '', 'none', 1, 'a key', 0)"""


@pytest.mark.parametrize("driver", DRIVERS)
def test_keys_of_before_get_their_hash(
    driver: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two rows with one key, which nothing stopped then, the first alone."""
    with empty(driver, request) as url, monkeypatch.context() as before:
        location = url or tmp_path / "idverify.sqlite"
        before.setattr(schema, "REVISION", "0006")
        upgrade(location)
        account = "INSERT INTO account (id, handle, user_handle, role, created_by, created_at) VALUES"
        changed(location, account + " (:id, :id, :id, 'admin', '', 0)", {"id": b"account"})
        for row_id, key in ((b"1", b"once"), (b"3", b"twice"), (b"2", b"twice")):
            changed(location, KEY, {"id": row_id, "account": b"account", "key": key})
        before.undo()
        upgrade(location)

        hashed = {bytes(row[0]): row[1] for row in rows(location, "SELECT id, cose_key_hash FROM security_key")}
        once, twice = (hashlib.sha256(key).digest() for key in (b"once", b"twice"))
        assert hashed == {b"1": once, b"2": twice, b"3": None}


def test_a_database_of_a_newer_version_is_refused(path: Path) -> None:
    """What a newer version wrote is not understood here: one sentence says so, and nothing is changed."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SetupError, match=r"9999.*version of idverify"):
        upgrade(path)

    assert current_revision(path) == "9999"


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """One sentence with the path and the cure."""
    file = tmp_path / "idverify.sqlite"
    file.write_text("something else entirely, and longer than a header " * 100)
    with pytest.raises(SetupError, match=r"idverify\.sqlite.*backup"):
        upgrade(file)


# --- PostgreSQL ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def url(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """A database of a server, with nothing in it."""
    with empty("postgres", request) as made:
        assert made is not None
        yield made


async def test_a_server_has_the_declared_schema(url: str) -> None:
    """Tables, columns, types and nullability are those of SQLite; besides, there is where transactions leave keys."""

    def differences(connection: Connection) -> list[Any]:
        options = {"include_name": lambda name, *_: name != "group_commit"}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    upgrade(url)
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    await engine.dispose()

    assert found == []
    assert current_revision(url) == REVISION


async def test_a_server_is_upgraded_once_whoever_comes_first(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes start a new version at once: both find the schema that they expect, and the rows are there."""
    assert current_revision(url) is None
    with pytest.raises(SetupError, match="is gone"):
        upgrade_existing(url)
    with monkeypatch.context() as before:
        before.setattr(schema, "REVISION", "0006")
        upgrade(url)
    row = {"status_list": "l", "status_index": 1, "value": 1}
    async with open_store(url, SystemClock()) as store:
        await store.commit(WriteSet((Insert(status_entry, row),)))
    await asyncio.gather(*(asyncio.to_thread(upgrade_existing, url) for _ in range(3)))

    assert current_revision(url) == REVISION
    assert rows(url, "SELECT status_list FROM status_entry") == [("l",)]


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_sealed_key_names_the_token_that_seals_it(
    driver: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log's key in software named none before tokens were several; a database without one is left as it is."""
    with empty(driver, request) as made:
        location = made or tmp_path / "idverify.sqlite"
        with monkeypatch.context() as before:
            before.setattr(schema, "REVISION", "0015")
            upgrade(location)
        row = """INSERT INTO signing_key (key_id, token, role, algorithm, state, created_at)
            VALUES (:key_id, :token, :role, '', 'active', 1)"""
        for token, role in (("online", "sealing"), ("second", "wrapping"), ("software", "cosigner")):
            changed(location, row, {"key_id": token.encode(), "token": token, "role": role})
        upgrade_existing(location)

        found = set(rows(location, "SELECT role, token FROM signing_key"))
        assert found == {("sealing", "online"), ("wrapping", "second"), ("cosigner", "online")}


async def test_a_server_of_a_newer_version_is_refused(url: str) -> None:
    """One sentence says so, without the URL's password, and nothing is changed."""
    upgrade(url)
    changed(url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SetupError, match=r"9999.*version of idverify"):
        upgrade(url)

    assert current_revision(url) == "9999"


async def test_a_server_that_is_not_there(url: str) -> None:
    """One sentence with the cure, in which no password stands."""
    absent = "postgresql://idverify:top-secret@127.0.0.1:1/ledger"
    for call in (current_revision, upgrade, upgrade_existing):
        with pytest.raises(SetupError, match=r"ledger on 127\.0\.0\.1 cannot be reached.*\[database\] url") as refused:
            call(absent)
        assert "top-secret" not in str(refused.value)
    with pytest.raises(SetupError, match="does not exist"):
        current_revision(url.replace("/empty_", "/absent_"))
