"""One day of the stage: every episode gets its words or a reason; the rows of the lake table `transcripts`.

Belongs here: the order of attempts, what each outcome means for the episode, what is kept and under which key. A transcript is kept under
the hash of where it came from and how it was made, so that a backfill costs no request and no second of decoding.
"""

import asyncio
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic
from typing import Any

from pydantic import BaseModel, ConfigDict

from top5.catalog.model import DayEpisode
from top5.errors import PermanentError, Top5Error, TransientError
from top5.lake import Lake, content_key
from top5.settings import ScanSettings, TranscriptSettings
from top5.transcripts.audio import AudioFetcher, check_duration, kept_audio
from top5.transcripts.chapters import chapters_in_notes, parse_chapters
from top5.transcripts.embedded import transcript_in_notes
from top5.transcripts.hotwords import hot_words
from top5.transcripts.loops import cut_loops, find_loops
from top5.transcripts.model import Chapter, Transcript
from top5.transcripts.publisher import fetch_transcript
from top5.transcripts.quality import FLOOR, Trust, trust
from top5.transcripts.repeats import fingerprint, mark_repeats
from top5.transcripts.speakers import name_speakers
from top5.transcripts.speech import Transcriber
from top5.transcripts.sponsors import mark

BLOBS = "transcripts"
UNKNOWN_MINUTES = 60.0
"""What an episode of unknown length is taken for when a day's audio is shared out."""

# Raised when the same words are prepared differently.
_PREPARED = "prepared-1"
_OTHER_EPISODES = 8
_BYTES_PER_MINUTE = 960_000  # of an MP3 at 128 kbit/s
_CHAPTER_BYTES = 1_000_000


class MadeFrom(BaseModel):
    """The audio that a transcript was made from, and what the feed said of it then. Bytes, seconds, US dollars."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    bytes: int
    sha256: str
    seconds: float
    stated_bytes: int | None = None
    stated_seconds: float | None = None
    decode_seconds: float
    usd: float = 0.0
    changed: bool = False


@dataclass
class Allowance:
    """What the rest of a day may take: minutes of audio for speech to text, US dollars for a paid API."""

    minutes: float
    usd: float

    def refuse(self, minutes: float, usd_per_minute: float) -> TransientError | None:
        """Why so many minutes are too many, or None."""
        if minutes > self.minutes:
            return TransientError(
                "audio_limit",
                f"{minutes:.0f} minutes of audio are more than the {max(0.0, self.minutes):.0f} that this day still has; "
                "it waits, or raise transcripts.daily_audio_minutes.",
            )
        if minutes * usd_per_minute > self.usd:
            return TransientError(
                "budget_spent",
                f"Transcribing costs about ${minutes * usd_per_minute:.2f}, and ${max(0.0, self.usd):.2f} is left today; "
                "it waits, or raise transcripts.daily_budget_usd.",
            )
        return None


@dataclass
class _Found:
    """An episode's words as they came, before anything is added to them."""

    transcript: Transcript
    reused: bool
    made: MadeFrom | None = None


@dataclass
class _Work:
    """What the stage works with."""

    fetcher: AudioFetcher
    lake: Lake
    settings: TranscriptSettings
    transcriber: Callable[[], Transcriber]
    allowance: Allowance
    on_spend: Callable[[float], None]
    on_audio: Callable[[DayEpisode, float, float], None]
    seconds: dict[str, float] = field(default_factory=dict[str, float])


