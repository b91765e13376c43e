"""How far a transcript can be trusted, 0 to 1, with the parts of the score and the faults behind them.

Belongs here: measures on words, times and what the decoder said of its own work. Does not belong here: reading audio (`speech`), finding
loops (`loops`), what a rejected transcript means for an episode (`day`).
"""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

from pydantic import BaseModel, ConfigDict

from top5.transcripts.language import base_code, language_of
from top5.transcripts.loops import compression_ratio, find_loops
from top5.transcripts.model import Segment, Transcript

FLOOR = 0.5
"""Below it a transcript is kept, marked, and used for no insight."""

# Conversational English runs at 110 to 200 words a minute; outside 60 to 260 words are missing or repeated.
SLOWEST_WPM, FASTEST_WPM = 60.0, 260.0
FEWEST_WORDS = 80
HOLE_AROUND = 2.0
"""Seconds around a word that count as heard: word times are 0.2 s right, voice activity detection pads by 0.4 s."""

# No one speaks slower than 90 words a minute for long; what a segment's time exceeds that by is a hole.
_SLOW_WORDS_PER_SECOND = 1.5
_HOLE = 60.0
_HOLE_BY_VOICE = 10.0
_FEWEST_WORDS_FOR_HOLES = 400
_TAIL_SECONDS, _TAIL_SHARE, _SHORT_TAIL_SHARE = 180.0, 0.05, 0.2
_COMPRESSIBLE, _HOPELESS = 2.6, 4.5
# Whisper gives a window up below -1.0 (Radford et al. 2022, section 4.5); base.en on clear speech has -0.15 to -0.35.
_GOOD_LOG_PROBABILITY, _BAD_LOG_PROBABILITY = -0.6, -1.4
_INAUDIBLE = re.compile(
    r"[\[(<]\s*(?:inaudible|unintelligible|indistinct|indiscernible|unclear|crosstalk|cross talk|\?{2,}|\*{2,}|_{2,})[^\])>]{0,30}[\])>]",
    re.I,
)
_MUCH_INAUDIBLE = 0.02

FaultKind = Literal[
    "repeat_loop", "lost_speech", "repetitive", "odd_pace", "low_confidence", "other_language", "inaudible", "too_short"
]


class Fault(BaseModel):
    """One thing wrong, with where it begins (seconds, None where unknown) and a sentence's worth of detail."""

    model_config = ConfigDict(frozen=True)

    kind: FaultKind
    at: float | None = None
    detail: str = ""


class Trust(BaseModel):
    """The score is the least of its parts: a transcript is as good as its worst fault.

    Each part is 1.0 where nothing is wrong or nothing is known. `coverage`: speech with words over speech; `loops`: words outside
    repeat loops; `compression`: how little the text repeats itself; `pace`: words a minute inside the plausible range; `confidence`: the
    model's mean log-probability; `language`: it is the wanted one; `audible`: words not given up as inaudible; `length`: enough
    words to hold a claim.
    """

    model_config = ConfigDict(frozen=True)

    coverage: float = 1.0
    loops: float = 1.0
    compression: float = 1.0
    pace: float = 1.0
    confidence: float = 1.0
    language: float = 1.0
    audible: float = 1.0
    length: float = 1.0
    faults: tuple[Fault, ...] = ()

    @property
    def parts(self) -> dict[str, float]:
        """Score by part."""
        return {name: round(float(getattr(self, name)), 3) for name in Trust.model_fields if name != "faults"}

    @property
    def score(self) -> float:
        """0 to 1."""
        return min(self.parts.values())

    @property
    def worst(self) -> str:
        """The part that decides, as a slug."""
        parts = self.parts
        return _SLUGS[min(parts, key=lambda name: parts[name])]


_SLUGS = {
    "coverage": "low_coverage", "loops": "repeat_loops", "compression": "repetitive", "pace": "odd_pace", "confidence": "low_confidence",
    "language": "wrong_language", "audible": "inaudible", "length": "too_short",
}  # fmt: skip


