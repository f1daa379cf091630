"""Bringing a database to the schema this version expects, by alembic migrations."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from idverify.errors import SetupError

if TYPE_CHECKING:
    from alembic.config import Config

    from idverify.stores.open import Location

REVISION: Final = "0016"
MIGRATIONS: Final = Path(__file__).with_name("migrations")


def current_revision(location: Location) -> str | None:
    """The revision a database is at; ``None`` for one that is new. Raises ``SetupError`` for no database."""
    if isinstance(location, Path):
        return _revision_of_file(location)
    from idverify.stores import postgres_schema  # noqa: PLC0415  0.2 s to import, for those who use it

    return postgres_schema.current_revision(location)


def upgrade_existing(location: Location) -> None:
    """Migrate the database of a deployment. Raises ``SetupError`` if it is gone.

    A new one in its place would start another log under the same name and key.
    """
    if current_revision(location) is None:
        raise SetupError(
            f"{_called(location)} is gone, and the ledger with it.",
            "Restore it from a backup; if nothing was issued yet, use another --data DIR.",
        )
    upgrade(location)


def upgrade(location: Location) -> None:
    """Make the database, or migrate it, to ``REVISION``; returns at once if it is there already.

    Raises ``SetupError`` for a database of a newer version.
    """
    if current_revision(location) == REVISION:
        return
    from alembic import command  # noqa: PLC0415  0.9 s to import, needed once per version
    from alembic.util import CommandError  # noqa: PLC0415  likewise

    def script(revision: str | None) -> str:
        sql = io.StringIO()
        command.upgrade(_migrations(output_buffer=sql), f"{revision or 'base'}:{REVISION}", sql=True)
        return sql.getvalue()

    try:
        if isinstance(location, Path):
            command.upgrade(_migrations(f"sqlite:///{location}"), REVISION)
        else:
            from idverify.stores import postgres_schema  # noqa: PLC0415  as above

            postgres_schema.migrate(location, REVISION, script)
    except CommandError as error:
        raise SetupError(
            f"{_called(location)} was written by another version ({error}).",
            "Start the version of idverify that wrote it.",
        ) from error


def _migrations(url: str = "", output_buffer: io.StringIO | None = None) -> Config:
    from alembic.config import Config  # noqa: PLC0415  as above

    config = Config(output_buffer=output_buffer)
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", url)
    return config


def _called(location: Location) -> str:
    return f"The database {location}" if isinstance(location, Path) else "The database at [database] url"


def _revision_of_file(path: Path) -> str | None:
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
