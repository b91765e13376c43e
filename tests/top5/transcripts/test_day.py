"""A day's episodes: whose words are taken, what waits, what is kept, and what an operator sees."""

import asyncio
import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.top5.transcripts.conftest import MakeBeeps
from tests.top5.transcripts.test_audio import Handler, serving
from tests.top5.transcripts.test_quality import talk
from top5.catalog.model import DayEpisode
from top5.errors import PermanentError, TransientError
from top5.feeds.model import Enclosure, ParsedEpisode, Person, TranscriptLink
from top5.lake import Lake
from top5.settings import ScanSettings, Settings, TranscriptSettings
from top5.tables import TRANSCRIPT_STATES
from top5.transcripts.day import MadeFrom, collect_transcripts, drift, load_transcript, speech_order
from top5.transcripts.forecast import forecast, measured_x_realtime, sentences
from top5.transcripts.model import Decoding, Segment, Transcript
from top5.transcripts.pieces import Progress
from top5.transcripts.report import speech_metadata

DAY = date(2026, 9, 15)
TALK = [segment.text for segment in talk(15)]


@dataclass
class Listener:
    """A transcriber that hears the same words in every file, and remembers what it was given."""

    usd_per_minute: float = 0.0
    source: str = "speech:test/ear"
    fingerprint: str = "ear-1"
    calls: list[str] = field(default_factory=list[str])
    names: list[str | None] = field(default_factory=list[str | None])
    failure: Exception | None = None

    def transcribe(
        self,
        audio: Path,
        *,
        language: str | None,
        hotwords: str | None = None,
        on_progress: Progress | None = None,
        checkpoint: Path | None = None,
        check_language: bool = False,
    ) -> Transcript:
        assert language == "en"
        assert check_language
        assert checkpoint is not None
        if self.failure:
            raise self.failure
        self.calls.append(hashlib.sha256(audio.read_bytes()).hexdigest())
        self.names.append(hotwords)
        if on_progress:
            on_progress(60.0, 120.0)
        segments = tuple(Segment(start=n * 8.0, end=n * 8.0 + 7.9, text=text) for n, text in enumerate(TALK))
        decoding = Decoding(audio=120.0, voice=115.0, unheard=1.0, log_probability=-0.2)
        return Transcript(segments=segments, format="speech", source=self.source, language="en", decoding=decoding)


def episode(
    name: str, *, url: str | None = None, state: str = "discovered", weight: float = 1.0, day: date = DAY, **facts: Any
) -> DayEpisode:
    enclosure = Enclosure(url=url, length=facts.pop("length", None)) if url else None
    return DayEpisode(
        episode_id=name, feed_id="feed", first_seen=datetime(2026, 9, 15, tzinfo=UTC), available_on=DAY, day=day, late=False, state=state,
        reason=None, carried_over=False, show="The Load Curve", show_url=None, network=None, feed_weight=weight,
        facts=ParsedEpisode(guid=name, title=f"Episode {name}", enclosure=enclosure, **facts),
    )  # fmt: skip


@dataclass
class Day:
    """A lake, a server of files, and the stage run over them."""

    lake: Lake
    address: str
    asked: list[str | None]
    listener: Listener
    spent: list[float] = field(default_factory=list[float])
    heard: list[float] = field(default_factory=list[float])

    def url(self, name: str) -> str:
        return f"http://{self.address}/{name}"

    def run(self, *episodes: DayEpisode, usd_spent: float = 0.0, **settings: Any) -> dict[str, dict[str, Any]]:
        rows = asyncio.run(
            collect_transcripts(
                episodes,
                lake=self.lake,
                scan=ScanSettings(allow_private=(self.address,)),
                settings=TranscriptSettings(**settings),
                transcriber=lambda: self.listener,
                late_days=3,
                usd_spent=usd_spent,
                on_spend=self.spent.append,
                on_audio=lambda _episode, done, _total: self.heard.append(done),
            )
        )
        assert [row["episode_id"] for row in rows] == [item.episode_id for item in episodes]
        assert {row["state"] for row in rows} <= set(TRANSCRIPT_STATES)
        self.lake.write_table("transcripts", DAY, rows)
        assert self.lake.read_table("transcripts", DAY)[0]["episode_id"] == rows[0]["episode_id"]
        return {row["episode_id"]: row for row in rows}


