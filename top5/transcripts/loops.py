"""Words that a decoder or a captioner repeated without anybody saying them twice.

Belongs here: finding runs of repeated phrases in running text, and cutting them to one. Does not belong here: what a loop means for trust
(`quality`), decoding again (`speech`), phrases that come back in other episodes (`repeats`).
"""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from top5.transcripts.model import Segment

# People stammer, count in and sing refrains: so many times a phrase of a length must stand in a row before no person said it.
_FEWEST = ((1, 10), (3, 6), (8, 5), (20, 4), (120, 3))
_LONGEST_PHRASE = 120
_WINDOW = 120
_STEP = 60
_BARE = re.compile(r"[^\w']+")


@dataclass(frozen=True)
class Loop:
    """A phrase said `times` times in a row. `first` to `last` are word positions in the running text, `last` exclusive."""

    first: int
    last: int
    phrase: str
    times: int


def find_loops(texts: Sequence[str]) -> list[Loop]:
    """Loops in the running text of `texts`, in order, none overlapping. Case and punctuation do not count.

    A run of positions whose word equals the one a period before is a repetition with that period; shorter periods win.
    """
    import numpy as np

    words = [word for text in texts for word in text.split()]
    numbers: dict[str, int] = {}
    spoken = [_BARE.sub("", word.lower()) for word in words]
    # A lone dash or note is no word, and differs from every other so that a row of them is no loop.
    ids = np.array([numbers.setdefault(word, len(numbers)) if word else -1 - position for position, word in enumerate(spoken)])
    taken = np.zeros(len(words), dtype=bool)
    found: list[Loop] = []
    for period in range(1, min(_LONGEST_PHRASE, len(words) // 3) + 1):
        fewest = next(times for longest, times in _FEWEST if period <= longest)
        same = np.concatenate(([False], ids[period:] == ids[:-period], [False]))
        edges = np.flatnonzero(same[1:] != same[:-1])
        begins, ends = edges[::2], edges[1::2]
        # "Ha ha ha" and a counted-out "one two one two" are said on purpose more often than sentences are.
        long = (ends + period - begins) // period >= fewest
        for begin, end in zip(begins[long], ends[long], strict=True):
            first, last = int(begin), int(end) + period
            times = (last - first) // period
            if not taken[first:last].any():
                taken[first:last] = True
                found.append(Loop(first, last, " ".join(words[first : first + period]), times))
    return sorted(found, key=lambda loop: loop.first)


def cut_loops(segments: Sequence[Segment], loops: Sequence[Loop]) -> list[Segment]:
    """Segments in which each loop's phrase stands once; segments left without words are dropped."""
    gone: set[int] = set()
    for loop in loops:
        period = len(loop.phrase.split())
        gone.update(range(loop.first + period, loop.last))
    kept: list[Segment] = []
    position = 0
    for segment in segments:
        words = segment.text.split()
        rest = [word for number, word in enumerate(words, start=position) if number not in gone]
        position += len(words)
        if len(rest) == len(words):
            kept.append(segment)
        elif rest:
            kept.append(segment.model_copy(update={"text": " ".join(rest)}))
    return kept


def compression_ratio(texts: Sequence[str]) -> float:
    """The highest ratio of zlib over windows of 120 words: speech stays under 2.2, loops exceed 2.6.

    Whisper itself gives a 30 s window up above 2.4 (Radford et al. 2022, section 4.5); a transcript's windows are as long.
    """
    words = " ".join(texts).split()
    highest = 0.0
    for begin in range(0, max(1, len(words) - _WINDOW // 2), _STEP):
        data = " ".join(words[begin : begin + _WINDOW]).lower().encode()
        if len(data) >= 200:
            highest = max(highest, len(data) / len(zlib.compress(data)))
    return highest
