import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.top5.operate.conftest import DAYS, NOW, WORDS, Home
from top5.errors import PermanentError
from top5.lake import content_key
from top5.operate.prune import plan, prune

LONG_AGO = NOW - timedelta(days=3000)


def age(path: Path, when: datetime) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_bytes(b"old")
    os.utime(path, (when.timestamp(),) * 2)
    return path


def planned(home: Home) -> set[Path]:
    return {path for old in plan(home.settings, NOW) for path in old.paths}


def test_days_digests_and_what_they_cite_are_never_chosen(home: Home):
    for path in home.path.rglob("*"):
        if path.is_file() and "dbt" not in path.relative_to(home.path).parts:
            age(path, LONG_AGO)
    assert planned(home) == set()
    prune(plan(home.settings, NOW))
    assert home.lake.get("transcripts", content_key(WORDS)) == WORDS
    assert home.lake.get("transcripts-by-source", content_key("source")) == content_key(WORDS).encode()
    assert home.freeze()


def test_what_nothing_cites_goes_after_its_time(home: Home):
    kept = home.settings.retention
    blob = home.lake.blob_path("extractions", "ab" * 32)
    partial, log, record = home.path / "lake/partial/k/audio", home.path / "logs/top5.jsonl", home.path / "lake/scans/x.parquet"
    times = {blob: kept.blobs_days, partial: kept.partial_days, log: kept.logs_days, record: kept.scans_days}
    for path, days in times.items():
        age(path, NOW - timedelta(days=days) + timedelta(hours=1))
    assert planned(home).isdisjoint(times)
    for path, days in times.items():
        age(path, NOW - timedelta(days=days) - timedelta(hours=1))
    assert planned(home) >= set(times)
    assert prune(plan(home.settings, NOW)) >= 4 * len(b"old")
    assert not any(path.exists() for path in times)


def test_nothing_is_deleted_while_it_is_unknown_what_is_cited(home: Home):
    age(home.lake.blob_path("transcripts", "ab" * 32), LONG_AGO)
    home.lake.table_path("insights", DAYS[0]).write_bytes(b"broken")
    with pytest.raises(PermanentError, match="no readable Parquet"):
        plan(home.settings, NOW)
