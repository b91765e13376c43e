"""What is kept how long.

Belongs here: choosing files that are old enough and not needed, and deleting them. Never chosen: tables of a day (the memory of what was
told, and what the warehouse is built from), frozen digests, mails, and the words and extractions that a digest or a kept day cites.
Dagster's runs are in `orchestration.history`.
"""

from collections.abc import Generator
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from top5.errors import TransientError
from top5.lake import Lake
from top5.settings import Settings


class Old(BaseModel):
    """Files of one kind that have had their time."""

    model_config = ConfigDict(frozen=True)

    kind: str
    days: int
    paths: tuple[Path, ...]

    @property
    def bytes(self) -> int:
        """Their size together."""
        return sum(path.stat().st_size for path in self.paths if path.exists())


def plan(settings: Settings, now: datetime) -> list[Old]:
    """What `prune` would delete, by kind; a kind of which nothing is old is left out."""
    home, kept = settings.home, settings.retention
    lake = settings.lake_path
    cited = cited_keys(settings)
    blobs = [
        path
        for path in _older(lake / "blobs", kept.blobs_days, now)
        if path.name not in cited and not _is_pointer_to(path, cited)
    ]
    found = [
        Old(kind="scan records", days=kept.scans_days, paths=tuple(_older(lake / "scans", kept.scans_days, now))),
        Old(kind="words, extractions and replies that nothing cites", days=kept.blobs_days, paths=tuple(blobs)),
        Old(kind="unfinished downloads", days=kept.partial_days, paths=tuple(_older(lake / "partial", kept.partial_days, now))),
        Old(kind="quarantined files", days=kept.blobs_days, paths=tuple(_older(lake / "quarantine", kept.blobs_days, now))),
        Old(
            kind="logs",
            days=kept.logs_days,
            paths=(*_older(settings.dbt_path / "logs", kept.logs_days, now), *_older(home / "logs", kept.logs_days, now)),
        ),
    ]
    return [old for old in found if old.paths]


def prune(old: list[Old]) -> int:
    """Delete what was planned and the folders that are empty then; returns the bytes freed. Raises TransientError `disk`."""
    freed = 0
    for kind in old:
        freed += kind.bytes
        for path in kind.paths:
            try:
                path.unlink(missing_ok=True)
                if not any(path.parent.iterdir()):
                    path.parent.rmdir()
            except OSError as error:
                raise TransientError("disk", f"{path} could not be deleted ({error.strerror}); fix its permissions.") from error
    return freed


def cited_keys(settings: Settings) -> set[str]:
    """Keys of the transcripts that the lake's days name: what a frozen digest quotes is among them.

    A day's tables are never pruned, so every digest's day is among them. Raises PermanentError `broken_table`: nothing is deleted
    while it is unknown what is cited.
    """
    lake = Lake(settings.lake_path)
    return {
        str(row["transcript_key"])
        for table in ("transcripts", "insights")
        for path in sorted((lake.root / table).glob("*.parquet"))
        for row in lake.read_table(table, path.stem)
        if row["transcript_key"]
    }


def _is_pointer_to(path: Path, cited: set[str]) -> bool:
    # `transcripts-by-source` holds the key of the words; without it the words are fetched again although they are kept.
    return path.parent.parent.name == "transcripts-by-source" and path.read_text("utf-8", errors="replace") in cited


def _older(folder: Path, days: int, now: datetime) -> Generator[Path, None, None]:
    before = (now - timedelta(days=days)).timestamp()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_mtime < before:
            yield path
