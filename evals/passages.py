"""Passages of real and sample episodes, named by word offsets, so that a label needs no copied text.

Belongs here: reading episodes and finding the words of a label again. A passage is `words[first:last]` of its episode's text, the
segments' texts joined and split at white space.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from demo.script import read_scripts
from top5.insights.sentences import split_sentences
from top5.transcripts.model import Segment

SHOWS = ("optech", "pythonbytes", "changelog")


@dataclass(frozen=True)
class Episode:
    """One episode of the corpus or of the samples."""

    show: str
    id: str
    title: str
    segments: tuple[Segment, ...]
    topics: tuple[str | None, ...] = ()
    """By segment the item under which it was said, where the show tells."""
    gold: tuple[dict[str, Any], ...] = ()
    """The show's items as humans wrote them up."""

    @property
    def words(self) -> list[str]:
        """The episode's words in order."""
        return " ".join(segment.text for segment in self.segments).split()


@dataclass(frozen=True)
class Passage:
    """A window of whole sentences of one speaker; `first` and `last` are word offsets."""

    show: str
    episode: str
    first: int
    last: int
    text: str
    sentences: int


def episodes(corpus: Path) -> Iterator[Episode]:
    """Every episode of the corpus' shows (those that are there) and of the samples (show `demo`)."""
    for show in SHOWS:
        path = corpus / "shows" / show / "episodes.jsonl"
        if not path.exists():
            continue
        for line in path.read_text("utf-8").split("\n"):
            if not line:
                continue
            data = json.loads(line)
            spoken = [s for s in data["segments"] if s["text"].strip()]
            segments = tuple(Segment(start=s.get("start"), speaker=s.get("speaker"), text=s["text"]) for s in spoken)
            topics = tuple(s.get("topic") for s in spoken)
            yield Episode(show, str(data["id"]), data["title"], segments, topics, tuple(data.get("gold") or ()))
    for script in read_scripts().values():
        turns = tuple(Segment(start=t.start, end=t.end, speaker=t.speaker, text=t.text) for t in script.timed_turns)
        yield Episode("demo", script.id, script.title, turns)


@cache
def by_id(corpus: Path) -> dict[tuple[str, str], Episode]:
    """Episodes by (show, id)."""
    return {(episode.show, episode.id): episode for episode in episodes(corpus)}


def windows(episode: Episode, fewest: int = 25, most: int = 60) -> list[Passage]:
    """All windows of one to four whole sentences of one speaker with 25 to 60 words."""
    sentences = split_sentences(episode.segments)
    starts = [0]
    for sentence in sentences:
        starts.append(starts[-1] + len(sentence.text.split()))
    if starts[-1] != len(episode.words):
        return []  # the splitter changed a word: offsets would name other words than it read
    found: list[Passage] = []
    for first in range(len(sentences)):
        for last in range(first, min(first + 4, len(sentences))):
            if sentences[last].turn != sentences[first].turn:
                break
            count = starts[last + 1] - starts[first]
            if count > most:
                break
            if count >= fewest:
                text = " ".join(sentence.text for sentence in sentences[first : last + 1])
                found.append(Passage(episode.show, episode.id, starts[first], starts[last + 1], text, last - first + 1))
    return found
