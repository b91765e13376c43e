"""One day of the stage: every episode gets its words or a reason; the rows of the lake table `transcripts`.

Belongs here: the order of attempts and what each outcome means for the episode. A transcript is kept under the hash of where it
came from and how it was made, so that a backfill costs no request and no second of decoding.
"""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

from top5.catalog.store import DayEpisode
from top5.errors import PermanentError, Top5Error, TransientError
from top5.feeds.fetch import Fetcher
from top5.lake import Lake, content_key
from top5.settings import ScanSettings, TranscriptSettings
from top5.transcripts.audio import check_duration, download_audio
from top5.transcripts.model import Transcript
from top5.transcripts.publisher import fetch_transcript
from top5.transcripts.quality import FLOOR, trust
from top5.transcripts.speech import Transcriber

BLOBS = "transcripts"


async def collect_transcripts(
    episodes: Sequence[DayEpisode],
    *,
    lake: Lake,
    scan: ScanSettings,
    settings: TranscriptSettings,
    transcriber: Callable[[], Transcriber],
    late_days: int,
    on_row: Callable[[DayEpisode, dict[str, Any]], None] = lambda _episode, _row: None,
) -> list[dict[str, Any]]:
    """One row per episode (see `top5.tables.TRANSCRIPTS`), in the given order. No episode's failure stops another.

    `transcriber` is called when the first episode needs speech to text; it raises Top5Error where there is no model.
    """
    decoding = asyncio.Semaphore(1)
    async with Fetcher(scan) as fetcher:

        async def one(episode: DayEpisode) -> dict[str, Any]:
            started = monotonic()
            if episode.carried_over and episode.state != "discovered":
                row = _row(episode, state=episode.state, reason=episode.reason or "")
            else:
                try:
                    transcript, reused = await _words(episode, fetcher, lake, settings, transcriber, decoding)
                    row = _ready(episode, transcript, reused=reused)
                except Top5Error as error:
                    row = _missing(episode, error, late_days)
            row["seconds_taken"] = monotonic() - started
            on_row(episode, row)
            return row

        return await asyncio.gather(*(one(episode) for episode in episodes))


def load_transcript(lake: Lake, transcript_key: str) -> Transcript:
    """The words of a `ready` row. Raises PermanentError (`transcript_lost`) where the lake lacks them."""
    data = lake.get(BLOBS, transcript_key)
    if data is None:
        raise PermanentError(
            "transcript_lost", "The lake lacks a transcript that its table names; materialize transcripts of the day again."
        )
    return Transcript.model_validate_json(data)


async def _words(
    episode: DayEpisode,
    fetcher: Fetcher,
    lake: Lake,
    settings: TranscriptSettings,
    transcriber: Callable[[], Transcriber],
    decoding: asyncio.Semaphore,
) -> tuple[Transcript, bool]:
    links = episode.facts.transcripts
    publisher_error: Top5Error | None = None
    if links:
        key = content_key("publisher", settings.language, *(link.url for link in links))
        if kept := _kept(lake, key):
            return kept, True
        try:
            transcript = await fetch_transcript(fetcher, links, settings.language)
            _keep(lake, key, transcript)
            return transcript, False
        except Top5Error as error:
            publisher_error = error
    if isinstance(publisher_error, TransientError) and episode.facts.enclosure:
        # Publishers are often a day late with transcripts; theirs is better than ours and costs no decoding.
        raise publisher_error
    if settings.speech == "off" or episode.facts.enclosure is None:
        raise publisher_error or PermanentError(
            "no_transcript",
            f"{episode.facts.title!r} has no published transcript, and speech to text is off or has no audio to read.",
        )
    async with decoding:
        engine = await asyncio.to_thread(transcriber)
        key = content_key("speech", engine.fingerprint, settings.language, episode.facts.enclosure.url)
        if kept := _kept(lake, key):
            return kept, True
        with tempfile.TemporaryDirectory(prefix="top5-audio-") as folder:
            audio = await download_audio(fetcher, episode.facts.enclosure.url, Path(folder) / "audio", settings.max_audio_bytes)
            check_duration(audio, settings.max_audio_minutes)
            names = ", ".join((*(person.name for person in episode.facts.people), episode.show))
            transcript = await asyncio.to_thread(engine.transcribe, audio, language=settings.language, hotwords=names)
        _keep(lake, key, transcript)
        return transcript, False


def _keep(lake: Lake, key: str, transcript: Transcript) -> None:
    data = transcript.model_dump_json().encode()
    content = content_key(data)
    lake.put(BLOBS, content, data)
    lake.put(f"{BLOBS}-by-source", key, content.encode())


def _kept(lake: Lake, key: str) -> Transcript | None:
    content = lake.get(f"{BLOBS}-by-source", key)
    data = lake.get(BLOBS, content.decode()) if content else None
    return Transcript.model_validate_json(data) if data else None


def _ready(episode: DayEpisode, transcript: Transcript, *, reused: bool) -> dict[str, Any]:
    data = transcript.model_dump_json().encode()
    measured = trust(transcript, episode.facts.duration)
    good = measured.score >= FLOOR
    return _row(
        episode,
        state="ready" if good else "rejected",
        reason="" if good else measured.worst,
        detail="; ".join(transcript.warnings) or None,
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
        reused=reused,
    )


def _missing(episode: DayEpisode, error: Top5Error, late_days: int) -> dict[str, Any]:
    can_come = isinstance(error, TransientError) or error.reason == "no_speech_model"
    last_chance = episode.day >= episode.available_on + timedelta(days=late_days)
    state = "rejected" if not can_come else "given_up" if last_chance else "pending"
    return _row(episode, state=state, reason=error.reason, detail=error.message)


def _row(episode: DayEpisode, **values: Any) -> dict[str, Any]:
    empty = {
        "segments": 0, "words": 0, "speech_seconds": 0.0, "has_times": False, "has_speakers": False, "trust": 0.0,
        "bytes": 0, "seconds_taken": 0.0, "reused": False,
    }  # fmt: skip
    return {"day": episode.day, "episode_id": episode.episode_id, **empty, **values}
