import shutil
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine

from top5.catalog.migrate import MIGRATIONS, _scripts, current_revision, known_revisions, upgrade
from top5.catalog.store import Catalog
from top5.errors import PermanentError

NOW = datetime(2026, 9, 14, 12, tzinfo=UTC)
HALFWAY = """
import os, signal
from alembic import op
import sqlalchemy as sa
revision = "9999"
down_revision = "{head}"
branch_labels = depends_on = None
def upgrade():
    op.create_table("half", sa.Column("a", sa.Integer()))
    op.execute("update feeds set title = 'half'")
    with op.batch_alter_table("feeds") as batch:
        batch.drop_column("network")
    if os.environ.get("KILL_ME"):
        os.kill(os.getpid(), signal.SIGKILL)
    raise RuntimeError("the disk went away")
"""
UPGRADE = """
import sys
from pathlib import Path
from sqlalchemy import create_engine
from top5.catalog.migrate import upgrade
upgrade(create_engine(sys.argv[1]), Path(sys.argv[2]))
"""


def rows(path: Path, sql: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(path) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture
def broken_migrations(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "9999_halfway.py").write_text(HALFWAY.format(head=known_revisions()[0]))
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    catalog = Catalog.at_home(tmp_path)
    catalog.add_feed("https://a.example/feed", NOW, title="A")
    catalog.close()
    return tmp_path


def test_a_migration_that_fails_halfway_leaves_the_schema_and_the_rows_as_they_were(home: Path, broken_migrations: Path):
    url = f"sqlite:///{home / 'catalog.db'}"
    before = rows(home / "catalog.db", "select name, sql from sqlite_master order by name")
    with pytest.raises(RuntimeError, match="went away"):
        upgrade(create_engine(url), broken_migrations)
    assert rows(home / "catalog.db", "select name, sql from sqlite_master order by name") == before
    catalog = Catalog.at_home(home)
    assert [feed.title for feed in catalog.feeds()] == ["A"]
    catalog.close()


def test_a_migration_that_is_killed_halfway_leaves_the_schema_and_the_rows_as_they_were(
    home: Path, broken_migrations: Path, monkeypatch: pytest.MonkeyPatch
):
    url = f"sqlite:///{home / 'catalog.db'}"
    monkeypatch.setenv("KILL_ME", "1")
    before = rows(home / "catalog.db", "select name, sql from sqlite_master order by name")
    ended = subprocess.run([sys.executable, "-c", UPGRADE, url, str(broken_migrations)], check=False)
    assert ended.returncode == -signal.SIGKILL
    catalog = Catalog.at_home(home)
    assert [feed.title for feed in catalog.feeds()] == ["A"]
    catalog.close()
    assert rows(home / "catalog.db", "select name, sql from sqlite_master order by name") == before


def test_every_revision_with_rows_is_brought_to_the_newest(tmp_path: Path):
    for revision in known_revisions():
        path = tmp_path / f"{revision}.db"
        engine = create_engine(f"sqlite:///{path}")
        config, _ = _scripts(MIGRATIONS)
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
        fill = (
            "insert into feeds (feed_id, url, title, weight, status, added_at, failures) "
            "values ('f', 'https://a.example', 'A', 1, 'active', '2026-09-01 00:00:00', 0)"
        )
        episode = (
            "insert into episodes (episode_id, feed_id, first_seen, available_on, facts) "
            "values ('e', 'f', '2026-09-01 00:00:00', '2026-09-01', '{}')"
        )
        name = "insert into episode_names (feed_id, guid, episode_id) values ('f', 'g', 'e')"
        with sqlite3.connect(path) as connection:
            for sql in (fill, episode, name):
                connection.execute(sql)
        upgrade(engine)
        assert current_revision(engine) == known_revisions()[0]
        assert rows(path, "select url, title from feeds") == [("https://a.example", "A")]
        assert rows(path, "select guid, episode_id from episode_names") == [("g", "e")]
        assert rows(path, "pragma foreign_key_check") == []
        engine.dispose()


def test_a_catalog_of_a_newer_version_is_refused_and_left_alone(home: Path):
    with sqlite3.connect(home / "catalog.db") as connection:
        connection.execute("update alembic_version set version_num = '9998'")
    with pytest.raises(PermanentError, match="schema 9998"):
        Catalog.at_home(home)
    assert rows(home / "catalog.db", "select version_num from alembic_version") == [("9998",)]


def test_a_file_that_is_no_database_says_what_to_do(tmp_path: Path):
    (tmp_path / "catalog.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(PermanentError, match="top5 restore"):
        Catalog.at_home(tmp_path)
