"""Bringing a catalog to the newest schema.

Safe when two processes open a new catalog at once, and when one is killed in the middle: all of an upgrade is written or nothing.
"""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from sqlalchemy import Connection, Engine

from top5.errors import PermanentError

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(engine: Engine, migrations: Path = MIGRATIONS) -> None:
    """Apply the migrations that this database lacks; a database at the newest revision is only read.

    Raises PermanentError `newer_catalog` where a newer top5 has written it.
    """
    from alembic import command

    config, scripts = _scripts(migrations)
    if current_revision(engine) == scripts.get_current_head():
        return
    with _one_at_a_time(engine):
        found = current_revision(engine)
        if found == scripts.get_current_head():
            return
        if found is not None and found not in {script.revision for script in scripts.walk_revisions()}:
            raise PermanentError(
                "newer_catalog",
                f"The catalog has schema {found}, which this version of top5 does not know; install the version that wrote it, "
                "or restore a backup of before.",
            )
        with engine.connect() as connection, _one_transaction(connection):
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def current_revision(engine: Engine) -> str | None:
    """The revision of a database's schema; None where it has none."""
    from alembic.runtime.migration import MigrationContext

    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def known_revisions() -> list[str]:
    """The revisions that this version knows, newest first."""
    _, scripts = _scripts(MIGRATIONS)
    return [script.revision for script in scripts.walk_revisions()]


def _scripts(migrations: Path) -> "tuple[Config, ScriptDirectory]":
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    # Alembic reads the option through configparser, which takes a percent sign in a path for a variable.
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    return config, ScriptDirectory.from_config(config)


@contextmanager
def _one_transaction(connection: Connection) -> Generator[None, None, None]:
    if connection.dialect.name != "sqlite":
        with connection.begin():
            yield
        return
    # Python's driver commits before a CREATE or ALTER unless it is told to leave transactions alone: a kill between two of them
    # would leave half a schema. Foreign keys are off while tables are copied, as SQLite's documentation asks, and checked at the end.
    driver = connection.connection.driver_connection
    assert driver is not None
    before, driver.isolation_level = driver.isolation_level, None
    try:
        driver.execute("PRAGMA foreign_keys=OFF")
        driver.execute("BEGIN IMMEDIATE")
        with connection.begin():
            yield
            if broken := driver.execute("PRAGMA foreign_key_check").fetchone():
                raise PermanentError(
                    "broken_catalog", f"A row of the catalog's table {broken[0]} refers to none; restore a backup."
                )
    finally:
        driver.isolation_level = before
        driver.execute("PRAGMA foreign_keys=ON")


def _one_at_a_time(engine: Engine) -> AbstractContextManager[object]:
    # Postgres runs the whole upgrade in one transaction and env.py takes an advisory lock; SQLite needs a lock of its own.
    if engine.dialect.name == "sqlite" and engine.url.database:
        return FileLock(f"{engine.url.database}.migrating", timeout=60)
    return nullcontext()
