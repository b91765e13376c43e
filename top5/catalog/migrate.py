"""Bringing a catalog to the newest schema. Safe when two processes open a new catalog at once."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from filelock import FileLock
from sqlalchemy import Engine

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(engine: Engine) -> None:
    """Apply the migrations that this database lacks; a database at the newest revision is only read."""
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    # Alembic reads the option through configparser, which takes a percent sign in a path for a variable.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    head = ScriptDirectory.from_config(config).get_current_head()
    if _current(engine) == head:
        return
    with _one_at_a_time(engine):
        if _current(engine) == head:
            return
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _current(engine: Engine) -> str | None:
    from alembic.runtime.migration import MigrationContext

    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _one_at_a_time(engine: Engine) -> AbstractContextManager[object]:
    # Postgres runs the whole upgrade in one transaction and env.py takes an advisory lock; SQLite needs a lock of its own.
    if engine.dialect.name == "sqlite" and engine.url.database:
        return FileLock(f"{engine.url.database}.migrating", timeout=60)
    return nullcontext()
