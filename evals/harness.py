"""Scores the picks of an engine and of the baselines, episode by episode.

Belongs here: what is measured of a pick and against what. A metric is kept as a part and a whole per episode, so that intervals and
differences are taken over episodes. Printing and options are in `evals.__main__`.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from evals.baselines import PICKS, first_windows, random_windows, ranked_windows, rated_sentences, sumy_ratings
from evals.passages import Episode, Passage, windows
from evals.statistics import SEED
from top5.insights.embed import TextEmbedder
from top5.insights.ground import check_names, check_numbers
from top5.insights.model import EpisodeText, Insight, InsightEngine, Quote
from top5.insights.reference import dangling
from top5.insights.score import cleaned_text
from top5.insights.sentences import split_sentences, split_text
from top5.insights.style import check_style, check_wording, slug
from top5.transcripts.sponsors import mark

# Slugs of `check_wording` that make a pick one of the forbidden kinds.
FORBIDDEN = {
    "sponsor": "sponsor",
    "url": "sponsor",
    "greeting": "greeting",
    "about_the_episode": "housekeeping",
    "imperative": "housekeeping",
    "question": "question",
}
_MARKED = {"sponsor": "sponsor", "promo": "sponsor", "greeting": "greeting", "outro": "housekeeping", "music": "housekeeping"}
# Cosine of all-MiniLM-L6-v2 from which a passage and a human's summary of an item are about the same thing.
MATCH = 0.5
_SECONDS_OFF = 0.5

METRICS = (
    "grounded",
    "style",
    "strict style",
    "self-contained",
    "forbidden",
    "name or number errors",
    "inside News",
    "match human",
    "likeness to human",
    "redundancy",
    "picks",
    "seconds",
    "cost",
)


@dataclass(frozen=True)
class Pick:
    """One passage of one system: what is printed, its headline, its quotes and its words in the episode (None where not found)."""

    text: str
    headline: str
    quotes: tuple[Quote, ...]
    first: int | None
    last: int | None


Units = dict[str, tuple[float, float]]
"""Part and whole of each metric in one episode."""


class Scorer:
    """Scores one engine beside the baselines; the embedder measures likeness and is the same for all."""

    def __init__(self, engine: InsightEngine, embedder: TextEmbedder) -> None:
        self._engine = engine
        self._embedder = embedder

    def score(self, episode: Episode, *, baselines: bool = True) -> dict[str, Units]:
        """Units of every system in one episode, the engine's under `engine`."""
        result: dict[str, Units] = {}
        began = time.perf_counter()
        text = EpisodeText(title=episode.title, show=episode.show, segments=episode.segments)
        extraction = self._engine.extract(text)
        seconds = time.perf_counter() - began
        chosen = [_of_insight(insight, episode) for insight in extraction.insights[:PICKS]]
        result["engine"] = self._units(chosen, episode) | {"seconds": (seconds, 1), "cost": (extraction.usage.cost, 1)}
        if baselines:
            for name, passages in self._baselines(episode):
                began = time.perf_counter()
                found = passages()
                seconds = time.perf_counter() - began
                picks = [_of_passage(passage) for passage in found]
                result[name] = self._units(picks, episode) | {"seconds": (seconds, 1), "cost": (0.0, 1)}
        return result

    def _baselines(self, episode: Episode) -> Iterator[tuple[str, Callable[[], list[Passage]]]]:
        found = windows(episode)
        sentences = split_sentences(episode.segments)
        texts = [sentence.text for sentence in sentences]

        def by(method: str) -> Callable[[], list[Passage]]:
            return lambda: ranked_windows(found, rated_sentences(sentences, sumy_ratings(method, texts)))

        yield "random", lambda: random_windows(found, random.Random(f"{SEED}/{episode.show}/{episode.id}"))
        yield "first", lambda: first_windows(found)
        yield "lexrank", by("lexrank")
        yield "lsa", by("lsa")

    def _units(self, picks: Sequence[Pick], episode: Episode) -> Units:
        count = float(len(picks))
        marked = _marked_words(episode)
        units: Units = {
            "grounded": (float(sum(is_grounded(pick, episode) for pick in picks)), count),
            "style": (float(sum(not check_style(pick.text, strict=False) for pick in picks)), count),
            "strict style": (float(sum(not check_style(pick.text) for pick in picks)), count),
            "self-contained": (float(sum(not dangling(split_text(pick.text)) for pick in picks)), count),
            "forbidden": (float(sum(forbidden_kind(pick, marked) is not None for pick in picks)), count),
            "name or number errors": (float(sum(bool(_errors(pick)) for pick in picks)), count),
            "picks": (count, 1),
        }
        topics = _topics_by_word(episode)
        if topics:
            news = {item["topic"] for item in episode.gold if item.get("tier") == 1}
            located = [pick.first for pick in picks if pick.first is not None]
            units["inside News"] = (float(sum(topics[first] in news for first in located)), count)
        likeness = self._likeness(picks, human_summaries(episode))
        if likeness is not None:
            units["match human"] = (float(sum(value >= MATCH for value in likeness)), count)
            units["likeness to human"] = (float(sum(likeness)), count)
        if len(picks) > 1:
            vectors = self._embedder.embed([pick.text for pick in picks])
            pairs = len(picks) * (len(picks) - 1) / 2
            units["redundancy"] = ((float((vectors @ vectors.T).sum()) - count) / 2, pairs)
        return units

    def _likeness(self, picks: Sequence[Pick], summaries: list[str]) -> list[float] | None:
        """Cosine of each pick with the human summary that it is most like; None without summaries."""
        if not summaries:
            return None
        if not picks:
            return []
        cosine = self._embedder.embed([pick.text for pick in picks]) @ self._embedder.embed(summaries).T
        return [float(value) for value in cosine.max(axis=1)]


