"""Status lists follow one another and have decoys; a holder retires one copy; verifiers remember how new a list was"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

TEXT, BYTES, INT = sa.Text(), sa.LargeBinary(), sa.BigInteger()


def upgrade() -> None:
    """Forward only: a restore goes back, a migration never does."""
    op.create_table(
        "status_list",
        sa.Column("status_list", TEXT, nullable=False),
        sa.Column("number", INT, nullable=False),
        sa.Column("seed", BYTES, nullable=True),
        sa.Column("opened_at", INT, nullable=False),
        sa.PrimaryKeyConstraint("status_list"),
        sa.UniqueConstraint("number"),
    )
    # Of the one list that there was, any index may be somebody's by now: it gets no decoys, and the next is opened.
    op.execute("""
        INSERT INTO status_list (status_list, number, seed, opened_at)
        SELECT status_list, 1, NULL, signed_at FROM status_publication""")
    op.create_table(
        "status_seen",
        sa.Column("status_list", TEXT, nullable=False),
        sa.Column("issued_at", INT, nullable=False),
        sa.Column("version", INT, nullable=False),
        sa.PrimaryKeyConstraint("status_list"),
    )
    op.add_column("status_publication", sa.Column("decoys", INT, nullable=True))
    op.add_column("status_publication", sa.Column("cwt", BYTES, nullable=True))
    op.add_column("credential", sa.Column("retired_at", INT, nullable=True))
    op.add_column("credential", sa.Column("retired_for", TEXT, nullable=True))
    _add_reference("credential", "retirement_id", "authorisation")
    _add_reference("offer", "replaces", "credential")


def _add_reference(table: str, name: str, referred: str) -> None:
    """SQLite takes a reference in ADD COLUMN alone, and alembic writes it apart."""
    type_ = "BYTEA" if op.get_context().dialect.name == "postgresql" else "BLOB"
    op.execute(f"ALTER TABLE {table} ADD COLUMN {name} {type_} REFERENCES {referred} (id)")
