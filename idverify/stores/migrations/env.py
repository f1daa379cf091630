"""Alembic's entry point: the migrations in ``versions`` in order, on a SQLite file or as SQL for PostgreSQL."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, pool

from idverify.stores.tables import metadata

if context.is_offline_mode():  # as a script, which our own driver runs, in a transaction of its own
    context.configure(dialect_name="postgresql", target_metadata=metadata, transactional_ddl=False)
    context.run_migrations()
else:
    engine = create_engine(context.config.get_main_option("sqlalchemy.url") or "", poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()
