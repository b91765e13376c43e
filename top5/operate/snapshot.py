"""A copy of the catalog as of one moment, as a SQLite file, while others write to it; and back.

Belongs here: copying whole databases. Questions about rows are in `top5.catalog`.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, func, insert, select
from sqlalchemy.exc import DatabaseError

from top5.catalog.batches import batched
from top5.catalog.migrate import current_revision, upgrade
from top5.catalog.tables import Base, Feed
from top5.errors import PermanentError, TransientError


def take(url: str, target: Path) -> str:
    """Copy the catalog at `url` to the file `target`; returns the revision of its schema.

    Raises PermanentError `no_catalog` where there is none, TransientError `catalog` where it cannot be read.
    """
    source = create_engine(url)
    try:
        if source.dialect.name == "sqlite":
            revision = current_revision(source) if source.url.database and Path(source.url.database).exists() else None
        else:
            # Rows are read by the tables of the code, so their schema has to be that of the code.
            upgrade(source)
            revision = current_revision(source)
        if revision is None:
            raise PermanentError("no_catalog", "There is no catalog to back up yet; the first `top5 scan` makes it.")
        if source.dialect.name == "sqlite":
            assert source.url.database
            _copy_file(Path(source.url.database), target)
        else:
            _copy_tables(source, target)
    except DatabaseError as error:
        raise TransientError("catalog", f"The catalog cannot be copied ({error.orig}); try again.") from error
    finally:
        source.dispose()
    return revision


def put_back(snapshot: Path, url: str) -> None:
    """Fill the empty catalog of a database server from a snapshot. Raises PermanentError `catalog_in_use` where feeds are in it."""
    target, source = create_engine(url), create_engine(f"sqlite:///{snapshot}")
    try:
        upgrade(source)
        upgrade(target)
        with target.begin() as into, source.connect() as rows:
            if into.scalar(select(func.count()).select_from(Feed)):
                raise PermanentError("catalog_in_use", "The catalog's database is not empty; give catalog_url an empty one.")
            _copy_rows(rows, into)
    finally:
        source.dispose()
        target.dispose()


def check(snapshot: Path) -> None:
    """Raise PermanentError `broken_archive` where a snapshot is no sound database."""
    try:
        with closing(sqlite3.connect(snapshot)) as connection:
            told = connection.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        told = str(error)
    if told != "ok":
        raise PermanentError("broken_archive", f"The catalog in the backup is damaged ({told}); use another backup.")


def _copy_file(source: Path, target: Path) -> None:
    # SQLite's online backup: one moment of the source, whoever writes meanwhile.
    with closing(sqlite3.connect(source, timeout=30)) as rows, closing(sqlite3.connect(target)) as into:
        rows.backup(into)
        # A file of its own: nothing of it may wait in a write-ahead log that is not copied.
        into.execute("PRAGMA journal_mode=DELETE")


def _copy_tables(source: Engine, target: Path) -> None:
    copy = create_engine(f"sqlite:///{target}")
    try:
        upgrade(copy)
        snapshot = source.connect().execution_options(isolation_level="REPEATABLE READ")
        with snapshot as rows, copy.begin() as into:
            _copy_rows(rows, into)
    finally:
        copy.dispose()


def _copy_rows(rows: Connection, into: Connection) -> None:
    for table in Base.metadata.sorted_tables:
        for part in batched(rows.execution_options(yield_per=500).execute(select(table)).mappings(), 500):
            into.execute(insert(table), [dict(row) for row in part])