@pytest.fixture
def stage(tmp_path: Path, make_beeps: MakeBeeps) -> Iterator[Day]:
    sound = make_beeps(tmp_path / "two-minutes.wav", seconds=120, every=5.0, beep=1.0)[0].read_bytes()
    other = make_beeps(tmp_path / "other.wav", seconds=120, every=5.0, beep=2.0)[0].read_bytes()
    vtt = "WEBVTT\n\n" + "".join(
        f"00:{n * 8 // 60:02d}:{n * 8 % 60:02d}.000 --> 00:{n * 8 // 60:02d}:{n * 8 % 60:02d}.900\n<v Adam>{text}\n\n"
        for n, text in enumerate(TALK)
    )

    def file(body: bytes) -> Any:
        def act(handler: Handler) -> None:
            handler.head(200, len(body))
            handler.wfile.write(body)

        return act

    chapters = json.dumps(
        {"version": "1.2.0", "chapters": [{"startTime": 0, "title": "A"}, {"startTime": 60, "title": "B"}]}
    ).encode()
    served: dict[str, Any] = {"a": file(sound), "b": file(sound), "c": file(sound), "v": file(vtt.encode()), "ch": file(chapters)}
    with serving(**served, changing=lambda handler: file(sound if handler.asked.count(None) < 2 else other)(handler)) as (
        address,
        handler,
    ):
        yield Day(Lake(tmp_path / "lake"), address, handler.asked, Listener())


def test_publishers_words_with_chapters_and_full_names(stage: Day) -> None:
    facts: dict[str, Any] = {
        "transcripts": (TranscriptLink(url=stage.url("v")),), "chapters_url": stage.url("ch"), "people": (Person(name="Adam Roe"),),
        "duration": 121.0,
    }  # fmt: skip
    row = stage.run(episode("e1", **facts))["e1"]
    assert (row["state"], row["source"], row["trust"], row["chapters"]) == ("ready", "publisher", 1.0, 2)
    assert set(row["trust_parts"]) == {"coverage", "loops", "compression", "pace", "confidence", "language", "audible", "length"}
    kept = load_transcript(stage.lake, row["transcript_key"])
    assert {segment.speaker for segment in kept.segments} == {"Adam Roe"}
    assert [chapter.title for chapter in kept.chapters] == ["A", "B"]
    again = stage.run(episode("e1", **facts))["e1"]
    assert again["reused"]
    assert again["transcript_key"] == row["transcript_key"]
    assert len(stage.asked) == 2


def test_speech_to_text_once_with_what_it_took(stage: Day) -> None:
    item = episode("e1", url=stage.url("a"), duration=120.0, people=(Person(name="Sunniva Roe"),))
    row = stage.run(item)["e1"]
    assert (row["state"], row["reused"], row["times_may_drift"], row["audio_seconds"]) == ("ready", False, False, 120.0)
    assert row["voice_seconds"] == 115.0
    assert row["decode_seconds"] is not None
    assert stage.listener.names == ["Sunniva Roe, The Load Curve"]
    assert stage.heard == [60.0]
    assert not (stage.lake.root / "partial").exists() or not list((stage.lake.root / "partial").iterdir())
    again = stage.run(item)["e1"]
    assert again["reused"]
    assert len(stage.listener.calls) == len(stage.asked) == 1
    shown = speech_metadata([row, again])
    assert shown["minutes decoded"] == 2.0
    assert shown["x realtime"] > 1
    assert shown["least trusted"] == []