async def collect_transcripts(
    episodes: Sequence[DayEpisode],
    *,
    lake: Lake,
    scan: ScanSettings,
    settings: TranscriptSettings,
    transcriber: Callable[[], Transcriber],
    late_days: int,
    on_row: Callable[[DayEpisode, dict[str, Any]], None] = lambda _episode, _row: None,
    usd_spent: float = 0.0,
    on_spend: Callable[[float], None] = lambda _usd: None,
    on_audio: Callable[[DayEpisode, float, float], None] = lambda _episode, _done, _total: None,
) -> list[dict[str, Any]]:
    """One row per episode (see `top5.tables.TRANSCRIPTS`), in the given order. No episode's failure stops another.

    `transcriber` is called when the first episode needs speech to text; it raises Top5Error where there is no model. `usd_spent` is what
    today has cost already; `on_spend` gets each further amount. `on_audio(episode, done, total)` gets seconds of audio.
    """
    allowance = Allowance(settings.daily_audio_minutes, settings.daily_budget_usd - usd_spent)
    found: dict[str, _Found | Top5Error | None] = {}
    fetcher = AudioFetcher(scan)
    async with fetcher:
        work = _Work(fetcher, lake, settings, transcriber, allowance, on_spend, on_audio)
        live = [episode for episode in episodes if not _settled(episode)]
        for episode, outcome in zip(live, await asyncio.gather(*(_published(work, episode) for episode in live)), strict=True):
            found[episode.episode_id] = outcome
        for episode in speech_order([episode for episode in live if found[episode.episode_id] is None]):
            found[episode.episode_id] = await _spoken(work, episode)
        rows: list[dict[str, Any]] = []
        # What a show repeats is told by its other episodes of this day, too, so their words come first.
        for episode in live:
            outcome = found[episode.episode_id]
            if isinstance(outcome, _Found):
                _remember_words(lake, episode, outcome.transcript)
        for episode in episodes:
            outcome = found.get(episode.episode_id)
            started = monotonic()
            if _settled(episode):
                row = _row(episode, state=episode.state, reason=episode.reason or "")
            elif isinstance(outcome, _Found):
                row = _ready(episode, await _prepared(work, episode, outcome), outcome, settings)
            else:
                assert outcome is not None
                row = _missing(episode, outcome, late_days)
            row["seconds_taken"] = work.seconds.get(episode.episode_id, 0.0) + monotonic() - started
            on_row(episode, row)
            rows.append(row)
    return rows


def load_transcript(lake: Lake, transcript_key: str) -> Transcript:
    """The words of a `ready` row. Raises PermanentError (`transcript_lost`) where the lake lacks them."""
    data = lake.get(BLOBS, transcript_key)
    if data is None:
        raise PermanentError(
            "transcript_lost", "The lake lacks a transcript that its table names; materialize transcripts of the day again."
        )
    return Transcript.model_validate_json(data)


def expected_minutes(duration: float | None, stated_bytes: int | None) -> float:
    """Minutes of audio before anything is downloaded: as the feed states them, else by the file's size, else an hour."""
    if duration:
        return duration / 60
    return stated_bytes / _BYTES_PER_MINUTE if stated_bytes and stated_bytes > 100_000 else UNKNOWN_MINUTES


def speech_order(episodes: Sequence[DayEpisode]) -> list[DayEpisode]:
    """The cheapest and most wanted first: minutes of audio over the reader's weight of the feed; equals by id."""

    def price(episode: DayEpisode) -> tuple[float, str]:
        return _minutes(episode) / max(episode.feed_weight, 0.01), episode.episode_id

    return sorted(episodes, key=price)


def _minutes(episode: DayEpisode) -> float:
    enclosure = episode.facts.enclosure
    return expected_minutes(episode.facts.duration, enclosure.length if enclosure else None)


def _settled(episode: DayEpisode) -> bool:
    return episode.carried_over and episode.state != "discovered"


# Words from the publisher


async def _published(work: _Work, episode: DayEpisode) -> _Found | Top5Error | None:
    """The publisher's words, why there will be none, or None where the audio is to be read."""
    started = monotonic()
    links = episode.facts.transcripts
    failure: Top5Error | None = None
    try:
        if links:
            key = publisher_key(work.settings.language, [link.url for link in links])
            if kept := _kept(work.lake, key):
                return _Found(kept, reused=True)
            try:
                transcript = await fetch_transcript(work.fetcher, links, work.settings.language)
                _keep(work.lake, key, transcript)
                return _Found(transcript, reused=False)
            except Top5Error as error:
                failure = error
        if (inside := transcript_in_notes(episode.facts.description)) is not None:
            return _Found(inside, reused=True)
        if isinstance(failure, TransientError) and episode.facts.enclosure:
            # Publishers are often a day late with transcripts; theirs is better than ours and costs no decoding.
            return failure
        if work.settings.speech == "off" or episode.facts.enclosure is None:
            return failure or PermanentError(
                "no_transcript",
                f"{episode.facts.title!r} has no published transcript, and speech to text is off or has no audio to read.",
            )
        return None
    finally:
        work.seconds[episode.episode_id] = monotonic() - started


