"""Timed captions: WebVTT, SRT and SBV, whole or damaged.

Belongs here: finding cues, repairing their lines into WebVTT that a library reads, roll-up captions. Does not belong here:
which format a file is, order and overlap of times, names in front of the text (`formats`, `turns`).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from typing import Protocol, cast

from top5.transcripts.clean import clean_text, split_voices

_CLOCK = r"(?:(\d{1,4}):)?(\d{1,3}):(\d{1,2})(?:[.,:](\d{1,3})\d*)?(?!\d)"
_ARROW = re.compile(r"\s*(?:-{1,3}>|–>|—>|→|--&gt;)\s*")
_TIME = re.compile(_CLOCK)
_SBV = re.compile(rf"\s*{_CLOCK}\s*,\s*{_CLOCK}\s*$")
_BLOCKS = ("NOTE", "STYLE", "REGION")
_LANGUAGE = re.compile(r"^Language:\s*([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)\s*$", re.I)
_STAMP = r"(?:\d{2}:)?[0-5]\d:[0-5]\d\.\d{3}"
# A WebVTT file that needs no repair: a header, then cues that each have words, with blank lines between. Possessive, so that a file
# which is not like that is given up in one pass.
_WHOLE = re.compile(
    r"WEBVTT(?![^\s])[^\n]*+\n(?:(?![^\n]*-->)[^\n]++\n)*+\n++"
    r"(?:(?:(?!NOTE|STYLE|REGION|[^\n]*-->)\S++\n)?+"
    rf"{_STAMP} --> {_STAMP}(?:[ \t][^\n]*+)?+\n"
    r"(?:(?!\s*\d{1,4}:\d|[^\n]*-->)[^\S\n]*+\S[^\n]*+(?:\n|\Z))++(?:\n++|\Z))++"
)


@dataclass(frozen=True)
class Cue:
    """One cue as read: times in seconds (None where unreadable), raw text lines."""

    start: float
    end: float | None
    lines: tuple[str, ...]


@dataclass
class Captions:
    """What a caption file holds. `warnings` says what was repaired."""

    cues: list[Cue] = field(default_factory=list[Cue])
    language: str | None = None
    warnings: list[str] = field(default_factory=list[str])


class _Instant(Protocol):
    def in_milliseconds(self) -> int: ...


class _Caption(Protocol):
    """What is used of `webvtt.Caption`, which carries no types."""

    start_time: _Instant
    end_time: _Instant
    raw_text: str


@dataclass(frozen=True)
class _Timing:
    start: float | None
    end: float | None
    settings: str
    repaired: bool
    comma: bool = False


def seconds(clock: str) -> float | None:
    """Seconds of `1:02:03.5`, `02:03`, `00:00:07,000`; None for anything else."""
    match = _TIME.fullmatch(clock.strip())
    return _seconds(match.groups()) if match else None


def _seconds(groups: Sequence[str | None]) -> float | None:
    hours, minutes, secs, fraction = groups
    if int(secs or 0) > 59 or (hours is not None and int(minutes or 0) > 59):
        return None
    # Millisecond arithmetic in integers: the same text gives the same float.
    return (
        int(hours or 0) * 3_600_000 + int(minutes or 0) * 60_000 + int(secs or 0) * 1000 + int((fraction or "0").ljust(3, "0"))
    ) / 1000


# Each line is asked for as the next one, too.
@lru_cache(maxsize=8)
def _timing(line: str) -> _Timing | None:
    """The timing line of a cue, or None where `line` is something else."""
    if not line[:12].lstrip()[:1].isdigit():
        return None
    sbv = _SBV.match(line)
    if sbv:
        return _Timing(_seconds(sbv.groups()[:4]), _seconds(sbv.groups()[4:]), "", False)
    parts = _ARROW.split(line, maxsplit=1)
    if len(parts) != 2 or not parts[0].strip()[:1].isdigit():
        return None
    start = _TIME.fullmatch(parts[0].strip())
    end = _TIME.match(parts[1])
    if start is None and end is None:
        return None
    arrow = line[len(parts[0]) : len(line) - len(parts[1])].strip()
    begin = _seconds(start.groups()) if start else None
    finish = _seconds(end.groups()) if end else None
    settings = parts[1][end.end() :].strip() if end else ""
    comma = "," in parts[0]
    return _Timing(begin, finish, settings, arrow != "-->" or begin is None or finish is None, comma)


def has_cues(text: str) -> bool:
    """Whether `text` is a caption file: its WebVTT header, or a cue's timing line."""
    return text.lstrip().startswith("WEBVTT") or any(_timing(line) for line in text.splitlines())