def test_the_cheapest_and_most_wanted_first_the_rest_waits(stage: Day) -> None:
    items = [
        episode("long", url=stage.url("a"), duration=240.0),
        episode("short", url=stage.url("b"), duration=120.0),
        episode("wanted", url=stage.url("c"), duration=130.0, weight=9.0),
        episode("unknown", url=stage.url("a") + "?x"),
    ]
    assert [item.episode_id for item in speech_order(items)] == ["wanted", "short", "long", "unknown"]
    rows = stage.run(*items, daily_audio_minutes=5.0)
    assert {name: (row["state"], row["reason"]) for name, row in rows.items()} == {
        "long": ("deferred", "audio_limit"), "short": ("ready", ""), "wanted": ("ready", ""), "unknown": ("deferred", "audio_limit"),
    }  # fmt: skip
    assert "daily_audio_minutes" in rows["long"]["detail"]
    again = stage.run(*items, daily_audio_minutes=5.0)
    assert {name: row["state"] for name, row in again.items()} == {name: row["state"] for name, row in rows.items()}
    last = stage.run(episode("long", url=stage.url("a"), duration=240.0, day=date(2026, 9, 18)), daily_audio_minutes=3.0)
    assert last["long"]["state"] == "given_up"


def test_money_is_counted_and_limited(stage: Day) -> None:
    stage.listener.usd_per_minute = 0.5
    items = [episode("a", url=stage.url("a"), duration=120.0), episode("b", url=stage.url("b"), duration=120.0)]
    rows = stage.run(*items, usd_spent=0.5, daily_budget_usd=2.0)
    assert {name: row["state"] for name, row in rows.items()} == {"a": "ready", "b": "deferred"}
    assert rows["b"]["reason"] == "budget_spent"
    assert stage.spent == [1.0]
    assert rows["a"]["cost_usd"] == 1.0


def test_a_failure_keeps_the_download_for_the_next_try(stage: Day) -> None:
    item = episode("e1", url=stage.url("a"), duration=120.0)
    stage.listener.failure = TransientError("rate_limited", "Later.")
    assert stage.run(item)["e1"]["state"] == "pending"
    stage.listener.failure = None
    assert stage.run(item)["e1"]["state"] == "ready"
    assert len(stage.asked) == 1
    stage.listener.failure = PermanentError("no_speech", "Music only.")
    assert stage.run(episode("e2", url=stage.url("b"), duration=120.0))["e2"]["state"] == "rejected"
    assert not list((stage.lake.root / "partial").iterdir())


def test_changed_audio_is_noticed(stage: Day) -> None:
    row = stage.run(episode("e1", url=stage.url("changing"), duration=120.0))["e1"]
    assert not row["times_may_drift"]
    stage.listener.fingerprint = "ear-2"
    row = stage.run(episode("e1", url=stage.url("changing"), duration=120.0))["e1"]
    assert row["times_may_drift"]
    assert "times may drift" in row["detail"]
    made = MadeFrom(bytes=1_000_000, sha256="", seconds=600.0, decode_seconds=60)
    words = Transcript(segments=(Segment(start=0.0, end=600.0, text="x"),), format="speech")
    assert drift(made, words, 1_000_000, 600.0) is None
    assert drift(made, words, 0, None) is None
    assert "states 900000" in (drift(made, words, 900_000, 600.0) or "")
    assert "600 s" in (drift(made, words, None, 700.0) or "")
    assert drift(None, words, None, 400.0) is not None


def test_an_episode_does_not_change_when_later_ones_repeat_it(stage: Day) -> None:
    first = episode("e1", url=stage.url("a"), duration=120.0)
    before = stage.run(first)["e1"]["transcript_key"]
    shutil.rmtree(stage.lake.root / "transcripts")
    stage.run(episode("e2", transcripts=(TranscriptLink(url=stage.url("v")),)))
    assert stage.run(first)["e1"]["transcript_key"] == before


