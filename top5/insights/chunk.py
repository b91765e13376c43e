"""Cutting a transcript into pieces that fit a model's window, along turns, with overlap.

Belongs here: sizes and cuts. What is asked about a piece is the engine's.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from top5.insights.sentences import Sentence


@dataclass(frozen=True, slots=True)
class Line:
    """Up to six sentences of one turn: the unit a model may cite. `id` is the index of its first sentence."""

    id: int
    last: int
    speaker: str | None
    text: str

    def as_json(self) -> str:
        """One line of JSON: the transcript is data, so nothing in it can end its own quotation."""
        return json.dumps({"id": self.id, "speaker": self.speaker, "text": self.text}, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive lines; neighbours share `overlap` tokens, so that a claim on a cut is whole in one of them."""

    index: int
    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        """The lines as JSON, one a line."""
        return "\n".join(line.as_json() for line in self.lines)


_SENTENCES_A_LINE = 6


def estimate_tokens(text: str) -> int:
    """A careful estimate without a tokenizer: the larger of characters / 4 and words x 4/3, for other scripts bytes / 3."""
    if not text:
        return 0
    foreign = len(text.encode()) - len(text)
    if foreign > len(text) / 4:
        return math.ceil(len(text.encode()) / 3)
    return math.ceil(max(len(text) / 4, len(text.split()) * 4 / 3))


def lines_of(sentences: Sequence[Sentence]) -> tuple[Line, ...]:
    """Sentences joined to lines that never cross a turn."""
    lines: list[Line] = []
    start = 0
    for index in range(1, len(sentences) + 1):
        full = index - start >= _SENTENCES_A_LINE
        if index == len(sentences) or sentences[index].turn != sentences[start].turn or full:
            part = sentences[start:index]
            lines.append(Line(part[0].index, part[-1].index, part[0].speaker, " ".join(sentence.text for sentence in part)))
            start = index
    return tuple(lines)


def split_chunks(sentences: Sequence[Sentence], tokens: int, overlap: int) -> tuple[Chunk, ...]:
    """Chunks of at most `tokens` (one line longer than that stands alone); up to `overlap` tokens are repeated in the next."""
    lines = lines_of(sentences)
    sizes = [estimate_tokens(line.as_json()) for line in lines]
    chunks: list[Chunk] = []
    start = 0
    while start < len(lines):
        end, size = start, 0
        while end < len(lines) and (end == start or size + sizes[end] <= tokens):
            size += sizes[end]
            end += 1
        chunks.append(Chunk(len(chunks), lines[start:end]))
        if end == len(lines):
            break
        back, shared = end, 0
        while back - 1 > start and shared + sizes[back - 1] <= overlap:
            back -= 1
            shared += sizes[back]
        start = back
    return tuple(chunks)