def trust(transcript: Transcript, audio_seconds: float | None, *, language: str | None = None) -> Trust:
    """Measure a transcript against the length of the audio in seconds, where the feed or the file states it, and the wanted language.

    Speech to text is measured against its own voice activity detection, other words with times against the clock, words without
    times by their pace alone.
    """
    faults: list[Fault] = []
    texts = [segment.text for segment in transcript.segments]
    coverage = _coverage(transcript, audio_seconds, faults)
    loops, compression = _repetition(transcript.segments, texts, faults)
    pace = _pace(transcript, audio_seconds, faults)
    confidence = _confidence(transcript, faults)
    spoken = _language(transcript, texts, language, faults)
    inaudible = sum(len(_INAUDIBLE.findall(text)) for text in texts) / max(1, transcript.words)
    if inaudible > _MUCH_INAUDIBLE:
        faults.append(Fault(kind="inaudible", detail=f"{inaudible:.1%} of the words are given up as inaudible"))
    length = min(1.0, transcript.words / FEWEST_WORDS)
    if length < 1:
        faults.append(Fault(kind="too_short", detail=f"{transcript.words} words"))
    return Trust(
        coverage=coverage, loops=loops, compression=compression, pace=pace, confidence=confidence, language=spoken,
        audible=max(0.0, 1 - 10 * inaudible), length=length, faults=tuple(faults),
    )  # fmt: skip


# Coverage


def unheard(voice: Sequence[tuple[float, float]], heard: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The stretches of `voice` that no word of `heard` reaches, in seconds; both in order of time.

    Each word reaches `HOLE_AROUND` seconds to both sides, so that pauses for breath are no holes.
    """
    holes: list[tuple[float, float]] = []
    position = 0
    for begin, end in voice:
        at = begin
        while position < len(heard) and heard[position][1] + HOLE_AROUND <= begin:
            position += 1
        for start, stop in heard[position:]:
            if start - HOLE_AROUND >= end:
                break
            if start - HOLE_AROUND > at:
                holes.append((at, start - HOLE_AROUND))
            at = max(at, stop + HOLE_AROUND)
        if at < end:
            holes.append((at, end))
    return holes


def joined(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Stretches (begin, end) in order, those that touch or overlap as one."""
    found: list[tuple[float, float]] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return found


def _coverage(transcript: Transcript, audio_seconds: float | None, faults: list[Fault]) -> float:
    decoding = transcript.decoding
    if decoding is not None and decoding.voice:
        missing = decoding.unheard / decoding.voice
        if decoding.longest_hole >= _HOLE_BY_VOICE or missing > 0.1:
            faults.append(
                Fault(kind="lost_speech", detail=f"{decoding.unheard:.0f} of {decoding.voice:.0f} s of speech are without words")
            )
        return _covered(missing)
    timed = [segment for segment in transcript.segments if segment.start is not None]
    covered = transcript.duration
    # A few chapter marks between paragraphs do not say how far the words go.
    if not covered or len(timed) < 0.5 * len(transcript.segments):
        return 1.0
    missing = 0.0
    if transcript.words >= _FEWEST_WORDS_FOR_HOLES:
        for begin, seconds in _holes(timed):
            missing += seconds
            faults.append(
                Fault(kind="lost_speech", at=begin, detail=f"about {seconds:.0f} s without words from {_clock(begin)} on")
            )
    if audio_seconds:
        tail = audio_seconds - covered
        # Music, credits and the next advertisement are often left out.
        usual = min(max(_TAIL_SECONDS, _TAIL_SHARE * audio_seconds), _SHORT_TAIL_SHARE * audio_seconds)
        if tail > usual:
            missing += tail - usual
            faults.append(Fault(kind="lost_speech", at=covered, detail=f"words end {tail:.0f} s before the audio does"))
    return _covered(missing / max(covered, audio_seconds or 0.0))


def _covered(missing: float) -> float:
    """One fourteenth of the speech may be missing before it counts; a quarter makes a transcript unusable."""
    return max(0.0, min(1.0, 1 - 2.8 * (missing - 0.07)))


def _holes(timed: Sequence[Segment]) -> list[tuple[float, float]]:
    """(begin, seconds) of stretches whose words would take far less than their time."""
    found: list[tuple[float, float]] = []
    first = timed[0].start or 0.0
    if first > 2 * _HOLE:
        found.append((0.0, first))
    for segment, after in pairwise(timed):
        if segment.start is None or after.start is None:
            continue
        needed = len(segment.text.split()) / _SLOW_WORDS_PER_SECOND
        hole = after.start - segment.start - needed
        if hole >= _HOLE:
            found.append((segment.start + needed, hole))
    return found


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02d}:{int(seconds) % 60:02d}"


