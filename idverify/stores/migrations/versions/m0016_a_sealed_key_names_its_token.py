"""Every token has keys of the log: the one in software names the token that seals it"""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Forward only: a restore goes back, a migration never does. Until now the first token sealed it."""
    op.execute("""
        UPDATE signing_key SET token = (SELECT min(s.token) FROM signing_key s WHERE s.role = 'sealing')
        WHERE token = 'software' AND EXISTS (SELECT 1 FROM signing_key s WHERE s.role = 'sealing')""")
