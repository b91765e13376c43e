import io
import json
import shutil
import sqlite3
import stat
import tarfile
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from filelock import FileLock
from pydantic import SecretStr
from sqlalchemy import create_engine, select, update

from tests.fakes.postgres import Postgres
from tests.top5.operate.conftest import DAYS, NOW, Home, settings_at
from top5.catalog.location import catalog_url
from top5.catalog.tables import Base, Feed
from top5.errors import PermanentError
from top5.operate.archive import CONTENTS, HEAD
from top5.operate.backup import back_up
from top5.operate.restore import restore
from top5.operate.snapshot import put_back
from top5.settings import Settings
from top5.warehouse import read_days

LATER = NOW + timedelta(days=1)


def elsewhere(tmp_path: Path) -> Home:
    return Home(settings_at(tmp_path / "elsewhere"))


def rows(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Every row of a catalog, table by table."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=str)
            for table in Base.metadata.sorted_tables
        }
    engine.dispose()
    return found


def rewritten(archive: Path, target: Path, change: dict[str, bytes], *, drop: str = "") -> Path:
    """The archive with some members replaced."""
    with tarfile.open(archive) as old, tarfile.open(target, "w:gz") as new:
        for member in old:
            if member.name == drop:
                continue
            source = old.extractfile(member)
            assert source is not None
            data = change.get(member.name, source.read())
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    return target


@pytest.mark.slow
def test_a_restored_home_freezes_the_same_digests(home: Home, tmp_path: Path):
    digests = home.freeze()
    done = back_up(home.settings, tmp_path / "backups", NOW)
    assert done.left_out == {}
    assert stat.S_IMODE(done.path.stat().st_mode) == 0o600
    new = elsewhere(tmp_path)
    restored = restore(done.path, new.settings, now=LATER)
    assert (restored.made_at, restored.set_aside, restored.rebuilt_days) == (NOW, None, ())
    assert new.freeze() == digests
    catalog = new.catalog()
    assert [feed.title for feed in catalog.feeds()] == ["A"]
    assert [catalog.digest_revisions(day)[-1][0] for day in DAYS] == [1, 1]
    catalog.close()


def test_the_catalog_is_copied_while_another_process_writes_to_it(home: Home, tmp_path: Path):
    writer = sqlite3.connect(home.path / "catalog.db", isolation_level=None)
    writer.execute("begin immediate")
    writer.execute("update feeds set title = 'half of a change'")
    done = back_up(home.settings, tmp_path / "backups", NOW)
    writer.execute("rollback")
    writer.close()
    new = elsewhere(tmp_path)
    restore(done.path, new.settings, now=LATER)
    catalog = new.catalog()
    assert [feed.title for feed in catalog.feeds()] == ["A"]
    catalog.close()


@pytest.mark.slow
def test_a_warehouse_that_is_being_written_is_built_again_from_the_lake(home: Home, tmp_path: Path):
    digests = home.freeze()
    waits: list[float] = []
    (home.path / "warehouse.duckdb").write_bytes(b"in use by somebody who lets nobody read")
    done = back_up(home.settings, tmp_path / "backups", NOW, sleep=waits.append, wait=3)
    assert waits == [1.0, 1.0, 1.0]
    assert list(done.left_out) == ["warehouse.duckdb"]
    new = elsewhere(tmp_path)
    assert restore(done.path, new.settings, now=LATER).rebuilt_days == DAYS
    assert read_days(new.settings.warehouse_path) == DAYS[::-1]
    assert new.freeze() == digests


@pytest.mark.slow
def test_a_catalog_on_postgres_is_copied_as_of_one_moment_and_comes_back_to_either_database(
    home: Home, tmp_path: Path, postgres: Postgres
):
    url, new_url = postgres.database(), postgres.database()
    put_back(home.path / "catalog.db", url)

    def on_server(home: Home, url: str) -> Settings:
        return home.settings.model_copy(update={"catalog_url": SecretStr(url)})

    writer = create_engine(url)
    with writer.connect() as half:
        half.execute(update(Feed).values(title="half of a change"))
        done = back_up(on_server(home, url), tmp_path / "backups", NOW)
        half.rollback()
    writer.dispose()
    in_file = elsewhere(tmp_path).settings
    restore(done.path, in_file, now=LATER)
    on_new_server = on_server(Home(settings_at(tmp_path / "third")), new_url)
    restore(done.path, on_new_server, now=LATER)
    assert not (tmp_path / "third" / "catalog.db").exists()
    kept = rows(url)
    assert len(kept["feeds"]) == 1
    assert len(kept["digests"]) == len(DAYS)
    assert rows(new_url) == rows(catalog_url(in_file)) == kept
    with pytest.raises(PermanentError, match="not empty"):
        restore(done.path, on_new_server, now=LATER, replace=True)
    assert (tmp_path / "third" / "lake").is_dir()