def read_captions(text: str) -> Captions:
    """All cues of a WebVTT, SRT or SBV text, in file order. Never raises for damage; an empty list means that nothing is there."""
    import webvtt
    from webvtt.errors import MalformedFileError

    captions = Captions()
    ends: list[bool] | None = None
    if _WHOLE.fullmatch(text):
        captions.language = _header_language(text.split("\n\n", 1)[0].split("\n"))
    else:
        text, ends = _repair(text, captions)
    try:
        read = webvtt.from_string(text)
    except MalformedFileError:  # cannot happen after the repair, and means no cues if it does
        return captions
    for number, caption in enumerate(cast("Sequence[_Caption]", read)):
        start = caption.start_time.in_milliseconds() / 1000
        end = caption.end_time.in_milliseconds() / 1000 if ends is None or ends[number] else None
        captions.cues.append(Cue(start, end, tuple(caption.raw_text.split("\n"))))
    captions.cues = _without_roll_up(captions.cues, captions.warnings)
    return captions


def _header_language(lines: Iterable[str]) -> str | None:
    found = [match[1] for line in lines if (match := _LANGUAGE.match(line))]
    return found[-1] if found else None


def _repair(text: str, captions: Captions) -> tuple[str, list[bool]]:
    """The text as clean WebVTT, and for each of its cues whether its end time was readable."""
    lines = text.split("\n")
    count = {"timing": 0, "mark": 0, "orphan": 0, "stray": 0, "empty": 0, "repeated": 0, "blank": 0}
    cues: list[tuple[_Timing, list[str]]] = []
    position = 0
    headed = lines[0].lstrip().startswith("WEBVTT")
    if headed:
        position = 1
        while position < len(lines) and lines[position].strip() and not _timing(lines[position]):
            position += 1
        captions.language = _header_language(lines[1:position])
    blank_before = True
    while position < len(lines):
        line = lines[position].strip()
        following = lines[position + 1] if position + 1 < len(lines) else ""
        timing = _timing(line)
        position += 1
        if not line:
            blank_before = True
            continue
        if blank_before and line.split(maxsplit=1)[0] in _BLOCKS and "-->" not in line and not _timing(following):
            while position < len(lines) and lines[position].strip() and not _timing(lines[position]):
                position += 1
            continue
        if timing and timing.start is not None:
            previous = cues[-1] if cues else None
            if previous and not previous[1] and (previous[0].start, previous[0].end) == (timing.start, timing.end):
                count["repeated"] += 1
            else:
                count["timing"] += timing.repaired
                count["mark"] += headed and timing.comma
                count["blank"] += not blank_before and bool(cues)
                cues.append((timing, []))
        elif timing:
            count["timing"] += 1
        elif _timing(following) and _is_identifier(line, cues, blank_before):
            blank_before = True
            continue
        elif line.isdigit() and blank_before and following.strip() and cues and cues[-1][1]:
            continue  # the number of a cue whose timing line is missing
        elif cues:
            count["orphan"] += blank_before and bool(cues[-1][1])
            cues[-1][1].append(line)
        elif line != "WEBVTT":
            count["stray"] += 1
        blank_before = False
    out = ["WEBVTT", ""]
    ends: list[bool] = []
    for timing, payload in cues:
        if not payload or timing.start is None:
            count["empty"] += 1
            continue
        end = timing.end if timing.end is not None else timing.start
        ends.append(timing.end is not None)
        out += [f"{_clock(timing.start)} --> {_clock(end)} {timing.settings.replace('-->', '')}".rstrip()]
        out += [_harmless(line) for line in payload] + [""]
    _describe(count, captions.warnings)
    return "\n".join(out), ends


