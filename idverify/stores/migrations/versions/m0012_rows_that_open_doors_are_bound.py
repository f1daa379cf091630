"""Rows that open doors carry a MAC; an approval names the confirmation that it follows, a code its proposer"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

ADDED = {
    "api_key": ("mac",),
    "ceremony": ("authorisation_handle", "mac"),
    "enrolment": ("proposed_by_account", "mac"),
    "security_key": ("mac",),
    "session": ("mac",),
    "authorisation": ("approves",),
}


def upgrade() -> None:
    """Forward only: a restore goes back, a migration never does."""
    for table, columns in ADDED.items():
        for name in columns:
            op.add_column(table, sa.Column(name, sa.LargeBinary(), nullable=True))
    op.create_index("authorisation_approves", "authorisation", ["approves"], unique=True)
    # Of whom they are cannot be bound together afterwards: whoever is signed in signs in again, and begins again.
    op.execute("UPDATE session SET ended_at = created_at WHERE ended_at IS NULL")
    op.execute("DELETE FROM ceremony")
