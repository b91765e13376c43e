"""The days before as numbers: what a day's rows of a lake table come to.

Belongs here: the measures, of rows in hand and of the files of the days before. How far a day may be from them is in `drift`.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from statistics import mean, median
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from top5.lake import Lake

Row = Mapping[str, Any]
Measures = Mapping[str, float]

_FEW = 3
"""A share or a mean over fewer rows says nothing."""


def measures(table: str, rows: Sequence[Row]) -> Measures:
    """What one day's rows come to; without the measures that need more rows than there are. No rows, no measures, whatever the table."""
    return {name: value for name, value in _MEASURES[table](rows).items() if value is not None} if rows else {}


def days_before(lake: Lake, table: str, day: date, days: int) -> list[Measures]:
    """The measures of up to `days` built days before `day` that had rows, oldest first. A file that cannot be read is left out."""
    found = [measures_of(lake, table, day - timedelta(days=back)) for back in range(days, 0, -1)]
    return [measured for measured in found if measured]


def measures_of(lake: Lake, table: str, day: date) -> Measures:
    """The measures of a built day; none where it is not built."""
    path = lake.table_path(table, day)
    try:
        return _read(path, table, path.stat().st_mtime_ns)
    except OSError:
        return {}


@lru_cache(maxsize=512)
def _read(path: Path, table: str, _changed: int) -> Measures:
    try:
        file: Any = pq.ParquetFile(path)
        # A file of an older version may lack a column.
        columns = [name for name in _COLUMNS[table] if name in file.schema_arrow.names]
        return MappingProxyType(measures(table, file.read(columns=columns).to_pylist()))
    except pa.ArrowInvalid:
        return MappingProxyType({})


def scores_before(lake: Lake, day: date, days: int) -> list[float]:
    """Every salience of the days before, sorted."""
    pooled: list[float] = []
    for back in range(1, days + 1):
        path = lake.table_path("insights", day - timedelta(days=back))
        try:
            pooled += _scores(path, path.stat().st_mtime_ns)
        except OSError:
            continue
    return sorted(pooled)


@lru_cache(maxsize=512)
def _scores(path: Path, _changed: int) -> tuple[float, ...]:
    try:
        file: Any = pq.ParquetFile(path)
        return tuple(file.read(columns=["salience"]).column("salience").to_pylist())
    except pa.ArrowInvalid:
        return ()


def score_distance(scores: Sequence[float], before: Sequence[float]) -> float | None:
    """How far two distributions are apart, 0 to 1: the two-sample Kolmogorov-Smirnov statistic. `before` is sorted.

    None where either has fewer than 20 values.
    """
    if min(len(scores), len(before)) < 20:
        return None
    ordered = sorted(scores)
    return max(
        abs(bisect_right(ordered, value) / len(ordered) - bisect_right(before, value) / len(before))
        for value in {*ordered, *before}
    )


def _episodes(rows: Sequence[Row]) -> dict[str, float | None]:
    return {"episodes": float(len(rows)), "episodes_per_feed": len(rows) / len({row["feed_id"] for row in rows})}


def _transcripts(rows: Sequence[Row]) -> dict[str, float | None]:
    ready = [row for row in rows if row["state"] == "ready"]
    return {
        "transcript_share": _share(len(ready), len(rows)),
        "words_per_episode": _mid([row["words"] for row in ready]),
        "trust": _mid([row["trust"] for row in ready]),
        "transcription_cost_usd": sum(row.get("cost_usd") or 0.0 for row in rows),
    }


def _insights(rows: Sequence[Row]) -> dict[str, float | None]:
    styled = sum(40 <= row["words"] <= 50 and 280 <= len(row["body"]) <= 360 for row in rows)
    episodes = len({row["episode_id"] for row in rows})
    return {
        "insights_per_episode": len(rows) / episodes if episodes >= _FEW else None,
        "style_share": _share(styled, len(rows)),
        "salience": _mid([row["salience"] for row in rows]),
        "quotes_per_insight": _average([len(row["quotes"]) for row in rows]),
    }


def _extractions(rows: Sequence[Row]) -> dict[str, float | None]:
    return {
        "considered_share": _share(sum(row["state"] == "considered" for row in rows), len(rows)),
        "rejections_per_episode": _average([row["rejections"] for row in rows]),
        "cost_usd": sum(row["cost_usd"] for row in rows),
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole >= _FEW else None


def _mid(values: Sequence[float]) -> float | None:
    return float(median(values)) if len(values) >= _FEW else None


def _average(values: Sequence[float]) -> float | None:
    return float(mean(values)) if len(values) >= _FEW else None


_MEASURES: Mapping[str, Callable[[Sequence[Row]], dict[str, float | None]]] = {
    "episodes": _episodes,
    "transcripts": _transcripts,
    "insights": _insights,
    "extractions": _extractions,
}
_COLUMNS: Mapping[str, list[str]] = {
    "episodes": ["feed_id"],
    "transcripts": ["state", "words", "trust", "cost_usd"],
    "insights": ["words", "body", "episode_id", "salience", "quotes"],
    "extractions": ["state", "rejections", "cost_usd"],
}
COMPARED = tuple(_MEASURES)
"""The tables that are compared with the days before."""
