"""Reading the scripts in `demo/episodes` and giving their words times.

Belongs here: the script format and its clock. What a publisher makes of a script is in `demo.publish`.
"""

import re
import tomllib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent

# A conversational pace; the pauses between turns bring it to the 150 words a minute of an ordinary podcast.
WORDS_PER_SECOND = 2.6
PAUSE_SECONDS = 0.4


@dataclass(frozen=True)
class Cue:
    """A stretch of one turn as a caption shows it; seconds."""

    speaker: str
    start: float
    end: float
    text: str


@dataclass(frozen=True)
class Show:
    """One entry of shows.toml."""

    slug: str
    title: str
    author: str
    hosts: tuple[str, ...]
    description: str
    transcripts: tuple[str, ...]
    hour: int
    serve: str = "plain"
    audio: bool = False
    repeats: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        """The host name that this show's feed, pages and transcripts are served under."""
        return f"{self.slug}.example"


@dataclass(frozen=True)
class Script:
    """One episode: facts from its front matter and its turns as (speaker, text)."""

    id: str
    show: str
    title: str
    day: int
    guests: tuple[str, ...]
    link_slug: str
    notes: str
    voices: dict[str, str]
    chapters: tuple[tuple[str, str], ...]
    turns: tuple[tuple[str, str], ...]
    extra: dict[str, Any] = field(default_factory=dict[str, Any])

    @cached_property
    def timed_turns(self) -> tuple[Cue, ...]:
        """The turns with their times."""
        clock = 0.0
        cues: list[Cue] = []
        for speaker, text in self.turns:
            end = clock + len(text.split()) / WORDS_PER_SECOND
            cues.append(Cue(speaker, round(clock, 2), round(end, 2), text))
            clock = end + PAUSE_SECONDS
        return tuple(cues)

    def cues(self, words: int) -> list[Cue]:
        """The turns cut into captions of at most `words` words, wherever that falls in a sentence, as captioning software does."""
        result: list[Cue] = []
        for turn in self.timed_turns:
            tokens = turn.text.split()
            for first in range(0, len(tokens), words):
                last = min(first + words, len(tokens))
                result.append(
                    Cue(
                        turn.speaker,
                        round(turn.start + first / WORDS_PER_SECOND, 2),
                        round(turn.start + last / WORDS_PER_SECOND, 2),
                        " ".join(tokens[first:last]),
                    )
                )
        return result

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.timed_turns[-1].end


def read_shows() -> tuple[date, dict[str, Show]]:
    """The first day and the shows by slug."""
    data = tomllib.loads((FOLDER / "shows.toml").read_text("utf-8"))
    first_day: date = data.pop("first_day")
    return first_day, {slug: _show(slug, entry) for slug, entry in data.items()}


def _show(slug: str, entry: dict[str, Any]) -> Show:
    facts: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    return Show(slug=slug, **facts)


def read_scripts() -> dict[str, Script]:
    """The scripts by id, in order of day and id."""
    scripts = [_read(path) for path in sorted((FOLDER / "episodes").glob("*.md"))]
    return {script.id: script for script in sorted(scripts, key=lambda script: (script.day, script.id))}


def published_at(script: Script, show: Show, first_day: date, day: int | None = None) -> datetime:
    """When an episode came out, UTC."""
    return datetime.combine(first_day + timedelta(days=(day or script.day) - 1), time(show.hour, 30), tzinfo=UTC)


def _read(path: Path) -> Script:
    _, front, body = re.split(r"^\+\+\+\s*$", path.read_text("utf-8"), maxsplit=2, flags=re.MULTILINE)
    facts = tomllib.loads(front)
    voices: dict[str, str] = facts.pop("voices")
    turns: list[tuple[str, str]] = []
    for paragraph in filter(None, (part.strip() for part in body.split("\n\n"))):
        label, _, text = paragraph.partition(": ")
        turns.append((voices[label], " ".join(text.split())))
    known = {key: facts.pop(key) for key in ("id", "show", "title", "day", "link_slug", "notes")}
    chapters = tuple((chapter["title"], chapter["starts"]) for chapter in facts.pop("chapters", ()))
    guests = tuple(facts.pop("guests", ()))
    return Script(**known, guests=guests, voices=voices, chapters=chapters, turns=tuple(turns), extra=facts)
