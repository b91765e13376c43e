"""What a range of days will cost before it is built: minutes of audio, machine minutes, dollars.

Belongs here: adding up what is known of the catalog's episodes and the lake's kept words. Does not belong here: doing any of it (`day`).
Nothing is fetched, decoded or written.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

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

    `unknown_length` episodes are counted as an hour each. `days_at_limit` is how many days' allowance of audio all of it is;
    `days_over_limit` have more than theirs, and `left_over_minutes` wait when the last day is done.
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
    days_over_limit: int = 0
    left_over_minutes: float = 0.0

    @property
    def usd(self) -> float:
        """All together."""
        return round(self.transcription_usd + self.insight_usd, 4)


class CatalogReader(Catalog):
    """The catalog, asked for what no day has been assigned yet."""

    def available(self, first: date, last: date) -> list[ParsedEpisode]:
        """The episodes of followed feeds that became available from `first` to `last`, in order of day and id."""
        return [facts for _, facts in self.available_by_day(first, last)]

    def available_by_day(self, first: date, last: date) -> list[tuple[date, ParsedEpisode]]:
        """The same, each with the day it became available."""
        with self.transaction() as session:
            rows = session.scalars(
                select(Episode)
                .join(Feed, Feed.feed_id == Episode.feed_id)
                .where(Episode.available_on >= first, Episode.available_on <= last, Feed.status != "removed")
                .order_by(Episode.available_on, Episode.episode_id)
            )
            return [(row.available_on, ParsedEpisode.model_validate(row.facts)) for row in rows]


def forecast(
    episodes: Sequence[ParsedEpisode],
    *,
    first: date,
    last: date,
    lake: Lake,
    settings: Settings,
    engine: Transcriber | None,
    days: Sequence[date] = (),
    model_comes: bool = False,
) -> Forecast:
    """What the words and insights of `episodes` will take.

    `engine` is None where there is no speech to text, or, with `model_comes`, none before its model is downloaded at first use. `days`
    are those of the episodes, in the same order; without them no day is found to be over its limit.
    """
    wanted = settings.transcripts
    kept = linked = bare = unknown = decode = 0
    minutes = read = 0.0
    by_day: dict[date, float] = {}
    for number, facts in enumerate(episodes):
        enclosure = facts.enclosure
        length = expected_minutes(facts.duration, enclosure.length if enclosure else None)
        read += length if enclosure or facts.transcripts else 0.0
        keys = [publisher_key(wanted.language, [link.url for link in facts.transcripts])] if facts.transcripts else []
        if enclosure and engine:
            keys.append(speech_key(engine, wanted.language, enclosure.url))
        if any(lake.get("transcripts-by-source", key) for key in keys):
            kept += 1
        elif facts.transcripts:
            linked += 1
        elif enclosure is None or (engine is None and not model_comes):
            bare += 1
        else:
            decode += 1
            minutes += length
            if days:
                by_day[days[number]] = by_day.get(days[number], 0.0) + length
            unknown += facts.duration is None and not (enclosure.length or 0) > 100_000
    speed = measured_x_realtime(lake) or USUAL_X_REALTIME
    per_minute = engine.usd_per_minute if engine else 0.0
    # The API answers at dozens of times realtime; its wait is not this machine's work.
    machine = minutes / 60 if per_minute else minutes / speed
    over, left = _over_limit(by_day, first, last, wanted.daily_audio_minutes)
    return Forecast(
        first=first, last=last, episodes=len(episodes), kept=kept, with_transcript_links=linked, to_decode=decode, without_audio=bare,
        unknown_length=unknown, audio_minutes=round(minutes, 1), machine_minutes=round(machine, 1), x_realtime=round(speed, 2),
        transcription_usd=round(minutes * per_minute, 4), insight_usd=round(_insight_usd(read, settings), 4),
        days_at_limit=math.ceil(minutes / wanted.daily_audio_minutes) if wanted.daily_audio_minutes else 0,
        days_over_limit=over, left_over_minutes=round(left, 1),
    )  # fmt: skip


def _over_limit(by_day: Mapping[date, float], first: date, last: date, limit: float) -> tuple[int, float]:
    """How many days have more audio than they may decode, with what the day before left to them, and what the last one leaves."""
    over, left = 0, 0.0
    for number in range((last - first).days + 1 if by_day else 0):
        left = max(0.0, left + by_day.get(first + timedelta(days=number), 0.0) - limit)
        over += left > 0
    return over, left


def sentences(said: Forecast, settings: Settings) -> list[str]:
    """The forecast as a user reads it, one line for each thing that there is to say."""
    if not said.episodes:
        return [f"No followed podcast has an episode from {said.first} to {said.last}; `top5 scan` looks for new ones."]
    parts = (
        (said.kept, "{} transcribed already"),
        (said.with_transcript_links, "{} with a publisher's transcript"),
        (said.to_decode, "{} for speech to text"),
        (said.without_audio, "{} with nothing to read"),
    )
    lines = [
        f"{said.first} to {said.last}: {_count(said.episodes, 'episode')}, "
        + ", ".join(what.format(count) for count, what in parts if count)
        + "."
    ]
    if said.to_decode:
        lines.append(
            f"{_count(round(said.audio_minutes), 'minute')} of audio take about "
            f"{_count(max(1, round(said.machine_minutes)), 'minute')} of this machine"
            + ("." if said.transcription_usd else f" at {said.x_realtime:.1f} x realtime.")
        )
    if said.unknown_length:
        lines.append(f"{_count(said.unknown_length, 'episode')} of unknown length counted as an hour each.")
    if said.days_over_limit:
        wait = f", and {said.left_over_minutes:.0f} wait when the last one is done" if said.left_over_minutes else ""
        lines.append(
            f"{_count(said.days_over_limit, 'day')} with more than the {settings.transcripts.daily_audio_minutes:g} minutes of "
            f"transcripts.daily_audio_minutes: what is over is deferred to the next day{wait}."
        )
    lines.append(f"Expected cost: ${said.transcription_usd:.2f} for transcription, at most ${said.insight_usd:.2f} for insights.")
    for usd, limit, name in (
        (said.transcription_usd, settings.transcripts.daily_budget_usd, "transcripts.daily_budget_usd"),
        (said.insight_usd, settings.insights.daily_budget_usd, "insights.daily_budget_usd"),
    ):
        if usd > limit:
            least = f"at least {math.ceil(usd / limit)} days" if limit else "for ever"
            lines.append(f"More than the ${limit:.2f} a day of {name}: on one day it is not done; it takes {least}, or raise it.")
    return lines


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


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
