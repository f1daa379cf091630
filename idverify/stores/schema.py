"""Bringing a database to the schema this version expects, by alembic migrations."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

REVISION: Final = "0001"
MIGRATIONS: Final = Path(__file__).with_name("migrations")


def current_revision(path: Path) -> str | None:
    """The revision a database file is at; ``None`` for a file that is new."""
    if not path.exists():
        return None
    with sqlite3.connect(path) as connection:
        known = connection.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if known else None
    connection.close()
    return str(row[0]) if row else None


def upgrade(path: Path) -> None:
    """Migrate the file to ``REVISION``; returns at once if it is there already."""
    if current_revision(path) == REVISION:
        return
    from alembic import command  # noqa: PLC0415  0.9 s to import, needed once per version
    from alembic.config import Config  # noqa: PLC0415  likewise

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{path}")
    command.upgrade(config, REVISION)
