"""Two admins decide whom is relied on besides ourselves, who are relied on as we are"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

TEXT, BYTES, INT = sa.Text(), sa.LargeBinary(), sa.BigInteger()


def upgrade() -> None:
    """Forward only. The table of before held this deployment's own issuer, which follows from its root and its name."""
    op.drop_table("trusted_issuer")
    op.create_table(
        "issuer_change",
        sa.Column("version", INT, autoincrement=False, nullable=False),
        sa.Column("document", BYTES, nullable=False),
        sa.Column("decided_by", TEXT, nullable=False),
        sa.Column("approved_by", TEXT, nullable=False),
        sa.Column("authorisation_id", BYTES, nullable=False),
        sa.Column("approval_id", BYTES, nullable=False),
        sa.Column("decided_at", INT, nullable=False),
        sa.PrimaryKeyConstraint("version"),
    )