def _is_identifier(line: str, cues: Sequence[tuple[_Timing, list[str]]], blank_before: bool) -> bool:
    """Whether the line in front of a timing line is the cue's identifier, not the words of the cue before."""
    if line.strip().isdigit():
        return not cues or bool(cues[-1][1])
    return blank_before and (not cues or bool(cues[-1][1])) and len(line.split()) <= 2


def _harmless(line: str) -> str:
    # A line of speech that would be read as structure.
    return line.replace("-->", "--&gt;")


def _clock(value: float) -> str:
    milliseconds = round(value * 1000)
    return f"{milliseconds // 3_600_000:02d}:{milliseconds // 60_000 % 60:02d}:{milliseconds // 1000 % 60:02d}.{milliseconds % 1000:03d}"


def _describe(count: dict[str, int], warnings: list[str]) -> None:
    sentences = {
        "timing": "timing lines repaired",
        "mark": "times with a decimal comma read as WebVTT",
        "blank": "missing blank lines between cues put in",
        "orphan": "lines without times joined to the cue before",
        "stray": "lines before the first cue left out",
        "empty": "cues without text left out",
        "repeated": "repeated timing lines left out",
    }
    warnings += [f"{count[key]} {sentence}" for key, sentence in sentences.items() if count[key]]


def _without_roll_up(cues: list[Cue], warnings: list[str]) -> list[Cue]:
    """Live captions show a line twice (as it is spoken and above the next one) or grow word by word: each word once."""
    shown = [tuple(line for line in (_visible(raw) for raw in cue.lines) if line) for cue in cues]
    repeats = [_overlap(before, after) for before, after in pairwise(shown)]
    rolling = sum(1 for repeat in repeats if repeat)
    if rolling >= 3 and rolling > 0.3 * len(repeats):
        kept: list[Cue] = []
        for cue, lines, repeat in zip(cues, shown, [0, *repeats], strict=True):
            fresh = [raw for raw in cue.lines if _visible(raw)][repeat:]
            if fresh:
                kept.append(replace(cue, lines=tuple(fresh)))
            elif kept and cue.end is not None and lines:
                kept[-1] = replace(kept[-1], end=max(kept[-1].end or 0.0, cue.end))
        warnings.append(f"{len(cues) - len(kept)} roll-up cues and repeated lines left out")
        return kept
    joined = [" ".join(lines) for lines in shown]
    grows = [bool(a) and (b == a or b.startswith(a + " ")) for a, b in pairwise(joined)]
    if sum(grows) >= 3 and sum(grows) > 0.3 * len(grows):
        kept = []
        begin: float | None = None
        for cue, continues in zip(cues, [*grows, False], strict=True):
            begin = cue.start if begin is None else begin
            if not continues:
                kept.append(replace(cue, start=begin))
                begin = None
        warnings.append(f"{len(cues) - len(kept)} growing cues joined into their last form")
        return kept
    kept = [cue for position, cue in enumerate(cues) if not position or cue != cues[position - 1]]
    if len(kept) < len(cues):
        warnings.append(f"{len(cues) - len(kept)} repeated cues left out")
    return kept


def _visible(raw: str) -> str:
    if "<" not in raw:
        return clean_text(raw)
    return " ".join(clean_text(text) for _, text in split_voices(raw)).strip()


def _overlap(before: tuple[str, ...], after: tuple[str, ...]) -> int:
    """How many lines at the end of one cue stand again at the head of the next."""
    if not before or before[-1] not in after:
        return 0
    for size in range(min(len(before), len(after)), 0, -1):
        if before[-size:] == after[:size]:
            return size
    return 0