# Repetition


def _repetition(segments: Sequence[Segment], texts: Sequence[str], faults: list[Fault]) -> tuple[float, float]:
    loops = find_loops(texts)
    words = sum(len(text.split()) for text in texts)
    for loop in loops:
        faults.append(
            Fault(
                kind="repeat_loop",
                at=_time_of(segments, loop.first),
                detail=f"{loop.phrase[:80]!r} stands {loop.times} times in a row",
            )
        )
    looped = sum(loop.last - loop.first for loop in loops) / max(1, words)
    ratio = compression_ratio(texts)
    if ratio > _COMPRESSIBLE and not loops:
        faults.append(Fault(kind="repetitive", detail=f"a stretch of 120 words compresses {ratio:.1f} times"))
    compression = max(0.0, min(1.0, 1 - (ratio - _COMPRESSIBLE) / (_HOPELESS - _COMPRESSIBLE)))
    # One stuck minute in an hour does not spoil the rest: it is cut, and insights cannot quote it.
    share = max(0.0, 1 - 5 * looped)
    return share, max(compression, share) if loops else compression


def _time_of(segments: Sequence[Segment], position: int) -> float | None:
    for segment in segments:
        size = len(segment.text.split())
        if position < size:
            return segment.start
        position -= size
    return None


# Pace, confidence, language


def _pace(transcript: Transcript, audio_seconds: float | None, faults: list[Fault]) -> float:
    decoding = transcript.decoding
    timed = sum(segment.start is not None for segment in transcript.segments) >= 0.5 * len(transcript.segments)
    spoken = (decoding.voice if decoding else 0.0) or (transcript.duration if timed else 0.0) or audio_seconds or 0.0
    if not spoken:
        return 1.0
    wpm = transcript.words / (spoken / 60)
    pace = max(0.0, min(1.0, wpm / SLOWEST_WPM, 2 - wpm / FASTEST_WPM))
    if pace < 1:
        faults.append(Fault(kind="odd_pace", detail=f"{wpm:.0f} words a minute"))
    return pace


def _confidence(transcript: Transcript, faults: list[Fault]) -> float:
    said = transcript.decoding.log_probability if transcript.decoding else None
    if said is None:
        return 1.0
    if said < _GOOD_LOG_PROBABILITY:
        faults.append(Fault(kind="low_confidence", detail=f"mean log-probability {said:.2f}"))
    return max(0.0, min(1.0, (said - _BAD_LOG_PROBABILITY) / (_GOOD_LOG_PROBABILITY - _BAD_LOG_PROBABILITY)))


def _language(transcript: Transcript, texts: Sequence[str], wanted: str | None, faults: list[Fault]) -> float:
    code = base_code(wanted)
    if code is None:
        return 1.0
    found = language_of(" ".join(texts))
    # A text that nothing recognises is believed to be what its publisher or the model says.
    found = found or (base_code(transcript.language) if transcript.words >= FEWEST_WORDS else None)
    if found is None or found == code:
        return 1.0
    faults.append(Fault(kind="other_language", detail=f"the words are {found!r}, wanted is {code!r}"))
    return 0.0