def human_summaries(episode: Episode) -> list[str]:
    """What humans wrote about the items: Optech's News items, the numbered items of Python Bytes; nothing elsewhere."""
    if episode.show == "optech":
        return [item["summary"] for item in episode.gold if item.get("tier") == 1]
    if episode.show == "pythonbytes":
        return [f"{item['title'].strip('* ')}. {' '.join(item['bullets'])}" for item in episode.gold if item.get("bullets")]
    return []


def is_grounded(pick: Pick, episode: Episode) -> bool:
    """Whether each quote stands in the transcript word for word, at the seconds it gives; asked without the engine's own aligner."""
    words = episode.words
    starts = _segment_starts(episode)
    for quote in pick.quotes:
        wanted = quote.text.split()
        places = [
            p for p in range(len(words) - len(wanted) + 1) if words[p] == wanted[0] and words[p : p + len(wanted)] == wanted
        ]
        if not any(_times_fit(quote, p, p + len(wanted), episode, starts) for p in places):
            return False
    return bool(pick.quotes)


def forbidden_kind(pick: Pick, marked: Sequence[str | None]) -> str | None:
    """Sponsor, greeting, housekeeping or question, by the words of the pick or by the transcript's own marks; None for neither."""
    for problem in check_wording(split_text(pick.text)):
        if slug(problem) in FORBIDDEN:
            return FORBIDDEN[slug(problem)]
    if pick.first is not None and pick.last is not None:
        return next((_MARKED[kind] for kind in marked[pick.first : pick.last] if kind in _MARKED), None)
    return None


def _of_insight(insight: Insight, episode: Episode) -> Pick:
    words = episode.words
    wanted = insight.quotes[0].text.split()
    first = next((p for p in range(len(words)) if words[p : p + len(wanted)] == wanted), None)
    length = sum(len(quote.text.split()) for quote in insight.quotes)
    return Pick(insight.body, insight.headline, insight.quotes, first, None if first is None else first + length)


def _of_passage(passage: Passage) -> Pick:
    return Pick(cleaned_text(passage.text), "", (), passage.first, passage.last)


def _errors(pick: Pick) -> list[str]:
    """Numbers and names that the quotes do not hold; a baseline is its own quote."""
    texts = [quote.text for quote in pick.quotes] or [pick.text]
    printed = f"{pick.headline}. {pick.text}" if pick.headline else pick.text
    return check_numbers(printed, texts) + check_names(pick.text, texts, ())


def _segment_starts(episode: Episode) -> list[int]:
    starts = [0]
    for segment in episode.segments:
        starts.append(starts[-1] + len(segment.text.split()))
    return starts


def _times_fit(quote: Quote, first: int, last: int, episode: Episode, starts: list[int]) -> bool:
    opening = max(index for index in range(len(episode.segments)) if starts[index] <= first)
    closing = max(index for index in range(len(episode.segments)) if starts[index] <= last - 1)
    begin, end = episode.segments[opening], episode.segments[closing]
    if begin.start is None:
        return quote.start is None
    if quote.start is None or quote.end is None or quote.end < quote.start:
        return False
    after = episode.segments[opening + 1].start if opening + 1 < len(episode.segments) else None
    latest = begin.end if begin.end is not None else after
    starts_right = begin.start - _SECONDS_OFF <= quote.start and (latest is None or quote.start <= latest + _SECONDS_OFF)
    return starts_right and (end.start is None or quote.end >= end.start - _SECONDS_OFF)


def _topics_by_word(episode: Episode) -> list[str | None]:
    """The gold item that each word was said under, where the show's segments carry one; empty elsewhere."""
    if not any(episode.topics):
        return []
    by_word: list[str | None] = []
    for segment, topic in zip(episode.segments, episode.topics, strict=True):
        by_word += [topic] * len(segment.text.split())
    return by_word


def _marked_words(episode: Episode) -> list[str | None]:
    by_word: list[str | None] = []
    for segment, found in zip(episode.segments, mark(episode.segments), strict=True):
        by_word += [found.kind if found else None] * len(segment.text.split())
    return by_word


def as_json(units: dict[str, Units]) -> dict[str, Any]:
    """Units as they are saved."""
    return {system: {metric: list(pair) for metric, pair in values.items()} for system, values in units.items()}