def publisher_key(language: str, urls: Sequence[str]) -> str:
    """Under which a publisher's transcript is kept."""
    return content_key("publisher", language, *urls)


# Words from the audio


def speech_key(engine: Transcriber, language: str, url: str) -> str:
    """Under which a transcript of ours is kept."""
    return content_key("speech", engine.fingerprint, language, url)


async def _spoken(work: _Work, episode: DayEpisode) -> _Found | Top5Error:
    started = monotonic()
    try:
        return await _decoded(work, episode)
    except Top5Error as error:
        return error
    finally:
        work.seconds[episode.episode_id] = work.seconds.get(episode.episode_id, 0.0) + monotonic() - started


async def _decoded(work: _Work, episode: DayEpisode) -> _Found:
    enclosure, facts, settings = episode.facts.enclosure, episode.facts, work.settings
    assert enclosure is not None
    engine = await asyncio.to_thread(work.transcriber)
    key = speech_key(engine, settings.language, enclosure.url)
    if kept := _kept(work.lake, key):
        made = _made(work.lake, key)
        # Doing a day again does not give it more minutes than it had.
        work.allowance.minutes -= made.seconds / 60 if made else 0.0
        return _Found(kept, reused=True, made=made)
    if refusal := work.allowance.refuse(_minutes(episode), engine.usd_per_minute):
        raise refusal
    # Half a download and half a decode outlive a kill; whole transcripts are kept in the lake.
    folder = work.lake.root / "partial" / key[:32]
    audio = await asyncio.to_thread(kept_audio, folder / "audio", enclosure.url)
    if audio is None:
        audio = await work.fetcher.download(enclosure.url, folder / "audio", settings.max_audio_bytes)
    try:
        seconds = check_duration(audio.path, settings.max_audio_minutes)
        if refusal := work.allowance.refuse(seconds / 60, engine.usd_per_minute):
            raise refusal
        decoding = monotonic()
        transcript = await asyncio.to_thread(
            engine.transcribe,
            audio.path,
            language=settings.language,
            hotwords=hot_words(facts.title, episode.show, [person.name for person in facts.people], facts.description),
            on_progress=lambda done, total: work.on_audio(episode, done, total),
            checkpoint=folder / "pieces.jsonl",
            check_language=True,
        )
    except PermanentError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    usd = seconds / 60 * engine.usd_per_minute
    work.allowance.minutes -= seconds / 60
    work.allowance.usd -= usd
    if usd:
        work.on_spend(usd)
    made = MadeFrom(
        bytes=audio.bytes, sha256=audio.sha256, seconds=seconds, stated_bytes=enclosure.length, stated_seconds=facts.duration,
        decode_seconds=round(monotonic() - decoding, 3), usd=usd, changed=_audio_changed(work.lake, enclosure.url, audio.sha256),
    )  # fmt: skip
    work.lake.put(f"{BLOBS}-made-from", key, made.model_dump_json().encode())
    _keep(work.lake, key, transcript)
    shutil.rmtree(folder, ignore_errors=True)
    return _Found(transcript, reused=False, made=made)


def _audio_changed(lake: Lake, url: str, sha256: str) -> bool:
    """Whether the URL gave other bytes before; what it gives now is noted."""
    key = content_key("audio", url)
    before = lake.get("audio", key)
    lake.put("audio", key, sha256.encode())
    return before is not None and before.decode() != sha256


