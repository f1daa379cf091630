"""Several tokens serve: the deployment's own secret is wrapped for each, as people's keys are"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Forward only: a restore goes back, a migration never does. The next start fills it."""
    op.create_table(
        "deployment_secret",
        sa.Column("wrapping_key_id", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("wrapping_key_id"),
    )
