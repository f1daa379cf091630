"""Migrations lead to the schema that the tables declare, and keep what is there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from idverify.errors import SetupError
from idverify.stores.schema import MIGRATIONS, REVISION, current_revision, upgrade
from idverify.stores.tables import metadata


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
    row = ("id", "Olive Officer", "officer", None, b"hash", 1, None, None)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO api_key VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    upgrade(path)

    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT * FROM api_key").fetchall() == [row]


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
