"""Copying a home into one file while everything runs.

Belongs here: what is copied, and in which order. The form of the file is in `archive`.

The catalog is copied first and everything else after it. Each stage writes its files before it records them in the catalog, and files
are replaced whole, so whatever this copy of the catalog knows of is in the archive; what is newer is found again by the next run.
"""

import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from top5 import __version__
from top5.catalog.location import catalog_url
from top5.errors import TransientError
from top5.operate import snapshot
from top5.operate.archive import CATALOG, CONTENTS, FOLDERS, FORMAT, HEAD, WAREHOUSE, ArchiveWriter, Contents, Head
from top5.settings import Settings

WAIT_FOR_DBT = 60.0
_NOT_KEPT = ("lake/partial/", "lake/quarantine/")


class Backup(BaseModel):
    """A finished backup. `left_out` names what is not in it, with the reason."""

    model_config = ConfigDict(frozen=True)

    path: Path
    files: int
    bytes: int
    left_out: dict[str, str]


def back_up(
    settings: Settings, folder: Path, now: datetime, *, sleep: Callable[[float], None] = time.sleep, wait: float = WAIT_FOR_DBT
) -> Backup:
    """Write `folder`/top5-<time>.tar.gz, readable only by its owner: it holds subscribers and the feeds' private addresses.

    Not in it: Dagster's history of runs, models, caches, logs. `wait` is how many seconds a dbt run at work on the warehouse is waited
    for; after that the warehouse is left out, because a restore can build it again from the lake.
    Raises PermanentError `no_catalog`, TransientError `catalog` or `disk`.
    """
    target = folder / f"top5-{now:%Y%m%dT%H%M%SZ}.tar.gz"
    home, left_out = settings.home, dict[str, str]()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".top5-backup-", dir=folder) as made:
            scratch = Path(made)
            revision = snapshot.take(catalog_url(settings), scratch / CATALOG)
            partial = scratch / "archive"
            partial.touch(0o600)
            with tarfile.open(partial, "w:gz", compresslevel=3) as tar:
                writer = ArchiveWriter(tar)
                writer.add_json(Head(format=FORMAT, version=__version__, made_at=now, catalog_revision=revision), HEAD)
                writer.add(scratch / CATALOG, CATALOG)
                for path, name in _files(home):
                    writer.add(path, name)
                if settings.warehouse_path.exists():
                    for part in _copy_warehouse(settings.warehouse_path, scratch, sleep, wait):
                        writer.add(part, part.name)
                    if WAREHOUSE not in writer.files:
                        left_out[WAREHOUSE] = "in use by a run; a restore builds it again from the lake"
                writer.add_json(Contents(files=writer.files, left_out=left_out), CONTENTS)
            size = partial.stat().st_size
            partial.replace(target)
    except OSError as error:
        raise TransientError("disk", f"{target} could not be written ({error.strerror}); free some space there.") from error
    return Backup(path=target, files=len(writer.files), bytes=size, left_out=left_out)


def _files(home: Path) -> Generator[tuple[Path, str], None, None]:
    for folder in FOLDERS:
        for path in sorted((home / folder).rglob("*")):
            name = path.relative_to(home).as_posix()
            if path.is_file() and not path.is_symlink() and not _is_temporary(path) and not name.startswith(_NOT_KEPT):
                yield path, name
    if (home / "secret_keys").is_file():
        yield home / "secret_keys", "secret_keys"


def _is_temporary(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(".tmp")


def _copy_warehouse(warehouse: Path, scratch: Path, sleep: Callable[[float], None], wait: float) -> list[Path]:
    """Copies of the database file and its log, made while a reader's lock keeps every writer out; none where a writer stays."""
    import duckdb

    with ExitStack() as stack:
        waited = 0.0
        while True:
            try:
                stack.enter_context(duckdb.connect(str(warehouse), read_only=True))
                break
            except duckdb.Error:
                if waited >= wait:
                    return []
                sleep(1.0)
                waited += 1.0
        parts = [path for path in (warehouse, warehouse.with_name(f"{warehouse.name}.wal")) if path.exists()]
        names = (WAREHOUSE, f"{WAREHOUSE}.wal")
        return [shutil.copyfile(part, scratch / name) for part, name in zip(parts, names, strict=False)]
