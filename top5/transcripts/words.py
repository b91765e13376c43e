"""Words with times become sentences with times.

Belongs here: where a sentence ends, and joining timed words. Does not belong here: choosing windows of sentences for an insight.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from top5.transcripts.model import Segment

_CLOSERS = "\"'”’»)]}"
_ALWAYS_ABBREVIATED = frozenset(
    [
        "mr.",
        "mrs.",
        "ms.",
        "dr.",
        "prof.",
        "sr.",
        "jr.",
        "st.",
        "mt.",
        "gen.",
        "sen.",
        "rep.",
        "gov.",
        "capt.",
        "lt.",
        "col.",
        "sgt.",
        "rev.",
        "hon.",
        "vs.",
        "e.g.",
        "i.e.",
        "cf.",
        "ca.",
        "approx.",
        "dept.",
        "est.",
        "fig.",
        "figs.",
        "vol.",
        "ph.d.",
        "b.sc.",
        "m.sc.",
        "resp.",
    ]
)
# Abbreviated only where a number follows: "No. 5", but "Did you? No. Never."
_BEFORE_NUMBERS = frozenset(
    [
        "no.",
        "nos.",
        "p.",
        "pp.",
        "ch.",
        "sec.",
        "art.",
        "ver.",
        "v.",
        "jan.",
        "feb.",
        "mar.",
        "apr.",
        "jun.",
        "jul.",
        "aug.",
        "sep.",
        "sept.",
        "oct.",
        "nov.",
        "dec.",
    ]
)
# Closes a sentence only where the next word opens one: "Acme Inc. The", "at 6 p.m. We", "the U.S. Treasury".
_MAYBE_LAST = frozenset(["inc.", "corp.", "co.", "ltd.", "etc.", "a.m.", "p.m.", "al."])
_INITIALS = re.compile(r"(?:[^\W\d_]\.)+")
_OPENERS = frozenset(
    [
        "a",
        "an",
        "and",
        "as",
        "at",
        "because",
        "but",
        "for",
        "he",
        "how",
        "i",
        "i'm",
        "i've",
        "if",
        "in",
        "it",
        "it's",
        "its",
        "let's",
        "no",
        "now",
        "of",
        "on",
        "one",
        "or",
        "she",
        "so",
        "that",
        "that's",
        "the",
        "then",
        "there",
        "there's",
        "these",
        "they",
        "they're",
        "this",
        "those",
        "to",
        "well",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "why",
        "with",
        "yeah",
        "yes",
        "you",
        "you're",
        "we",
        "we're",
    ]
)


@dataclass(frozen=True)
class Word:
    """One spoken word, times in seconds. `glued` words follow the one before without a space (`.5` after `3`)."""

    text: str
    start: float | None
    end: float | None
    speaker: str | None = None
    glued: bool = False


def ends_sentence(word: str, following: str | None) -> bool:
    """Whether a sentence ends with `word`, given the word after it (None at the end of the text).

    Survives titles, initials, decimals and abbreviations in English; other languages get the punctuation alone.
    """
    bare = word.rstrip(_CLOSERS)
    if not bare or bare[-1] not in ".!?…。！？":
        return False
    if following is None or bare[-1] in "。！？":
        return True
    opening = following.lstrip("\"'“‘«([{¿¡")
    if opening[:1].islower():
        return False
    if bare[-1] != ".":
        return True
    lower = bare.lstrip("\"'“‘«([{").lower()
    opens = opening.rstrip(".,!?;:…").lower().replace("’", "'") in _OPENERS
    if lower in _ALWAYS_ABBREVIATED:
        return False
    # "P." is an initial, "p." a page.
    if lower in _BEFORE_NUMBERS and not (len(lower) == 2 and bare[-2].isupper()):
        return not opening[:1].isdigit()
    if lower in _MAYBE_LAST or (_INITIALS.fullmatch(lower) and lower != "i."):
        return opens
    return True


def split_sentences(text: str) -> list[str]:
    """The sentences of a text, whitespace normalised; joined with spaces they give the text again."""
    tokens = text.split()
    sentences: list[str] = []
    begin = 0
    for position, token in enumerate(tokens):
        following = tokens[position + 1] if position + 1 < len(tokens) else None
        if following is None or ends_sentence(token, following):
            sentences.append(" ".join(tokens[begin : position + 1]))
            begin = position + 1
    return sentences


def join_words(words: Sequence[Word], *, max_gap: float = 2.0, max_words: int = 80) -> list[Segment]:
    """Segments of one sentence each, from the first word's start to the last word's end.

    A change of speaker always ends a segment; so does a silence of more than `max_gap` seconds, and `max_words` words
    where nobody punctuates.
    """
    segments: list[Segment] = []
    group: list[Word] = []
    for position, word in enumerate(words):
        group.append(word)
        following = words[position + 1] if position + 1 < len(words) else None
        if following is not None and following.glued and following.speaker == word.speaker:
            continue
        if following is None or _breaks(group, following, max_gap, max_words):
            segments.append(_segment(group))
            group = []
    return segments


def _breaks(group: Sequence[Word], following: Word, max_gap: float, max_words: int) -> bool:
    last = group[-1]
    if following.speaker != last.speaker or len(group) >= max_words:
        return True
    if last.end is not None and following.start is not None and following.start - last.end > max_gap:
        return True
    first = len(group) - 1
    while first and group[first].glued:
        first -= 1
    return ends_sentence("".join(word.text for word in group[first:]), following.text)


def _segment(group: Sequence[Word]) -> Segment:
    text = "".join(word.text if word.glued or not position else f" {word.text}" for position, word in enumerate(group))
    starts = [word.start for word in group if word.start is not None]
    ends = [word.end for word in group if word.end is not None]
    return Segment(
        start=min(starts) if starts else None,
        end=max(ends) if ends else None,
        speaker=group[0].speaker,
        text=text,
    )
