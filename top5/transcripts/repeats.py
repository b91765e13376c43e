"""What a show says in the same words in several of its episodes: its slogan, its disclaimer, a read that runs for weeks.

Belongs here: recognising such segments by their words. Does not belong here: where a show's words are kept (`day`), what is told by a
pattern (`sponsors`).
"""

import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from top5.transcripts.model import Segment

_SHINGLE = 6
_FEWEST_WORDS = 8
_SHARE = 0.6
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def shingles(text: str) -> list[int]:
    """A 64-bit hash of each run of six words, case and punctuation aside (Broder 1997)."""
    words = _WORD.findall(text.lower().replace("’", "'"))
    return [
        int.from_bytes(blake2b(" ".join(words[begin : begin + _SHINGLE]).encode(), digest_size=8).digest(), "big")
        for begin in range(len(words) - _SHINGLE + 1)
    ]


def fingerprint(segments: Iterable[Segment]) -> frozenset[int]:
    """All shingles of an episode, also those that cross segments: one publisher's cues are cut differently each week."""
    return frozenset(shingles(" ".join(segment.text for segment in segments)))


def mark_repeats(segments: Sequence[Segment], others: Sequence[frozenset[int]]) -> list[Segment]:
    """Segments with `repeated` set where most of their words stand in another episode of the show; `others` are its fingerprints.

    An episode that shares a third of its words is the same episode published again, and says nothing about this one.
    """
    own = fingerprint(segments)
    known: set[int] = set()
    for other in others:
        shared = own & other
        if len(shared) <= len(own) / 3:
            known |= shared
    if not known:
        return list(segments)
    tokens = [
        (number, word)
        for number, segment in enumerate(segments)
        for word in _WORD.findall(segment.text.lower().replace("’", "'"))
    ]
    hit = [False] * len(tokens)
    for begin, value in enumerate(shingles(" ".join(word for _, word in tokens))):
        if value in known:
            hit[begin : begin + _SHINGLE] = [True] * _SHINGLE
    sizes, covered = [0] * len(segments), [0] * len(segments)
    for (number, _), found in zip(tokens, hit, strict=True):
        sizes[number] += 1
        covered[number] += found
    total = [_run(number, sizes) for number in range(len(segments))]
    return [
        segment.model_copy(update={"repeated": True})
        if size and covered_words >= _SHARE * size and around >= _FEWEST_WORDS
        else segment
        for segment, size, covered_words, around in zip(segments, sizes, covered, total, strict=True)
    ]


def _run(number: int, sizes: Sequence[int]) -> int:
    # A cue of five words is judged with its neighbours: short ones repeat by chance.
    return sum(sizes[max(0, number - 1) : number + 2]) if sizes[number] < _FEWEST_WORDS else sizes[number]