def test_writers_wait_while_the_warehouse_is_copied(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tried: list[str] = []
    copyfile = shutil.copyfile

    def copy_while_somebody_writes(source: Path, target: Path) -> Path:
        with pytest.raises(duckdb.Error) as refused:
            duckdb.connect(str(home.settings.warehouse_path))
        tried.append(str(refused.value))
        return copyfile(source, target)

    monkeypatch.setattr(shutil, "copyfile", copy_while_somebody_writes)
    back_up(home.settings, tmp_path / "backups", NOW)
    assert tried


def test_what_is_there_is_refused_or_set_aside_never_deleted(home: Home, tmp_path: Path):
    done = back_up(home.settings, tmp_path / "backups", NOW)
    with pytest.raises(PermanentError, match="--replace"):
        restore(done.path, home.settings, now=LATER)
    (home.path / "digests" / "note.txt").write_text("mine")
    restored = restore(done.path, home.settings, now=LATER, replace=True)
    assert restored.set_aside is not None
    assert (restored.set_aside / "digests" / "note.txt").read_text() == "mine"
    assert (restored.set_aside / "catalog.db").exists()
    assert not (home.path / "digests" / "note.txt").exists()


def test_a_home_at_work_is_left_alone(home: Home, tmp_path: Path):
    done = back_up(home.settings, tmp_path / "backups", NOW)
    with FileLock(home.path / "run.lock"), pytest.raises(PermanentError, match="A run is at work"):
        restore(done.path, home.settings, now=LATER, replace=True)


@pytest.mark.parametrize("kept", [0.2, 0.6, 0.99])
def test_an_archive_that_was_cut_off_changes_nothing(home: Home, tmp_path: Path, kept: float):
    done = back_up(home.settings, tmp_path / "backups", NOW)
    data = done.path.read_bytes()
    done.path.write_bytes(data[: int(len(data) * kept)])
    before = sorted(path for path in home.path.rglob("*") if path.is_file() and "lock" not in path.name)
    with pytest.raises(PermanentError, match="not as it was written"):
        restore(done.path, home.settings, now=LATER, replace=True)
    assert sorted(path for path in home.path.rglob("*") if path.is_file() and "lock" not in path.name) == before


def test_a_file_that_was_changed_is_told(home: Home, tmp_path: Path):
    done = back_up(home.settings, tmp_path / "backups", NOW)
    name = f"lake/insights/{DAYS[0]}.parquet"
    changed = rewritten(done.path, tmp_path / "changed.tar.gz", {name: b"PAR1 other rows PAR1"})
    missing = rewritten(done.path, tmp_path / "missing.tar.gz", {}, drop=name)
    for archive in (changed, missing):
        with pytest.raises(PermanentError, match="not as it was written"):
            restore(archive, elsewhere(tmp_path).settings, now=LATER)
    assert not (tmp_path / "elsewhere" / "catalog.db").exists()


@pytest.mark.parametrize("head", [{"format": 2}, {"catalog_revision": "9999"}])
def test_an_archive_of_a_newer_version_names_it(home: Home, tmp_path: Path, head: dict[str, object]):
    done = back_up(home.settings, tmp_path / "backups", NOW)
    with tarfile.open(done.path) as tar:
        member = tar.extractfile(HEAD)
        assert member is not None
        told = json.load(member) | head | {"version": "7.0"}
    newer = rewritten(done.path, tmp_path / "newer.tar.gz", {HEAD: json.dumps(told).encode()})
    with pytest.raises(PermanentError, match=r"written by top5 7\.0"):
        restore(newer, elsewhere(tmp_path).settings, now=LATER)


@pytest.mark.parametrize("name", ["../outside.txt", "/tmp/outside.txt", "lake/../../outside.txt", "etc/passwd", "lake"])
def test_an_archive_of_somebody_else_writes_nothing_outside(home: Home, tmp_path: Path, name: str):
    done = back_up(home.settings, tmp_path / "backups", NOW)
    foreign = tmp_path / "foreign.tar.gz"
    with tarfile.open(done.path) as old, tarfile.open(foreign, "w:gz") as new:
        for member in old:
            if member.name == CONTENTS:
                extra = tarfile.TarInfo(name)
                new.addfile(extra)
            new.addfile(member, old.extractfile(member))
    with pytest.raises(PermanentError, match="no backup of top5 has"):
        restore(foreign, elsewhere(tmp_path).settings, now=LATER)
    assert not list(tmp_path.rglob("outside.txt"))


def test_a_link_in_an_archive_is_refused(home: Home, tmp_path: Path):
    foreign = tmp_path / "foreign.tar.gz"
    with tarfile.open(foreign, "w:gz") as tar:
        link = tarfile.TarInfo("lake/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        tar.addfile(link)
    with pytest.raises(PermanentError, match="no backup of top5 has"):
        restore(foreign, elsewhere(tmp_path).settings, now=LATER)


@pytest.mark.parametrize("data", [b"", b"not a tar at all", b"\x1f\x8b broken gzip"])
def test_another_file_is_no_backup(tmp_path: Path, data: bytes):
    (tmp_path / "photo.jpg").write_bytes(data)
    with pytest.raises(PermanentError, match=r"photo\.jpg"):
        restore(tmp_path / "photo.jpg", elsewhere(tmp_path).settings, now=LATER)


def test_a_home_without_a_catalog_has_nothing_to_back_up(tmp_path: Path):
    with pytest.raises(PermanentError, match="no catalog to back up"):
        back_up(elsewhere(tmp_path).settings, tmp_path / "backups", NOW)
    assert list((tmp_path / "backups").iterdir()) == []