def _made(lake: Lake, key: str) -> MadeFrom | None:
    data = lake.get(f"{BLOBS}-made-from", key)
    return MadeFrom.model_validate_json(data) if data else None


def drift(made: MadeFrom | None, transcript: Transcript, stated_bytes: int | None, stated_seconds: float | None) -> str | None:
    """Why a transcript's times may not fit what a listener hears, or None. Bytes and seconds as the feed states them now.

    Advertisements are cut into many shows per download: then the file differs from what the feed states, from what it stated when the
    words were taken, or from what the same URL gave before.
    """
    if made is None:
        beyond = transcript.duration - stated_seconds if stated_seconds else 0.0
        return (
            f"words go on {beyond:.0f} s after the audio's stated end" if beyond > max(30.0, 0.02 * transcript.duration) else None
        )
    if made.changed:
        return "the same address gave another file before"
    for stated in (stated_bytes, made.stated_bytes):
        # Zero and one are what feeds say where they do not know.
        if stated and stated > 10_000 and abs(stated - made.bytes) > 0.01 * made.bytes:
            return f"the file has {made.bytes} bytes, the feed states {stated}"
    for stated in (stated_seconds, made.stated_seconds):
        if stated and abs(stated - made.seconds) > max(5.0, 0.01 * made.seconds):
            return f"the audio lasts {made.seconds:.0f} s, the feed states {stated:.0f}"
    return None


def _keep(lake: Lake, key: str, transcript: Transcript) -> None:
    data = transcript.model_dump_json().encode()
    content = content_key(data)
    lake.put(BLOBS, content, data)
    lake.put(f"{BLOBS}-by-source", key, content.encode())


def _kept(lake: Lake, key: str) -> Transcript | None:
    content = lake.get(f"{BLOBS}-by-source", key)
    data = lake.get(BLOBS, content.decode()) if content else None
    return Transcript.model_validate_json(data) if data else None


# What is added to the words: chapters, names of speakers, what other episodes say, too


async def _prepared(work: _Work, episode: DayEpisode, found: _Found) -> Transcript:
    """The words as insights are given them. Prepared once per episode, so that a later episode does not change an earlier day."""
    raw = found.transcript.model_dump_json()
    key = content_key(_PREPARED, episode.episode_id, raw)
    if kept := _kept(work.lake, key):
        return kept
    facts, segments = episode.facts, list(found.transcript.segments)
    warnings = list(found.transcript.warnings)
    if loops := find_loops([segment.text for segment in segments]):
        segments = cut_loops(segments, loops)
        warnings.append(f"{len(loops)} repeat loops cut")
    segments = name_speakers(segments, [person.name for person in facts.people], title=facts.title)
    segments = mark_repeats(segments, _others(work.lake, episode))
    chapters, whole = await _chapters(work, episode)
    prepared = found.transcript.model_copy(
        update={"segments": tuple(segments), "warnings": tuple(warnings), "chapters": chapters}
    )
    if whole:
        _keep(work.lake, key, prepared)
    else:
        work.lake.put(BLOBS, content_key(prepared.model_dump_json().encode()), prepared.model_dump_json().encode())
    return prepared


async def _chapters(work: _Work, episode: DayEpisode) -> tuple[tuple[Chapter, ...], bool]:
    """Chapters, and whether a later try could not bring more."""
    facts = episode.facts
    if facts.chapters_url:
        try:
            result = await work.fetcher.fetch(
                facts.chapters_url, max_bytes=_CHAPTER_BYTES, accept="application/json+chapters, application/json, */*;q=0.5"
            )
            return parse_chapters(result.body or b""), True
        except PermanentError:
            pass
        except TransientError:
            return chapters_in_notes(facts.description, facts.duration), False
    return chapters_in_notes(facts.description, facts.duration), True


