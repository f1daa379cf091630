"""The log is published: shards, leases, quorum checkpoints, idempotency keys, sealed software keys"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

FIRST_SHARD = "1"  # what was recorded until here stands in it


def upgrade() -> None:
    """Forward only: a restore goes back, a migration never does."""
    for table in ("authorisation", "decision", "credential"):
        op.add_column(table, sa.Column("ledger_shard", sa.BigInteger(), nullable=False, server_default=FIRST_SHARD))
        with op.batch_alter_table(table) as batch_op:
            batch_op.alter_column("ledger_shard", server_default=None)
    op.add_column("signing_key", sa.Column("sealed", sa.LargeBinary(), nullable=True))
    op.add_column("ledger_checkpoint", sa.Column("quorum_note", sa.LargeBinary(), nullable=True))
    _leases()
    _records()
    op.create_table(
        "ledger_once",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("shard", sa.BigInteger(), nullable=False),
        sa.Column("ledger_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sqlite_with_rowid=False,
    )


def _leases() -> None:
    op.add_column("ledger_state", sa.Column("previous", sa.LargeBinary(), nullable=True))
    op.add_column("ledger_state", sa.Column("quorum_size", sa.BigInteger(), nullable=True))
    op.add_column("ledger_state", sa.Column("epoch", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("ledger_state", sa.Column("lease_holder", sa.LargeBinary(), nullable=True))
    op.add_column("ledger_state", sa.Column("lease_until", sa.BigInteger(), nullable=False, server_default="0"))
    with op.batch_alter_table("ledger_state") as batch_op:
        batch_op.alter_column("epoch", server_default=None)
        batch_op.alter_column("lease_until", server_default=None)


def _records() -> None:
    """The table anew, without the index of handles."""
    op.rename_table("ledger_record", "ledger_record_before")
    op.create_table(
        "ledger_record",
        sa.Column("shard", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ledger_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("handle", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.LargeBinary(), nullable=True),
        sa.Column("opening", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.PrimaryKeyConstraint("shard", "ledger_index"),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO ledger_record (shard, ledger_index, type, handle, person_id, opening) "
        "SELECT shard, ledger_index, type, handle, person_id, opening FROM ledger_record_before"
    )
    op.drop_table("ledger_record_before")
