"""Plain text: who speaks and when, from the way a line begins.

Belongs here: recognising `Name: text`, `[00:01:02] Name: text`, `Name 00:12` and their relatives, and telling a name from a word
that happens to stand before a colon. Does not belong here: times and order as such (`formats`).
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from top5.transcripts.clean import clean_speaker, clean_text, split_voices
from top5.transcripts.cues import seconds
from top5.transcripts.model import Segment
from top5.transcripts.words import split_sentences

_WORD = r"(?:[^\W_a-z][\w.'’\-]{0,30}|(?:de|van|von|der|den|da|di|la|le|bin|al|el|the|and|&)\b)"
# An upper-case beginning, at most five words; `Speaker 1`, `SPEAKER_00` and `Dr. J. O'Neil-Ruiz (host)` are names too.
_NAME = (
    r"(?P<name>(?:SPEAKER|Speaker|speaker)[ _]?[\dA-Z]{1,3}"
    rf"|[^\W\d_a-z][\w.'’\-]{{0,30}}(?: (?:{_WORD}|\d{{1,2}})){{0,4}}(?: \([^()\n]{{1,30}}\))?)"
)
_AT = r"[\[(]?(?P<time>(?:\d{1,3}:)?\d{1,2}:\d{2}(?:[.,]\d{1,3})?)[\])]?"
_TIMED_HEADS = (
    re.compile(rf"\[{_NAME}\]\s*{_AT}[:\s]*(?P<text>.*)$"),
    re.compile(rf"{_AT}\s*[-–—]?\s+{_NAME}:(?:\s+(?P<text>.*))?$"),
    re.compile(rf"{_NAME}:?,?\s+[-–—]?\s*{_AT}:?(?:\s+(?P<text>.*))?$"),
)
_NAME_HEAD = re.compile(rf"\[?{_NAME}\]?:(?:\s+(?P<text>.*))?$")
_TIME_HEAD = re.compile(rf"{_AT}:?(?:\s+[-–—]?\s*(?P<text>.*))?$")
_RANGE = re.compile(
    r"^([\[(]?(?:\d{1,3}:)?\d{1,2}:\d{2}(?:[.,]\d{1,3})?)\s*(?:-|–|—|-->)\s*(?:\d{1,3}:)?\d{1,2}:\d{2}(?:[.,]\d{1,3})?([\])]?)"
)
_NO_NAMES = frozenset(
    [
        "note",
        "notes",
        "warning",
        "caution",
        "question",
        "answer",
        "q",
        "a",
        "example",
        "examples",
        "step",
        "chapter",
        "part",
        "section",
        "source",
        "sources",
        "link",
        "links",
        "http",
        "https",
        "title",
        "date",
        "podcast",
        "episode",
        "host",
        "hosts",
        "guest",
        "guests",
        "transcript",
        "summary",
        "description",
        "topic",
        "topics",
        "tip",
        "update",
        "edit",
        "music",
        "break",
        "here",
        "remember",
        "look",
        "listen",
        "so",
        "but",
        "and",
        "because",
        "first",
        "second",
        "third",
        "finally",
        "now",
        "today",
        "yes",
        "no",
        "well",
        "okay",
        "ok",
        "actually",
        "meaning",
        "number",
        "time",
        "point",
        "reason",
        "problem",
        "solution",
        "result",
    ]
)
_BREAKS = frozenset({"break", "music", "sponsor", "ad", "outro", "intro"})
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.S)
_SHORTCODE = re.compile(r"\{\{[<%].{0,300}?[>%]\}\}")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\((?:[^()\s]|\([^()\s]*\))*\)")
# Bounded, because a hostile line may hold nothing but openers.
_EMPHASIS = re.compile(r"(\*\*|__)(?=\S)(.{1,300}?)(?<=\S)\1|(?<!\w)([*_])(?=\S)(.{1,300}?)(?<=\S)\3(?!\w)")
_LIST_ITEM = re.compile(r"^\s*(?:[-*+•]\s|\d{1,3}[.)]\s|#{1,6}\s|https?://|\|)")
_RULE = re.compile(r"^\s*(?:[-*_=]\s*){3,}$")
_SPEAKER_CHANGE = re.compile(r"^(?:>{2,}|&gt;&gt;|-\s|–\s|-(?=[^\W\d_]))\s*")


@dataclass(frozen=True)
class Turn:
    """A stretch of text with what its first line said about speaker and time (seconds)."""

    text: str
    speaker: str | None = None
    start: float | None = None
    changes: bool = False


@dataclass(frozen=True)
class _Line:
    """One line as it could be read. `raw` is what it is if the name turns out to be none."""

    raw: str
    name: str | None = None
    time: float | None = None
    text: str = ""
    certain: bool = False


def strip_markdown(text: str) -> str:
    """Front matter, shortcodes, links, emphasis, quotes and rules of Markdown removed; words stay."""
    text = _SHORTCODE.sub("", _FRONT_MATTER.sub("", text))
    lines = [_unmarked(line) for line in text.split("\n")]
    return "\n".join("" if _RULE.match(line) else re.sub(r"^\s*(?:>(?!>)\s?|#{1,6}\s)", "", line) for line in lines)


def _unmarked(line: str) -> str:
    line = _LINK.sub(r"\1", line) if "](" in line else line
    return _EMPHASIS.sub(_inner, line) if "*" in line or "_" in line else line


def _inner(match: re.Match[str]) -> str:
    return match[2] or match[4] or ""


def listed_share(text: str) -> float:
    """The share of non-blank lines that are list items, headings or bare links, as in show notes: 0 to 1."""
    lines = [line for line in _FRONT_MATTER.sub("", text).split("\n") if line.strip()]
    return sum(1 for line in lines if _LIST_ITEM.match(line)) / len(lines) if lines else 0.0


def read_turns(text: str) -> list[Turn]:
    """Turns of a plain text: one for each line that begins with a speaker or a time, one for each further paragraph.

    Without any such line the paragraphs are the turns; without blank lines, lines or groups of sentences.
    """
    lines = [_read(line.strip()) for line in strip_markdown(text).split("\n")]
    names = accepted_names([line for line in lines if line.raw])
    turns: list[Turn] = []
    open_head: _Line | None = None
    continues = False
    speaker: str | None = None
    for line in lines:
        if not line.raw:
            continues = False
            continue
        named = line.name is not None and line.name in names
        timed = line.time is not None
        if not named and not timed:
            if open_head is not None:
                turns.append(Turn(line.raw, speaker, open_head.time, True))
                open_head = None
            elif continues and turns:
                turns[-1] = replace(turns[-1], text=f"{turns[-1].text} {line.raw}")
            else:
                turns.append(Turn(line.raw, speaker))
            continues = True
            continue
        if named:
            speaker = line.name
        words = line.text if named or line.name is None else f"{line.name}: {line.text}"
        if words:
            turns += _voices(words, speaker, line.time, named)
            open_head = None
        else:
            open_head = line
        continues = bool(words)
    turns = [turn for turn in turns if (turn.speaker or "").lower() not in _BREAKS]
    if not names and all(turn.start is None for turn in turns):
        return _paragraphs(text)
    return turns


def _voices(text: str, speaker: str | None, start: float | None, named: bool) -> list[Turn]:
    turns: list[Turn] = []
    for voice, piece in split_voices(text):
        turns.append(Turn(piece, voice or speaker, start if not turns else None, named or voice is not None))
    return turns


def _read(line: str) -> _Line:
    if not line:
        return _Line(line)
    line = _RANGE.sub(r"\1\2", line)
    for head in _TIMED_HEADS:
        match = head.match(line)
        if match:
            time = seconds(match["time"])
            name = clean_speaker(match["name"])
            if time is not None and name and name.lower() not in _NO_NAMES:
                return _Line(line, name, time, match["text"] or "", certain=True)
    match = _TIME_HEAD.match(line)
    if match:
        time = seconds(match["time"])
        if time is not None:
            return _Line(line, None, time, match["text"] or "")
    match = _NAME_HEAD.match(line)
    if match:
        name = clean_speaker(match["name"])
        if name:
            return _Line(line, name, None, match["text"] or "")
    return _Line(line)


def accepted_names(lines: Sequence[_Line]) -> frozenset[str]:
    """Which of the words before a colon are speakers.

    They are if the file begins that way or does so on every third line; then those that come back, and those that look like
    a person's full name.
    """
    counts = Counter(line.name for line in lines if line.name and (line.certain or line.name.lower() not in _NO_NAMES))
    certain = {line.name for line in lines if line.certain and line.name}
    uncertain = sum(count for name, count in counts.items() if name not in certain)
    first = _first_name(lines, counts)
    if not certain and first is None and uncertain < 0.3 * len(lines):
        return frozenset()
    most = uncertain >= 0.5 * len(lines)
    names = {name for name, count in counts.items() if count > 1 or most or name in certain or name == first}
    if names:
        names |= {name for name in counts if " " in name and len(name.split()) <= 3}
    # One lone "Word:" proves nothing unless the text stands in a line of its own turn.
    if len(names) == 1 and sum(counts[name] for name in names) == 1 and not certain and len(lines) > 1:
        return frozenset()
    return frozenset(names)


def _first_name(lines: Sequence[_Line], counts: Counter[str]) -> str | None:
    """The name that the text begins with, after a short title at most."""
    for line in lines[:3]:
        if line.name in counts:
            return line.name
        if len(line.raw.split()) > 12:
            return None
    return None


def name_prefixes(texts: Iterable[str]) -> list[Turn]:
    """Captions whose text begins `Name: `: the speaker, carried to the captions that follow until the next name.

    Also takes the marks of a new, unnamed speaker (`>>`, `- `) away; after one the speaker is unknown.
    """
    marked: list[tuple[bool, _Line]] = []
    for text in texts:
        bare = _SPEAKER_CHANGE.sub("", text)
        match = _NAME_HEAD.match(bare) if ":" in bare else None
        name = clean_speaker(match["name"]) if match and match["text"] else None
        line = _Line(bare, name, None, (match["text"] or "") if match else "")
        marked.append((bare != text, line))
    names = accepted_names([line for _, line in marked])
    speaker: str | None = None
    turns: list[Turn] = []
    for changes, line in marked:
        if line.name is not None and line.name in names:
            speaker = line.name
            turns.append(Turn(line.text, speaker, None, True))
            continue
        speaker = None if changes else speaker
        turns.append(Turn(line.raw, speaker, None, changes))
    return turns


def _paragraphs(text: str) -> list[Turn]:
    text = strip_markdown(text)
    blocks = [" ".join(line.strip() for line in block.split("\n") if line.strip()) for block in re.split(r"\n\s*\n", text)]
    blocks = [block for block in blocks if block]
    if len(blocks) > 1:
        return [Turn(block) for block in blocks]
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if len(lines) > 1 and sum(1 for line in lines if line[-1] in ".!?…\"'”’") >= 0.6 * len(lines):
        return [Turn(line) for line in lines]
    return [Turn(part) for part in _groups(" ".join(blocks))]


def _groups(text: str, words: int = 80) -> list[str]:
    """Sentences joined into groups of about `words` words."""
    groups: list[str] = []
    size = words
    for sentence in split_sentences(text):
        if size >= words:
            groups.append(sentence)
            size = 0
        else:
            groups[-1] += f" {sentence}"
        size += len(sentence.split())
    return groups


def as_segments(turns: Iterable[Turn]) -> list[Segment]:
    """Turns as segments with clean text; empty ones left out."""
    segments: list[Segment] = []
    for turn in turns:
        text = clean_text(turn.text)
        if text:
            segments.append(Segment(start=turn.start, speaker=clean_speaker(turn.speaker), text=text))
    return segments
