"""What a crash, a full disk or a bad sector leaves behind, and mending it.

Belongs here: finding such things under a home, and for each the one act that mends it. Nothing is mended by being looked for. Locks are not
among them: they are the kernel's (flock) and end with their process; only a run's place in Dagster's pools outlives it, and that is in
`orchestration.history`.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from top5.errors import PermanentError, Top5Error
from top5.lake import content_key
from top5.operate.rebuild import buildable_days, rebuild_warehouse
from top5.settings import Settings
from top5.tables import SCHEMAS

ORPHANED_AFTER = timedelta(hours=1)
"""No write takes longer between its temporary name and its own."""


@dataclass(frozen=True)
class Damage:
    """One thing that is broken. `mend` mends it and says in one sentence what it did; None where a person has to."""

    subject: str
    message: str
    mend: Callable[[], str] | None


def find_damage(settings: Settings, now: datetime) -> list[Damage]:
    """Everything broken under a home that can be told by looking at it. Reads every table and every kept transcript."""
    if not settings.home.is_dir():
        return []
    return [
        *_broken_tables(settings),
        *_broken_words(settings),
        *_orphans(settings, now),
        *_warehouse(settings),
    ]


def _broken_tables(settings: Settings) -> Generator[Damage, None, None]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for table in SCHEMAS:
        for path in sorted((settings.lake_path / table).glob("*.parquet")):
            try:
                file: Any = pq.ParquetFile(path)
                file.read()
            except (pa.ArrowException, OSError) as error:
                what = "" if table == "scans" else f"; then materialize {table} of {path.stem} again"
                yield Damage(
                    "Lake",
                    f"{path} is no readable Parquet file ({_first_line(error)}){what}.",
                    lambda path=path, what=what: f"{path.name} was moved to {_quarantine(settings, path)}{what}.",
                )


def _broken_words(settings: Settings) -> Generator[Damage, None, None]:
    for path in sorted((settings.lake_path / "blobs").rglob("*")):
        if not path.is_file() or _is_temporary(path):
            continue
        data = path.read_bytes()
        # Transcripts lie under the hash of their own content; every other kind is never empty.
        broken = content_key(data) != path.name if path.parent.parent.name == "transcripts" else not data
        if broken:
            yield Damage(
                "Lake",
                f"{path} is not what was written; it will be made again by the next run of its day.",
                lambda path=path: f"{path.name} was moved to {_quarantine(settings, path)}.",
            )


def _orphans(settings: Settings, now: datetime) -> Generator[Damage, None, None]:
    before = (now - ORPHANED_AFTER).timestamp()
    folders = [settings.home / name for name in ("lake", "digests", "outbox", "dagster")]
    loose = [*settings.home.glob(".*.tmp"), *(path for folder in folders for path in folder.rglob(".*.tmp"))]
    orphans = [path for path in loose if path.is_file() and path.stat().st_mtime < before]
    if orphans:

        def mend() -> str:
            for path in orphans:
                path.unlink(missing_ok=True)
            return f"{len(orphans)} half-written files were deleted."

        yield Damage("Disk", f"{len(orphans)} half-written files were left by a kill, such as {orphans[0]}.", mend)


def _warehouse(settings: Settings) -> Generator[Damage, None, None]:
    import duckdb

    path = settings.warehouse_path
    if path.exists():
        try:
            with duckdb.connect(str(path), read_only=True) as connection:
                names = [
                    row[0] for row in connection.execute("select view_name from duckdb_views() where not internal").fetchall()
                ]
                tables = [row[0] for row in connection.execute("select table_name from duckdb_tables()").fetchall()]
                for table in tables:
                    # Every value is read, and so every block's checksum.
                    connection.execute(f'select bit_xor(hash(kept)) from "{table}" as kept').fetchall()  # noqa: S608  (names of its own)
                trouble = None if names or tables else "it holds no table"
        except duckdb.IOException as error:
            # A dbt run at work holds the file: there is nothing to mend.
            trouble = None if "lock" in str(error) else _first_line(error)
        except duckdb.Error as error:
            trouble = _first_line(error)
    else:
        trouble = "it is missing" if (settings.lake_path / "digests").is_dir() else None
    if trouble is None or not buildable_days(settings.lake_path):
        return

    def mend() -> str:
        try:
            aside = _quarantine(settings, path) if path.exists() else None
            days = rebuild_warehouse(settings)
        except Top5Error as error:
            raise PermanentError(error.reason, f"The warehouse could not be built again: {error.message}") from error
        return f"The warehouse was built again from {len(days)} days of the lake" + (
            f"; the old file is {aside}." if aside else "."
        )

    yield Damage("Warehouse", f"{path} cannot be read ({trouble}); it can be built again from the lake.", mend)


def _quarantine(settings: Settings, path: Path) -> Path:
    """Move a broken file out of the way, where nothing reads it and a person still can."""
    target = settings.lake_path / "quarantine" / path.relative_to(settings.home)
    target.parent.mkdir(parents=True, exist_ok=True)
    path.replace(target)
    return target


def _is_temporary(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(".tmp")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
