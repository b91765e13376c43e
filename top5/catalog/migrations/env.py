"""Alembic's entry point: runs the migrations on the connection that `top5.catalog.migrate` hands over."""

from alembic import context
from sqlalchemy import Connection, text

from top5.catalog.tables import Base

connection: Connection = context.config.attributes["connection"]
if connection.dialect.name == "postgresql":
    # One upgrader at a time; the number is arbitrary and only has to be the same everywhere.
    connection.execute(text("select pg_advisory_xact_lock(705035)"))
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
