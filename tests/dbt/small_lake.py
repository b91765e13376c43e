"""A small lake written row by row: each row says only what its test is about, everything else is plausible."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from top5.tables import DAY_TABLES, SCHEMAS, table_path

Row = dict[str, Any]


class SmallLake:
    """Rows by table and day; `write()` writes all four files of every day that was named, empty ones too, and of other tables what there is."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._rows: dict[tuple[str, date], list[Row]] = defaultdict(list)
        self._days: set[date] = set()

    def day(self, day: date) -> None:
        """A day that has files, whether or not anything happened on it."""
        self._days.add(day)

    def episode(
        self,
        day: date,
        episode_id: str,
        *,
        show: str = "Signal Path",
        transcript: Mapping[str, object] | None = None,
        extraction: Mapping[str, object] | None = None,
        **episode: object,
    ) -> None:
        """An episode with a trusted transcript and an extraction; `transcript={}` or `extraction={}` changes single fields."""
        self.day(day)
        self._rows["episodes", day].append(
            {
                "day": day,
                "episode_id": episode_id,
                "feed_id": f"feed-{show}",
                "show": show,
                "show_url": "https://show.example/",
                "network": None,
                "guid": f"guid-{episode_id}",
                "title": f"Title of {episode_id}",
                "episode_url": f"https://show.example/{episode_id}",
                "audio_url": f"https://cdn.example/{episode_id}.mp3",
                "published": datetime.combine(day, time(4), UTC),
                "first_seen": datetime.combine(day, time(5), UTC),
                "available_on": day,
                "late": False,
                "duration": 1800.0,
                "transcript_links": 1,
                "feed_weight": 1.0,
                **episode,
            }
        )
        ready = {
            "day": day,
            "episode_id": episode_id,
            "state": "ready",
            "reason": "",
            "detail": None,
            "source": "publisher",
            "format": "vtt",
            "language": "en",
            "transcript_key": f"words-of-{episode_id}",
            "segments": 100,
            "words": 5000,
            "speech_seconds": 1700.0,
            "has_times": True,
            "has_speakers": True,
            "trust": 0.9,
            "bytes": 40_000,
            "seconds_taken": 0.2,
            "reused": False,
            **(transcript or {}),
        }
        self._rows["transcripts", day].append(ready)
        if ready["state"] == "ready":
            self._rows["extractions", day].append(
                {
                    "day": day,
                    "episode_id": episode_id,
                    "state": "considered",
                    "reason": "",
                    "detail": None,
                    "engine": "local",
                    "model": "minilm",
                    "prompt_version": "1",
                    "candidates": 1,
                    "rejections": 1,
                    "rejection_reasons": [{"reason": "too_short", "count": 1}],
                    "input_tokens": 0,
                    "output_tokens": 0,
                    "cost_usd": 0.01,
                    "seconds_taken": 1.5,
                    "reused": False,
                    **(extraction or {}),
                }
            )

    def insight(self, day: date, insight_id: str, episode_id: str, body: str, **insight: object) -> None:
        """A candidate of an episode; without `embedding` it is compared by its words."""
        self._rows["insights", day].append(
            {
                "day": day,
                "insight_id": insight_id,
                "episode_id": episode_id,
                "position": 1,
                "headline": body.split(",")[0][:60],
                "body": body,
                "speaker": "Sunniva Roe",
                "claim_type": "mechanism",
                "salience": 0.6,
                "reasons": ["number"],
                "entities": [],
                "quotes": [{"text": body, "start": 61.5, "end": 75.0, "speaker": "Sunniva Roe"}],
                "names": [],
                "words": len(body.split()),
                "embedding": None,
                "embedding_model": None,
                "engine": "local",
                "model": "minilm",
                "prompt_version": "1",
                "transcript_key": f"words-of-{episode_id}",
                **insight,
            }
        )

    def row(self, table: str, day: date, **columns: object) -> None:
        """A row of a table that not every lake has: `scans`, `spend`, `deliveries`."""
        self._rows[table, day].append(dict(columns))

    def knows(self, day: date, episode_id: str) -> bool:
        """Whether there is such an episode on that day; quick, because it is the last one as a rule."""
        return any(row["episode_id"] == episode_id for row in reversed(self._rows["episodes", day]))

    def remove_day(self, day: date) -> None:
        """Forget what happened on a day; the day itself stays."""
        for table in SCHEMAS:
            self._rows.pop((table, day), None)

    def reverse(self) -> None:
        """Turn the order of all rows round, which may change nothing."""
        for rows in self._rows.values():
            rows.reverse()

    def write(self) -> Path:
        """All files; returns the lake's root."""
        for day in sorted(self._days):
            for table in DAY_TABLES:
                self._write(table, day)
        for table, day in list(self._rows):
            if table not in DAY_TABLES:
                self._write(table, day)
        return self.root

    def _write(self, table: str, day: date) -> None:
        path = table_path(self.root, table, day)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(self._rows[table, day], schema=SCHEMAS[table]), path)
