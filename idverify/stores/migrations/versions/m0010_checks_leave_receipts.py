"""Whoever checks may ask for a signed receipt, whose digest stays with the look, and demand a least assurance"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Forward only: a restore goes back, a migration never does."""
    op.add_column("look", sa.Column("receipt_digest", sa.LargeBinary(), nullable=True))
    op.add_column("verification_request", sa.Column("least_assurance", sa.Text(), nullable=True))