def _remember_words(lake: Lake, episode: DayEpisode, transcript: Transcript) -> None:
    """Keep what the episode says for the show's other episodes to be compared with."""
    key = content_key("show-words", episode.feed_id, episode.episode_id)
    if lake.get("show-words", key) is None:
        words = sorted(fingerprint(transcript.segments))
        lake.put("show-words", key, b"".join(value.to_bytes(8, "big") for value in words))
    index_key = content_key("show-index", episode.feed_id)
    index: dict[str, str] = json.loads(lake.get("show-index", index_key) or b"{}")
    if episode.episode_id not in index:
        index[episode.episode_id] = episode.available_on.isoformat()
        lake.put("show-index", index_key, json.dumps(index, sort_keys=True).encode())


def _others(lake: Lake, episode: DayEpisode) -> list[frozenset[int]]:
    """Fingerprints of the show's last episodes up to the day of this one."""
    index: dict[str, str] = json.loads(lake.get("show-index", content_key("show-index", episode.feed_id)) or b"{}")
    earlier = sorted(
        ((on, other) for other, on in index.items() if other != episode.episode_id and on <= episode.available_on.isoformat()),
        reverse=True,
    )
    found: list[frozenset[int]] = []
    for _, other in earlier[:_OTHER_EPISODES]:
        data = lake.get("show-words", content_key("show-words", episode.feed_id, other)) or b""
        found.append(frozenset(int.from_bytes(data[at : at + 8], "big") for at in range(0, len(data), 8)))
    return found


# Rows


def _ready(episode: DayEpisode, transcript: Transcript, found: _Found, settings: TranscriptSettings) -> dict[str, Any]:
    data = transcript.model_dump_json().encode()
    made, facts = found.made, episode.facts
    # Loops are measured where they were: cutting them does not make the rest better heard.
    measured = trust(found.transcript, made.seconds if made else facts.duration, language=settings.language)
    drifts = drift(made, transcript, facts.enclosure.length if facts.enclosure else None, facts.duration)
    good = measured.score >= FLOOR
    notes = [*transcript.warnings, *([f"times may drift: {drifts}"] if drifts else [])]
    return _row(
        episode,
        state="ready" if good else "rejected",
        reason="" if good else measured.worst,
        detail="; ".join(notes) or None,
        source=transcript.source,
        format=transcript.format,
        language=transcript.language,
        transcript_key=content_key(data),
        segments=len(transcript.segments),
        words=transcript.words,
        speech_seconds=transcript.duration,
        has_times=any(segment.start is not None for segment in transcript.segments),
        has_speakers=any(segment.speaker for segment in transcript.segments),
        trust=measured.score,
        bytes=len(data),
        reused=found.reused,
        trust_parts=measured.parts,
        faults=_sentences(measured),
        chapters=len(transcript.chapters),
        marked_segments=sum(found is not None for found in mark(transcript.segments)),
        times_may_drift=drifts is not None,
        audio_seconds=made.seconds if made else None,
        voice_seconds=transcript.decoding.voice if transcript.decoding else None,
        decode_seconds=made.decode_seconds if made else None,
        cost_usd=made.usd if made else None,
    )


def _sentences(measured: Trust) -> list[str]:
    return [f"{fault.kind}: {fault.detail}" for fault in measured.faults]


def _missing(episode: DayEpisode, error: Top5Error, late_days: int) -> dict[str, Any]:
    can_come = isinstance(error, TransientError) or error.reason == "no_speech_model"
    last_chance = episode.day >= episode.available_on + timedelta(days=late_days)
    waits = "deferred" if error.reason in ("audio_limit", "budget_spent") else "pending"
    state = "rejected" if not can_come else "given_up" if last_chance else waits
    return _row(episode, state=state, reason=error.reason, detail=error.message)


def _row(episode: DayEpisode, **values: Any) -> dict[str, Any]:
    empty = {
        "segments": 0, "words": 0, "speech_seconds": 0.0, "has_times": False, "has_speakers": False, "trust": 0.0,
        "bytes": 0, "seconds_taken": 0.0, "reused": False,
    }  # fmt: skip
    return {"day": episode.day, "episode_id": episode.episode_id, **empty, **values}
