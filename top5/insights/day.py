"""One day of the stage: the engine reads each ready transcript once; rows of the lake tables `insights` and `extractions`.

Belongs here: reuse of kept extractions and what each outcome means for the episode. How insights are chosen is in the engines.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

from top5.catalog.model import DayEpisode
from top5.errors import Top5Error, TransientError
from top5.insights.embed import TextEmbedder
from top5.insights.model import EpisodeText, Extraction, InsightEngine
from top5.lake import Lake, content_key
from top5.transcripts.day import load_transcript

BLOBS = "extractions"


def extract_insights(
    episodes: Sequence[DayEpisode],
    transcripts: Mapping[str, Mapping[str, Any]],
    *,
    engine: InsightEngine,
    embedder: TextEmbedder,
    lake: Lake,
    at_once: int = 1,
    on_row: Callable[[DayEpisode, dict[str, Any]], None] = lambda _episode, _row: None,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(insight rows, extraction rows) of the episodes whose row in `transcripts` (by episode id) is ready.

    See `top5.tables.INSIGHTS` and `EXTRACTIONS`. No episode's failure stops another. `at_once` episodes are read at the same time, so
    that a server is kept busy while single episodes wait for their last reply; rows come in the order of `episodes` all the same.
    """
    ready = [episode for episode in episodes if transcripts[episode.episode_id]["state"] == "ready"]

    def read(episode: DayEpisode) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        return _rows(episode, transcripts[episode.episode_id]["transcript_key"], engine, embedder, lake)

    insights: list[dict[str, Any]] = []
    extractions: list[dict[str, Any]] = []
    with ThreadPoolExecutor(max_workers=max(1, at_once)) as pool:
        results = map(read, ready) if at_once <= 1 else pool.map(read, ready)
        for episode, (found, row) in zip(ready, results, strict=True):
            insights += found
            extractions.append(row)
            on_row(episode, row)
    return insights, extractions


def _rows(
    episode: DayEpisode, transcript_key: str, engine: InsightEngine, embedder: TextEmbedder, lake: Lake
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    started = monotonic()
    insights: list[dict[str, Any]] = []
    try:
        extraction, reused = _extract(episode, transcript_key, engine, lake)
        insights = _insight_rows(episode, extraction, transcript_key, embedder)
        row = _considered(episode, extraction, reused=reused)
    except Top5Error as error:
        # Whatever may pass (a spent budget, a server that is down) leaves the episode to the next digest.
        state = "deferred" if isinstance(error, TransientError) else "rejected"
        row = _row(episode, engine.fingerprint, state=state, reason=error.reason, detail=error.message)
    return insights, {**row, "seconds_taken": monotonic() - started}


def episode_text(episode: DayEpisode, lake: Lake, transcript_key: str) -> EpisodeText:
    """What an engine is given for an episode of the day."""
    transcript = load_transcript(lake, transcript_key)
    return EpisodeText(
        title=episode.facts.title,
        show=episode.show,
        description=episode.facts.description,
        people=tuple(person.name for person in episode.facts.people),
        chapters=tuple(chapter.title for chapter in transcript.chapters),
        segments=transcript.segments,
    )


def _extract(episode: DayEpisode, transcript_key: str, engine: InsightEngine, lake: Lake) -> tuple[Extraction, bool]:
    text = episode_text(episode, lake, transcript_key)
    kept = lake.get(BLOBS, _key(engine, text))
    if kept is not None:
        return Extraction.model_validate_json(kept), True
    extraction = engine.extract(text)
    # An engine may hand over to another while it works, and is then named by it: the key is asked for again.
    lake.put(BLOBS, _key(engine, text), extraction.model_dump_json().encode())
    return extraction, False


def _key(engine: InsightEngine, text: EpisodeText) -> str:
    return content_key("extraction", engine.fingerprint, text.model_dump_json())


def _insight_rows(
    episode: DayEpisode, extraction: Extraction, transcript_key: str, embedder: TextEmbedder
) -> list[dict[str, Any]]:
    vectors = embedder.embed([insight.body for insight in extraction.insights])
    return [
        {
            "day": episode.day,
            "insight_id": content_key(episode.episode_id, insight.body)[:16],
            "episode_id": episode.episode_id,
            "position": position,
            **insight.model_dump(include={"headline", "body", "speaker", "claim_type", "salience"}),
            "reasons": list(insight.reasons),
            "entities": list(insight.entities),
            "quotes": [quote.model_dump() for quote in insight.quotes],
            "names": [name.model_dump() for name in insight.names],
            "words": len(insight.body.split()),
            "embedding": vector.tolist(),
            "embedding_model": embedder.name,
            "engine": extraction.engine,
            "model": extraction.model,
            "prompt_version": extraction.prompt_version,
            "transcript_key": transcript_key,
        }
        for position, (insight, vector) in enumerate(zip(extraction.insights, vectors, strict=True), start=1)
    ]


def _considered(episode: DayEpisode, extraction: Extraction, *, reused: bool) -> dict[str, Any]:
    usage = extraction.usage
    return _row(
        episode,
        extraction.engine,
        state="considered",
        reason="",
        detail="; ".join(extraction.warnings) or None,
        model=extraction.model,
        prompt_version=extraction.prompt_version,
        candidates=len(extraction.insights),
        rejections=sum(rejected.count for rejected in extraction.rejection_counts),
        rejection_reasons=[rejected.model_dump() for rejected in extraction.rejection_counts],
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=0.0 if reused else usage.cost,
        reused=reused,
    )


def _row(episode: DayEpisode, engine: str, **values: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {
        "model": "", "prompt_version": "", "candidates": 0, "rejections": 0, "rejection_reasons": [], "input_tokens": 0,
        "output_tokens": 0, "cost_usd": 0.0, "reused": False,
    }  # fmt: skip
    return {"day": episode.day, "episode_id": episode.episode_id, "engine": engine, **empty, **values}
