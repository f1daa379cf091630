"""A person's entries are found by the person: for their own list, and to erase them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Forward only: a restore goes back, a migration never does."""
    of_somebody = sa.text("person_id IS NOT NULL")
    op.create_index(
        "ledger_record_of_person",
        "ledger_record",
        ["person_id"],
        sqlite_where=of_somebody,
        postgresql_where=of_somebody,
    )
