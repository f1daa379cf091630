"""What PostgreSQL needs besides: a place for the keys of transactions, and how what does not compress is stored"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"

# Hashes and ciphertext do not compress: they are stored as they are, without an attempt.
AS_THEY_ARE = {"ledger_bundle": ("entries", "leaf_hashes"), "ledger_tile": ("hashes",)}


def upgrade() -> None:
    """Forward only: a restore goes back, a migration never does."""
    if op.get_context().dialect.name != "postgresql":
        return
    op.execute("CREATE TABLE group_commit (key BYTEA PRIMARY KEY)")
    for table, columns in AS_THEY_ARE.items():
        for column in columns:
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE EXTERNAL")
    # The row of the log's state is written by every transaction: room beside it keeps its old versions on its page.
    op.execute("ALTER TABLE ledger_state SET (fillfactor = 20)")
