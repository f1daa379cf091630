"""Letters on paper: what each is made of, the letter itself, and the batches of a print room"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

TEXT, BYTES, INT = sa.Text(), sa.LargeBinary(), sa.BigInteger()


def upgrade() -> None:
    """Forward only: a restore goes back, a migration never does."""
    op.create_table(
        "letter_batch",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("handle", BYTES, nullable=False),
        sa.Column("choices", TEXT, nullable=False),
        sa.Column("created_by", TEXT, nullable=False),
        sa.Column("authorisation_id", BYTES, nullable=False),
        sa.Column("created_at", INT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("handle"),
    )
    op.create_table(
        "letter",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("handle", BYTES, nullable=False),
        sa.Column("person_id", BYTES, nullable=False),
        sa.Column("credential_id", BYTES, nullable=False),
        sa.Column("code_digest", BYTES, nullable=False),
        sa.Column("key_id", BYTES, nullable=False),
        sa.Column("sealed", BYTES, nullable=False),
        sa.Column("revision_digest", BYTES, nullable=True),
        sa.Column("revision_size", INT, nullable=True),
        sa.Column("file_digest", BYTES, nullable=True),
        sa.Column("sealed_pdf", BYTES, nullable=True),
        sa.Column("created_at", INT, nullable=False),
        sa.Column("made_at", INT, nullable=True),
        sa.Column("ledger_shard", INT, nullable=True),
        sa.Column("ledger_index", INT, nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.ForeignKeyConstraint(["credential_id"], ["credential.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("handle"),
        sa.UniqueConstraint("credential_id"),
    )
    op.create_index("letter_of_person", "letter", ["person_id"])
    op.create_table(
        "letter_order",
        sa.Column("batch_id", BYTES, nullable=False),
        sa.Column("position", INT, autoincrement=False, nullable=False),
        sa.Column("person_id", BYTES, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("letter_id", BYTES, nullable=True),
        sa.Column("failed_for", TEXT, nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["letter_batch.id"]),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.ForeignKeyConstraint(["letter_id"], ["letter.id"]),
        sa.PrimaryKeyConstraint("batch_id", "position"),
        sa.UniqueConstraint("letter_id"),
    )
    op.create_index("letter_order_of_person", "letter_order", ["person_id"])