def test_forecast_counts_what_is_not_kept(stage: Day) -> None:
    stage.run(episode("e1", url=stage.url("a"), duration=120.0))
    episodes = [
        episode("e1", url=stage.url("a"), duration=120.0).facts,
        episode("e2", url=stage.url("b"), duration=3000.0).facts,
        episode("e3", url=stage.url("c")).facts,
        episode("e4", transcripts=(TranscriptLink(url=stage.url("v")),)).facts,
        episode("e5").facts,
    ]
    stage.listener.usd_per_minute = 0.006
    settings = Settings(transcripts=TranscriptSettings(daily_audio_minutes=60.0))
    found = forecast(episodes, first=DAY, last=DAY, lake=stage.lake, settings=settings, engine=stage.listener)
    assert (found.episodes, found.kept, found.with_transcript_links, found.to_decode, found.without_audio) == (5, 1, 1, 2, 1)
    assert (found.audio_minutes, found.unknown_length, found.days_at_limit) == (110.0, 1, 2)
    assert found.transcription_usd == 0.66
    stage.listener.usd_per_minute = 0.0
    free = forecast(episodes, first=DAY, last=DAY, lake=stage.lake, settings=settings, engine=stage.listener)
    assert free.machine_minutes == pytest.approx(110.0 / (measured_x_realtime(stage.lake) or 0), abs=0.1)
    assert free.usd == 0.0


def test_forecast_in_words(stage: Day) -> None:
    def said(episodes: list[ParsedEpisode], days: list[date], *, listens: bool = True, **settings: Any) -> list[str]:
        wanted = Settings(transcripts=TranscriptSettings(**settings))
        found = forecast(
            episodes, first=DAY, last=date(2026, 9, 17), lake=stage.lake, settings=wanted, days=days,
            engine=stage.listener if listens else None, model_comes=not listens,
        )  # fmt: skip
        return sentences(found, wanted)

    assert said([], []) == ["No followed podcast has an episode from 2026-09-15 to 2026-09-17; `top5 scan` looks for new ones."]
    episodes = [
        episode("e1", url=stage.url("x"), duration=3000.0).facts,
        episode("e2", url=stage.url("y")).facts,
        episode("e3", transcripts=(TranscriptLink(url=stage.url("v")),)).facts,
        episode("e4").facts,
    ]
    days = [DAY, DAY, date(2026, 9, 16), date(2026, 9, 17)]
    free = [
        "2026-09-15 to 2026-09-17: 4 episodes, 1 with a publisher's transcript, 2 for speech to text, 1 with nothing to read.",
        "110 minutes of audio take about 14 minutes of this machine at 8.0 x realtime.",
        "1 episode of unknown length counted as an hour each.",
        "Expected cost: $0.00 for transcription, at most $0.00 for insights.",
    ]
    assert said(episodes, days) == free
    # Before the first run there is no model yet: it will be there when it is needed.
    assert said(episodes, days, listens=False) == free
    assert said(episodes, days, daily_audio_minutes=60)[3] == (
        "1 day with more than the 60 minutes of transcripts.daily_audio_minutes: what is over is deferred to the next day."
    )
    assert said(episodes, days, daily_audio_minutes=30)[3] == (
        "3 days with more than the 30 minutes of transcripts.daily_audio_minutes: what is over is deferred to the next day, "
        "and 20 wait when the last one is done."
    )
    stage.listener.usd_per_minute = 0.006
    paid = said(episodes, days, daily_budget_usd=0.25)
    assert paid[1] == "110 minutes of audio take about 2 minutes of this machine."
    assert paid[3:] == [
        "Expected cost: $0.66 for transcription, at most $0.00 for insights.",
        "More than the $0.25 a day of transcripts.daily_budget_usd: on one day it is not done; it takes at least 3 days, or raise it.",
    ]
