"""An offer says in which format its document is collected; those of before are SD-JWT VCs"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Forward only: a restore goes back, a migration never does."""
    op.add_column("offer", sa.Column("format", sa.Text(), nullable=False, server_default="dc+sd-jwt"))
