"""A warehouse with one day's candidates, as `fct_insights` has them, and their vectors in the lake."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

PUBLISHED = datetime(2026, 5, 4, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    """One candidate; the higher the score the better."""

    insight_id: str
    score: float
    show: str = "Volts & Amps"
    episode: str = ""
    text: str = "A claim."
    entities: tuple[str, ...] = ()
    fate: str = "outranked"
    rank: int | None = None
    duplicate_of: str | None = None
    too_near_to: str | None = None
    vector: tuple[float, ...] | None = None


def write(home: Path, day: date, rows: Sequence[Row]) -> tuple[Path, Path]:
    """The warehouse and the file of vectors."""
    warehouse, vectors = home / "warehouse.duckdb", home / "lake" / "insights" / f"{day}.parquet"
    vectors.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(
            """create table fct_insights (
                day date, insight_id varchar, canonical_episode_id varchar, feed_id varchar, show_title varchar, episode_title varchar,
                episode_url varchar, audio_url varchar, published_at timestamptz, is_late boolean, headline varchar, body varchar,
                speaker varchar, entities varchar[], fate varchar, rank integer, score double, salience double, engine varchar,
                duplicate_of varchar, nearest_pick_insight_id varchar,
                quotes struct("text" varchar, "start" double, "end" double, speaker varchar)[],
                also_in struct(show_title varchar, "day" date)[]
            )"""
        )
        connection.executemany(
            f"insert into fct_insights values ({', '.join('?' * 23)})",
            [
                (
                    day, row.insight_id, row.episode or f"e-{row.insight_id}", f"feed{row.show.lower()[:5].strip()}", row.show,
                    f"Episode {row.episode}", None, None, PUBLISHED, False, f"Headline {row.insight_id}", row.text, "Inés Rey",
                    list(row.entities), row.fate, row.rank, row.score, 0.5, "local", row.duplicate_of, row.too_near_to,
                    [{"text": row.text, "start": 61.0, "end": 70.0, "speaker": None}], [],
                )
                for row in rows
            ],
        )  # fmt: skip
    pq.write_table(
        pa.table(
            {
                "insight_id": [row.insight_id for row in rows],
                "embedding": pa.array([row.vector for row in rows], pa.list_(pa.float32())),
                "embedding_model": ["a model"] * len(rows),
            }
        ),
        vectors,
    )
    return warehouse, vectors
