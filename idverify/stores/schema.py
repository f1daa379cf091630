"""Bringing a database to the schema this version expects, by alembic migrations."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from idverify.errors import SetupError

REVISION: Final = "0005"
MIGRATIONS: Final = Path(__file__).with_name("migrations")


def current_revision(path: Path) -> str | None:
    """The revision a database file is at; ``None`` for a file that is new. Raises ``SetupError`` for no database."""
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(path)) as connection:
            known = connection.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if known else None
    except sqlite3.DatabaseError as error:
        raise SetupError(
            f"{path} cannot be read as a database ({error}).", "Make it readable, or restore it from a backup."
        ) from error
    return str(row[0]) if row else None


def upgrade_existing(path: Path) -> None:
    """Migrate the database of a deployment. Raises ``SetupError`` if it is gone.

    A new one in its place would start another log under the same name and key.
    """
    if not path.exists():
        raise SetupError(
            f"The database {path} is gone, and the ledger with it.",
            "Restore it from a backup; if nothing was issued yet, use another --data DIR.",
        )
    upgrade(path)


def upgrade(path: Path) -> None:
    """Make the file, or migrate it, to ``REVISION``; returns at once if it is there already.

    Raises ``SetupError`` for a database of a newer version.
    """
    if current_revision(path) == REVISION:
        return
    from alembic import command  # noqa: PLC0415  0.9 s to import, needed once per version
    from alembic.config import Config  # noqa: PLC0415  likewise
    from alembic.util import CommandError  # noqa: PLC0415  likewise

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{path}")
    try:
        command.upgrade(config, REVISION)
    except CommandError as error:
        raise SetupError(
            f"{path} was written by another version ({error}).", "Start the version of idverify that wrote it."
        ) from error
