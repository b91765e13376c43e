"""The shapes of the lake's tables: the contract between who extracts (Python) and who decides (dbt).

Belongs here: column names, types and meanings of every Parquet file of the lake, and nothing that reads or writes one (that is
`top5.lake`). A table is one file per day, `<lake>/<table>/<YYYY-MM-DD>.parquet`, written even when it has no row, always with
exactly this schema. Timestamps are UTC with microseconds, durations are seconds, money is US dollars. A column is nullable only
where it is not `_required`. dbt's staging models read the columns under these names.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pyarrow as pa

TIMESTAMP: Final = pa.timestamp("us", tz="UTC")

QUOTE: Final = pa.struct(
    [
        pa.field("text", pa.string()),
        pa.field("start", pa.float64()),  # seconds; null where the transcript has no times
        pa.field("end", pa.float64()),
        pa.field("speaker", pa.string()),  # null where unknown
    ]
)
NAME_CHANGE: Final = pa.struct(
    [pa.field("heard", pa.string()), pa.field("written", pa.string()), pa.field("reason", pa.string())]
)
TRUST_PARTS: Final = pa.struct(
    [
        pa.field(name, pa.float64())  # each 0 to 1; the trust is the least of them
        for name in ("coverage", "loops", "compression", "pace", "confidence", "language", "audible", "length")
    ]
)
REASON_COUNT: Final = pa.struct([pa.field("reason", pa.string()), pa.field("count", pa.int64())])


def _required(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


EPISODES: Final = pa.schema(
    [
        _required("day", pa.date32()),
        _required("episode_id", pa.string()),
        _required("feed_id", pa.string()),
        _required("show", pa.string()),
        pa.field("show_url", pa.string()),
        pa.field("network", pa.string()),  # whoever publishes several shows; null: the show stands alone
        _required("guid", pa.string()),
        _required("title", pa.string()),
        pa.field("episode_url", pa.string()),
        pa.field("audio_url", pa.string()),
        pa.field("published", TIMESTAMP),  # null where the feed gives no usable date
        _required("first_seen", TIMESTAMP),
        _required("available_on", pa.date32()),  # set once; earlier than `day` for a late episode
        _required("late", pa.bool_()),
        pa.field("duration", pa.float64()),  # seconds; null where the feed is silent
        _required("transcript_links", pa.int64()),
        _required("feed_weight", pa.float64()),  # the reader's own preference, 1.0 is neutral
    ]
)
"""One row per episode that a day deals with: those new on the day, and those carried over from the days before."""

TRANSCRIPTS: Final = pa.schema(
    [
        _required("day", pa.date32()),
        _required("episode_id", pa.string()),
        _required("state", pa.string()),  # one of TRANSCRIPT_STATES
        _required("reason", pa.string()),  # slug; empty where state is ready
        pa.field("detail", pa.string()),
        pa.field("source", pa.string()),  # the next four: null unless ready
        pa.field("format", pa.string()),
        pa.field("language", pa.string()),
        pa.field("transcript_key", pa.string()),  # hash of the content
        _required("segments", pa.int64()),
        _required("words", pa.int64()),
        _required("speech_seconds", pa.float64()),
        _required("has_times", pa.bool_()),
        _required("has_speakers", pa.bool_()),
        _required("trust", pa.float64()),  # 0 to 1
        _required("bytes", pa.int64()),
        _required("seconds_taken", pa.float64()),
        _required("reused", pa.bool_()),
        # The next ones are null where there are no words, and in files written before there were such columns.
        pa.field("trust_parts", TRUST_PARTS),
        pa.field("faults", pa.list_(pa.string())),  # one sentence each
        pa.field("chapters", pa.int64()),
        pa.field("marked_segments", pa.int64()),  # sponsors, promotion, greetings, goodbyes, music, repeated words
        pa.field("times_may_drift", pa.bool_()),  # the audio is not, or no longer, the one that the times were taken from
        pa.field("audio_seconds", pa.float64()),  # the next four: null without speech to text
        pa.field("voice_seconds", pa.float64()),  # speech by voice activity detection
        pa.field("decode_seconds", pa.float64()),  # when it was decoded, which may have been an earlier run
        pa.field("cost_usd", pa.float64()),
    ]
)
"""One row per episode of the day: its words, or why there are none."""

INSIGHTS: Final = pa.schema(
    [
        _required("day", pa.date32()),
        _required("insight_id", pa.string()),
        _required("episode_id", pa.string()),
        _required("position", pa.int64()),  # rank within the episode, 1 is best
        _required("headline", pa.string()),
        _required("body", pa.string()),
        pa.field("speaker", pa.string()),  # null where unknown
        _required("claim_type", pa.string()),
        _required("salience", pa.float64()),  # 0 to 1
        _required("reasons", pa.list_(pa.string())),
        _required("entities", pa.list_(pa.string())),
        _required("quotes", pa.list_(QUOTE)),
        _required("names", pa.list_(NAME_CHANGE)),
        _required("words", pa.int64()),
        pa.field("embedding", pa.list_(pa.float32())),  # null where no model was at hand
        pa.field("embedding_model", pa.string()),  # null exactly where embedding is; vectors of two models are never compared
        _required("engine", pa.string()),
        _required("model", pa.string()),
        _required("prompt_version", pa.string()),
        _required("transcript_key", pa.string()),
    ]
)
"""One row per candidate paragraph that passed every gate of its engine."""

EXTRACTIONS: Final = pa.schema(
    [
        _required("day", pa.date32()),
        _required("episode_id", pa.string()),
        _required("state", pa.string()),  # one of EXTRACTION_STATES
        _required("reason", pa.string()),  # slug; empty where state is considered
        pa.field("detail", pa.string()),
        _required("engine", pa.string()),
        _required("model", pa.string()),
        _required("prompt_version", pa.string()),
        _required("candidates", pa.int64()),
        _required("rejections", pa.int64()),
        _required("rejection_reasons", pa.list_(REASON_COUNT)),
        _required("input_tokens", pa.int64()),
        _required("output_tokens", pa.int64()),
        _required("cost_usd", pa.float64()),
        _required("seconds_taken", pa.float64()),
        _required("reused", pa.bool_()),
    ]
)
"""One row per episode with a ready transcript: what its extraction gave and cost, or why it gave nothing."""

SCANS: Final = pa.schema(
    [
        _required("scanned_at", TIMESTAMP),
        _required("feed_id", pa.string()),
        _required("title", pa.string()),
        _required("url", pa.string()),  # masked: feed URLs can hold a subscriber's token
        _required("ok", pa.bool_()),
        _required("reason", pa.string()),  # slug: ok, not_modified, same_content, or what went wrong
        pa.field("message", pa.string()),  # what to do about it; null where there is nothing to say
        pa.field("status", pa.int64()),  # HTTP status; null where no answer came
        _required("bytes", pa.int64()),
        _required("seconds", pa.float64()),
        _required("items", pa.int64()),
        _required("new", pa.int64()),
        _required("changed", pa.int64()),
    ]
)
"""One row per feed and scan; one file per scan, named by its time."""

SPEND: Final = pa.schema(
    [
        _required("day", pa.date32()),
        _required("purpose", pa.string()),  # transcripts or insights
        _required("usd", pa.float64()),
        _required("requests", pa.int64()),
    ]
)
"""One row per day and purpose: the catalog's ledger of spending, exported before a day is ranked."""

