"""What a range of days will cost before it is built: minutes of audio, machine minutes, dollars.

Belongs here: adding up what is known of the catalog's episodes and the lake's kept words. Does not belong here: doing any of it (`day`).
Nothing is fetched, decoded or written.
"""

from collections.abc import Sequence
from datetime import date

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from top5.catalog.store import Catalog
from top5.catalog.tables import Episode, Feed
from top5.errors import PermanentError
from top5.feeds.model import ParsedEpisode
from top5.lake import Lake
from top5.settings import Settings
from top5.transcripts.day import expected_minutes, publisher_key, speech_key
from top5.transcripts.speech import Transcriber

USUAL_X_REALTIME = 8.0
"""base.en, int8, batched, two cores; replaced by what this machine measured as soon as it has."""
# A podcast has 150 words a minute, English 1.35 tokens a word; map and reduce answer with about a twelfth of what they read.
_TOKENS_PER_MINUTE = 150 * 1.35
_PROMPT_OVERHEAD = 1.25
_REPLY_SHARE = 0.08


class Forecast(BaseModel):
    """Sums over a range of days. Minutes are of audio unless they say machine; dollars are US dollars.

    `unknown_length` episodes are counted as an hour each.
    """

    model_config = ConfigDict(frozen=True)

    first: date
    last: date
    episodes: int
    kept: int
    with_transcript_links: int
    to_decode: int
    without_audio: int
    unknown_length: int
    audio_minutes: float
    machine_minutes: float
    x_realtime: float
    transcription_usd: float
    insight_usd: float
    days_at_limit: int

    @property
    def usd(self) -> float:
        """All together."""
        return round(self.transcription_usd + self.insight_usd, 4)


class CatalogReader(Catalog):
    """The catalog, asked for what no day has been assigned yet."""

    def available(self, first: date, last: date) -> list[ParsedEpisode]:
        """The episodes of followed feeds that became available from `first` to `last`, in order of day and id."""
        with self._transaction() as session:
            rows = session.scalars(
                select(Episode)
                .join(Feed, Feed.feed_id == Episode.feed_id)
                .where(Episode.available_on >= first, Episode.available_on <= last, Feed.status != "removed")
                .order_by(Episode.available_on, Episode.episode_id)
            )
            return [ParsedEpisode.model_validate(row.facts) for row in rows]


def forecast(
    episodes: Sequence[ParsedEpisode], *, first: date, last: date, lake: Lake, settings: Settings, engine: Transcriber | None
) -> Forecast:
    """What the words and insights of `episodes` will take. `engine` is None where there is no speech to text."""
    wanted = settings.transcripts
    kept = linked = bare = unknown = decode = 0
    minutes = read = 0.0
    for facts in episodes:
        enclosure = facts.enclosure
        length = expected_minutes(facts.duration, enclosure.length if enclosure else None)
        read += length
        keys = [publisher_key(wanted.language, [link.url for link in facts.transcripts])] if facts.transcripts else []
        if enclosure and engine:
            keys.append(speech_key(engine, wanted.language, enclosure.url))
        if any(lake.get("transcripts-by-source", key) for key in keys):
            kept += 1
        elif facts.transcripts:
            linked += 1
        elif enclosure is None or engine is None:
            bare += 1
        else:
            decode += 1
            minutes += length
            unknown += facts.duration is None and not (enclosure.length or 0) > 100_000
    speed = measured_x_realtime(lake) or USUAL_X_REALTIME
    per_minute = engine.usd_per_minute if engine else 0.0
    # The API answers at dozens of times realtime; its wait is not this machine's work.
    machine = minutes / speed if engine and not per_minute else minutes / 60
    return Forecast(
        first=first, last=last, episodes=len(episodes), kept=kept, with_transcript_links=linked, to_decode=decode, without_audio=bare,
        unknown_length=unknown, audio_minutes=round(minutes, 1), machine_minutes=round(machine, 1), x_realtime=round(speed, 2),
        transcription_usd=round(minutes * per_minute, 4), insight_usd=round(_insight_usd(read, settings), 4),
        days_at_limit=-int(-minutes // wanted.daily_audio_minutes) if wanted.daily_audio_minutes and minutes else 0,
    )  # fmt: skip


def _insight_usd(minutes: float, settings: Settings) -> float:
    paid = settings.insights.engine == "openai" or (
        settings.insights.engine == "auto" and (settings.openai.api_key is not None or settings.openai.base_url is not None)
    )
    tokens = minutes * _TOKENS_PER_MINUTE if paid else 0.0
    return (
        tokens * _PROMPT_OVERHEAD * settings.openai.usd_per_million_input_tokens
        + tokens * _REPLY_SHARE * settings.openai.usd_per_million_output_tokens
    ) / 1e6


def measured_x_realtime(lake: Lake) -> float | None:
    """Seconds of audio decoded per second on this machine over the last 14 built days; None where nothing was decoded."""
    audio = decode = 0.0
    for path in sorted((lake.root / "transcripts").glob("*.parquet"))[-14:]:
        try:
            rows = lake.read_table("transcripts", path.stem)
        except PermanentError:
            continue
        for row in rows:
            # What is reused was decoded on an earlier day, and counted there.
            if not row["reused"] and row.get("decode_seconds") and row.get("audio_seconds") and not row.get("cost_usd"):
                audio += row["audio_seconds"]
                decode += row["decode_seconds"]
    return audio / decode if decode else None
