"""From segments to sentences: whole sentences with speaker, seconds and the segments they came from.

Belongs here: joining and splitting only. What may be said of a sentence (complete, a question, an advertisement) is decided by
those
who read them; words are never changed here beyond white space and invisible characters.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from top5.insights.words import tidy, word_set
from top5.transcripts.model import Segment

# Ordinary speech in English: about 150 words, 15 characters a second.
_CHARACTERS_A_SECOND = 15.0

_NEVER_END = word_set(
    "mr mrs ms dr prof st mt gen sen rep gov capt col lt sgt rev hon messrs vs e.g i.e cf approx dept fig eq vol pp ed eds op "
    "sec "
    "jan feb mar apr aug sept oct nov dec"
)
_NUMBER_FOLLOWS = word_set("no nos p art ch ver v")
_MAY_END = word_set("u.s u.k u.n e.u d.c a.m p.m etc inc ltd co corp jr sr bros al ph.d m.d b.a m.a b.sc u.s.a llc plc est")
_STARTERS = word_set(
    "the a an it its it's this that that's these those he she they we i i'm we're they're you there there's but and so "
    "because if "
    "when while although however then now what why how who where in on at for after before since as by with my our your their "
    "not "
    "no yes yeah okay well still also even some many most one every each all both once to"
)
_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)")
_WORD_BEFORE = re.compile(r"([\w.&'’-]+)$")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of one speaker.

    `start` and `end` are seconds, interpolated by characters where a sentence begins or ends inside a segment, None where the
    segment has no times. `first_segment` and `last_segment` are inclusive indexes. Sentences of one `turn` (consecutive segments
    of one speaker) may be joined to a passage. `complete` is False where the turn broke off without closing punctuation.
    """

    index: int
    text: str
    speaker: str | None
    start: float | None
    end: float | None
    first_segment: int
    last_segment: int
    turn: int
    complete: bool = True


@dataclass(frozen=True, slots=True)
class _Piece:
    segment: int
    offset: int
    length: int
    start: float | None
    end: float | None


def split_sentences(segments: Sequence[Segment]) -> tuple[Sentence, ...]:
    """All sentences of `segments`, in order. Consecutive segments of one speaker are joined first, as cues cut sentences."""
    spans = _times(segments)
    lax = _without_capitals(segments)
    sentences: list[Sentence] = []
    turn = -1
    index = 0
    while index < len(segments):
        last = index
        while last + 1 < len(segments) and segments[last + 1].speaker == segments[index].speaker:
            last += 1
        turn += 1
        text, pieces = _join(segments, spans, index, last)
        for start, end in _boundaries(text, lax=lax):
            first_piece, last_piece = _piece_at(pieces, start), _piece_at(pieces, end - 1)
            sentences.append(
                Sentence(
                    index=len(sentences),
                    text=text[start:end],
                    speaker=segments[index].speaker,
                    start=_second(first_piece, start),
                    end=_second(last_piece, end),
                    first_segment=first_piece.segment,
                    last_segment=last_piece.segment,
                    turn=turn,
                    complete=re.search(r"[.!?…][\"'”’)\]]*$", text[start:end]) is not None,
                )
            )
        index = last + 1
    return tuple(sentences)


def split_text(text: str) -> list[str]:
    """Sentences of a piece of text without times."""
    text = tidy(text)
    return [text[start:end] for start, end in _boundaries(text, lax=False)]


def _times(segments: Sequence[Segment]) -> list[tuple[float | None, float | None]]:
    """Start and end of each segment; an end that is missing is the next start, at most what the words can have taken."""
    times: list[tuple[float | None, float | None]] = []
    for index, segment in enumerate(segments):
        end = segment.end
        if segment.start is not None and (end is None or end < segment.start):
            spoken = segment.start + max(1.0, 1.5 * len(segment.text) / _CHARACTERS_A_SECOND)
            following = next((s.start for s in segments[index + 1 : index + 2] if s.start is not None), None)
            end = min(spoken, following) if following is not None and following > segment.start else spoken
        times.append((segment.start, end if segment.start is not None else None))
    return times


def _without_capitals(segments: Sequence[Segment]) -> bool:
    upper = lower = 0
    for segment in segments[:400]:
        for match in re.finditer(r"[.!?]\s+([^\W\d_])", segment.text):
            if match.group(1).islower():
                lower += 1
            else:
                upper += 1
    return lower > upper


def _join(
    segments: Sequence[Segment], times: Sequence[tuple[float | None, float | None]], first: int, last: int
) -> tuple[str, list[_Piece]]:
    parts: list[str] = []
    pieces: list[_Piece] = []
    offset = 0
    for index in range(first, last + 1):
        text = tidy(segments[index].text)
        if not text:
            continue
        pieces.append(_Piece(index, offset, len(text), *times[index]))
        parts.append(text)
        offset += len(text) + 1
    return " ".join(parts), pieces


def _piece_at(pieces: Sequence[_Piece], position: int) -> _Piece:
    found = pieces[0]
    low, high = 0, len(pieces) - 1
    while low <= high:
        middle = (low + high) // 2
        if pieces[middle].offset <= position:
            found = pieces[middle]
            low = middle + 1
        else:
            high = middle - 1
    return found


def _second(piece: _Piece, position: int) -> float | None:
    if piece.start is None or piece.end is None:
        return None
    share = min(1.0, max(0.0, (position - piece.offset) / piece.length))
    return round(piece.start + share * (piece.end - piece.start), 3)


def _boundaries(text: str, *, lax: bool) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _END.finditer(text):
        if not _ends_here(text, match.start(), match.end(), lax=lax):
            continue
        spans.append((start, match.end()))
        start = match.end() + 1
    if text[start:].strip():
        spans.append((start, len(text)))
    return [(a, b) for a, b in spans if text[a:b].strip()]


def _ends_here(text: str, mark: int, end: int, *, lax: bool) -> bool:
    following = text[end:].lstrip()
    if not following:
        return True
    first = following.lstrip("\"'“‘([—-–$€£¿¡ ")[:1]
    if not first:
        return True
    if first.islower() and not lax:
        return False
    if text[mark : mark + 2] != "." and text[mark] != ".":
        return True
    if text.startswith("..", mark):
        return True
    before = _WORD_BEFORE.search(text[:mark][-24:])
    word = before.group(1).lower().strip("'’-") if before else ""
    if word in _NEVER_END:
        return False
    if word in _NUMBER_FOLLOWS and first.isdigit():
        return False
    next_word = re.match(r"[^\W\d_]+(?:['’][^\W\d_]+)?", following.lstrip("\"'“‘(["))
    starts = next_word is not None and next_word.group().lower().replace("’", "'") in _STARTERS
    if word in _MAY_END or re.fullmatch(r"(?:[a-z]\.)+[a-z]", word):
        return starts
    if len(word) == 1 and word.isalpha() and word != "i" and before is not None and before.group(1).isupper():
        return starts
    return True