DELIVERIES: Final = pa.schema(
    [
        _required("day", pa.date32()),
        _required("recipient_key", pa.string()),  # a hash, never the address
        _required("channel", pa.string()),
        _required("revision", pa.int64()),
        _required("state", pa.string()),
        pa.field("reason", pa.string()),  # null where there is nothing to say
        _required("changed_at", TIMESTAMP),
    ]
)
"""One row per day, recipient and channel: the catalog's ledger of deliveries, exported before a day is ranked."""

TRANSCRIPT_STATES: Final = ("ready", "pending", "rejected", "given_up", "deferred")
EXTRACTION_STATES: Final = ("considered", "rejected", "deferred", "given_up")

SCHEMAS: Final[Mapping[str, pa.Schema]] = MappingProxyType(
    {
        "episodes": EPISODES,
        "transcripts": TRANSCRIPTS,
        "insights": INSIGHTS,
        "extractions": EXTRACTIONS,
        "scans": SCANS,
        "spend": SPEND,
        "deliveries": DELIVERIES,
    }
)
"""Schema by table name; the name is also the folder's."""

DAY_TABLES: Final = ("episodes", "transcripts", "insights", "extractions")
"""The tables with one file per day; the warehouse needs all four of a day to decide it."""


def table_path(lake: Path, table: str, day: date) -> Path:
    """The file that holds `table` of `day`. Raises KeyError for a table the lake does not have."""
    if table not in SCHEMAS:
        raise KeyError(table)
    return lake / table / f"{day.isoformat()}.parquet"
