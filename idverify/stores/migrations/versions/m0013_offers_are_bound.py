"""An offer carries a MAC, as every row that gives a right does"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Forward only: a restore goes back, a migration never does. Offers of before are over; they last minutes."""
    op.add_column("offer", sa.Column("mac", sa.LargeBinary(), nullable=True))
