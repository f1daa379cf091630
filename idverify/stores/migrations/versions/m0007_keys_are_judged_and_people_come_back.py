"""Keys are judged by their make, people come back who lost theirs, and sessions renew their tokens"""

from __future__ import annotations

import hashlib
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

TEXT, BYTES, INT = sa.Text(), sa.LargeBinary(), sa.BigInteger()

ADDED: dict[str, dict[str, sa.types.TypeEngine[Any]]] = {
    "account": {"number": TEXT, "active_since": INT},
    "security_key": {
        "attestation_type": TEXT,
        "attestation_object": BYTES,
        "client_data_hash": BYTES,
        "attestation_anchor": BYTES,
        "list_version": INT,
        "metadata_number": INT,
        "metadata_status": TEXT,
        "judged_at": INT,
        "suspended_at": INT,
        "suspended_for": TEXT,
        "cose_key_hash": BYTES,
    },
    "enrolment": {"kind": TEXT, "not_before": INT},
    "ceremony": {"succeeded_at": INT},
    "authorisation": {"action": BYTES},
    "deployment": {"demo": INT},
    "session": {"handle": BYTES, "csrf_key": BYTES, "shared_computer": INT},
}
REFERRING = {"enrolment": ("account_id", "account.id"), "authorisation": ("person_id", "person.id")}
INDEXED = {
    "account_number": ("account", "number", True),
    "security_key_cose_key_hash": ("security_key", "cose_key_hash", True),
    "enrolment_of_account": ("enrolment", "account_id", False),
    "ceremony_of_session": ("ceremony", "session_id", False),
    "ceremony_of_enrolment": ("ceremony", "enrolment_id", False),
    "authorisation_of_account": ("authorisation", "account_id", False),
    "session_handle": ("session", "handle", True),
}


def upgrade() -> None:
    """Forward only: a restore goes back, a migration never does."""
    for table, columns in ADDED.items():
        for name, type_ in columns.items():
            op.add_column(table, sa.Column(name, type_, nullable=True))
    for table, (name, target) in REFERRING.items():
        _add_reference(table, name, target)
    _hash_keys()
    for name, (table, column, unique) in INDEXED.items():
        op.create_index(name, table, [column], unique=unique)
    about_somebody = sa.text("person_id IS NOT NULL")
    op.create_index(
        "authorisation_of_person",
        "authorisation",
        ["person_id"],
        sqlite_where=about_somebody,
        postgresql_where=about_somebody,
    )
    _create_notices()
    _create_authenticator_lists()
    _create_metadata()
    _create_admin_proposals()
    _create_key_orders()
    # Their tokens cannot be renewed: whoever is signed in signs in again.
    op.execute("UPDATE session SET ended_at = created_at WHERE ended_at IS NULL")


def _hash_keys() -> None:
    """Of rows that share one key, which nothing stopped before, the first alone has its hash."""
    if op.get_context().dialect.name == "sqlite":  # PostgreSQL has the function
        connection: Any = op.get_bind().connection.driver_connection
        connection.create_function("sha256", 1, lambda key: hashlib.sha256(key).digest())
    op.execute("""
        UPDATE security_key SET cose_key_hash = sha256(cose_key) WHERE id IN (
            SELECT id FROM (
                SELECT id, row_number() OVER (PARTITION BY cose_key ORDER BY id) AS place FROM security_key
            ) AS numbered WHERE place = 1)""")


def _add_reference(table: str, name: str, target: str) -> None:
    """SQLite takes a reference in ADD COLUMN alone, and alembic writes it apart."""
    type_ = "BYTEA" if op.get_context().dialect.name == "postgresql" else "BLOB"
    referred, column = target.split(".")
    op.execute(f"ALTER TABLE {table} ADD COLUMN {name} {type_} REFERENCES {referred} ({column})")


def _create_notices() -> None:
    op.create_table(
        "notice",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("handle", BYTES, nullable=False),
        sa.Column("account_id", BYTES, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("about", BYTES, nullable=True),
        sa.Column("session_id", BYTES, nullable=True),
        sa.Column("created_at", INT, nullable=False),
        sa.Column("seen_at", INT, nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("handle"),
    )
    op.create_index("notice_of_account", "notice", ["account_id"])


def _create_authenticator_lists() -> None:
    op.create_table(
        "authenticator_list",
        sa.Column("version", INT, autoincrement=False, nullable=False),
        sa.Column("document", BYTES, nullable=False),
        sa.Column("decided_by", TEXT, nullable=False),
        sa.Column("approved_by", TEXT, nullable=True),
        sa.Column("authorisation_id", BYTES, nullable=True),
        sa.Column("approval_id", BYTES, nullable=True),
        sa.Column("decided_at", INT, nullable=False),
        sa.PrimaryKeyConstraint("version"),
    )


def _create_metadata() -> None:
    op.create_table(
        "metadata_blob",
        sa.Column("number", INT, autoincrement=False, nullable=False),
        sa.Column("next_update", INT, nullable=False),
        sa.Column("blob", BYTES, nullable=False),
        sa.Column("loaded_by", TEXT, nullable=False),
        sa.Column("loaded_at", INT, nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )


def _create_admin_proposals() -> None:
    op.create_table(
        "admin_proposal",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("handle", BYTES, nullable=False),
        sa.Column("act", TEXT, nullable=False),
        sa.Column("action", BYTES, nullable=False),
        sa.Column("proposed_by", TEXT, nullable=False),
        sa.Column("proposed_by_account", BYTES, nullable=False),
        sa.Column("authorisation_id", BYTES, nullable=False),
        sa.Column("created_at", INT, nullable=False),
        sa.Column("expires_at", INT, nullable=False),
        sa.Column("consumed_at", INT, nullable=True),
        sa.ForeignKeyConstraint(["proposed_by_account"], ["account.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("handle"),
    )


def _create_key_orders() -> None:
    op.create_table(
        "key_order",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("handle", BYTES, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("old_key_id", BYTES, nullable=False),
        sa.Column("authorisation_id", BYTES, nullable=False),
        sa.Column("approval_id", BYTES, nullable=False),
        sa.Column("ordered_at", INT, nullable=False),
        sa.Column("carried_out_at", INT, nullable=True),
        sa.Column("new_key_id", BYTES, nullable=True),
        sa.ForeignKeyConstraint(["old_key_id"], ["signing_key.key_id"]),
        sa.ForeignKeyConstraint(["new_key_id"], ["signing_key.key_id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("handle"),
    )
