"""Proof: where a quote stands in the transcript, and whether numbers, names and direction of a text stand in its quotes.

Belongs here: the last guard of both engines. A quote is never taken from a model: what is returned are the transcript's own
words.
Choosing, wording and repairing are done elsewhere.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from rapidfuzz import fuzz

from top5.insights.model import Insight, Quote
from top5.insights.numbers import numbers
from top5.insights.words import NEGATIONS, STOPWORDS, content_stems, is_common, stem

MINIMUM_SIMILARITY = 0.92
_SHORTEST_QUOTE = 12


class Spoken(Protocol):
    """What carries words with a place: a segment or a sentence. Times are seconds."""

    @property
    def text(self) -> str:
        """What was said, as transcribed."""
        ...

    @property
    def speaker(self) -> str | None:
        """Who said it, where known."""
        ...

    @property
    def start(self) -> float | None:
        """Seconds from the start of the audio."""
        ...

    @property
    def end(self) -> float | None:
        """Seconds from the start of the audio."""
        ...


@dataclass(frozen=True, slots=True)
class Aligned:
    """A quote as found: the transcript's words, `first` and `last` index of what they lie in, `similarity` 0 to 1."""

    quote: Quote
    first: int
    last: int
    similarity: float


class Aligner:
    """Finds quotes in one transcript. Built once per episode, as normalising takes longer than finding."""

    def __init__(self, spoken: Sequence[Spoken]) -> None:
        self._spoken = spoken
        self._joined: list[str] = []
        self._owner: list[tuple[int, int]] = []
        letters: list[str] = []
        for index, part in enumerate(spoken):
            for offset, letter in _normalised(part.text):
                letters.append(letter)
                self._owner.append((index, offset))
            if letters and letters[-1] != " ":
                letters.append(" ")
                self._owner.append((index, len(part.text)))
        self._text = "".join(letters)

    def align(self, quote: str) -> Aligned | None:
        """Where `quote` was said, or None: similarity below 0.92, another number, a flipped negation, or two speakers."""
        wanted = normalise(quote)
        if len(wanted) < _SHORTEST_QUOTE:
            return None
        position = _whole_words(self._text, wanted)
        if position >= 0:
            return self._locate(position, position + len(wanted), 1.0)
        found = fuzz.partial_ratio_alignment(wanted, self._text, score_cutoff=100 * MINIMUM_SIMILARITY - 8)
        if found is None or len(wanted) > len(self._text):
            return None
        start, end = self._to_words(found.dest_start, found.dest_end)
        start, end = self._trim(wanted, start, end)
        heard = self._text[start:end].strip()
        similarity = fuzz.ratio(wanted, heard) / 100
        if similarity < MINIMUM_SIMILARITY or _figures(wanted) != _figures(heard) or _negated(wanted) != _negated(heard):
            return None
        return self._locate(start, start + len(self._text[start:end].rstrip()), similarity)

    def _to_words(self, start: int, end: int) -> tuple[int, int]:
        while start > 0 and self._text[start - 1] != " ":
            start -= 1
        while end < len(self._text) and self._text[end - 1] != " " and self._text[end] != " ":
            end += 1
        return start, end

    def _trim(self, wanted: str, start: int, end: int) -> tuple[int, int]:
        """A window of the needle's length can begin or end with half a neighbour: drop words as long as that fits better."""
        best = fuzz.ratio(wanted, self._text[start:end].strip())
        for _ in range(4):
            options: list[tuple[float, int, int]] = []
            after_first = self._text.find(" ", start, end)
            before_last = self._text.rfind(" ", start, end - 1)
            if after_first > 0:
                options.append((fuzz.ratio(wanted, self._text[after_first + 1 : end].strip()), after_first + 1, end))
            if before_last > 0:
                options.append((fuzz.ratio(wanted, self._text[start:before_last].strip()), start, before_last))
            if not options or max(options)[0] <= best:
                break
            best, start, end = max(options)
        return start, end

    def _locate(self, start: int, end: int, similarity: float) -> Aligned | None:
        while start < end and self._text[start] == " ":
            start += 1
        first, offset = self._owner[start]
        last, last_offset = self._owner[end - 1]
        parts = self._spoken[first : last + 1]
        if not parts or len({part.speaker for part in parts}) > 1:
            return None
        if first == last:
            text = _grown(parts[0].text, offset, last_offset + 1)
        else:
            middle = [part.text for part in parts[1:-1]]
            text = " ".join(
                [_grown(parts[0].text, offset, len(parts[0].text)), *middle, _grown(parts[-1].text, 0, last_offset + 1)]
            )
        quote = Quote(
            text=text.strip(),
            start=_second(parts[0], offset),
            end=_second(parts[-1], last_offset + 1),
            speaker=parts[0].speaker,
        )
        return Aligned(quote, first, last, similarity)


def align(quote: str, spoken: Sequence[Spoken]) -> Quote | None:
    """`Aligner.align` for a single quote: the transcript's own words with start and end seconds, or None."""
    found = Aligner(spoken).align(quote)
    return found.quote if found else None


def normalise(text: str) -> str:
    """Lower-case letters and digits with single spaces: all that counts when words are compared."""
    return "".join(letter for _, letter in _normalised(text)).strip()


def check_numbers(body: str, quotes: Iterable[str]) -> list[str]:
    """Numbers of `body` that stand in none of the quotes, each as "number: ..."."""
    heard = [number for quote in quotes for number in numbers(quote)]
    return [
        f"number_not_in_quote: {number.text!r}" for number in numbers(body) if not any(number.equals(other) for other in heard)
    ]


def check_names(body: str, quotes: Iterable[str], known_names: Collection[str]) -> list[str]:
    """Capitalised names of `body` that neither the quotes nor the known names hold, each as "name_not_in_quote: ..."."""
    allowed = {_bare(word) for text in (*quotes, *known_names) for word in _NAME_WORD.findall(text)}
    problems: list[str] = []
    for match in _NAME_WORD.finditer(body):
        word = match.group()
        opens = re.search(r"(?:^|[.!?…:][\"'”’)]*\s+|[\"“‘(])$", body[: match.start()]) is not None
        if (
            not word[0].isupper()
            or (opens and (is_common(word, 30_000) or (word.isupper() and len(word) == 1)))
            or word in ("I", "I'm", "I've", "I'd", "I'll")
        ):
            continue
        if _bare(word) not in allowed:
            problems.append(f"name_not_in_quote: {word!r}")
    return problems


# One row per axis: what goes up stands left, what goes down right. Stems as `words.stem` gives them.
_AXES: tuple[tuple[str, str], ...] = (
    (
        "rise rose risen rising increase grow grew grown growth gain climb soar jump surge more higher expand double triple "
        "up improve",
        "fall fell fallen falling decrease decline drop dropped shrink shrank shrunk lose loss less fewer lower reduce halve "
        "cut down worsen plunge",
    ),
    ("cheaper cheap", "dearer expensive costlier pricier"),
    ("faster sooner quicker earlier shorter accelerate shorten", "slower later longer delay slow lengthen"),
    ("above over exceed beyond", "below under beneath within"),
    ("better best outperform beat win won", "worse worst underperform lost lose"),
    ("always every all", "never none"),
    ("before", "after"),
    ("buy bought", "sell sold"),
    ("accept allow permit enable include add support", "refuse forbid ban prevent block exclude remove reject"),
    ("success succeed", "failure fail"),
    ("safe safer secure", "unsafe dangerous insecure risky riskier"),
    ("strong stronger", "weak weaker"),
    ("import", "export"),
    ("majority most", "minority few"),
)
_SIGNS: dict[str, tuple[int, int]] = {
    stem(word): (axis, sign)
    for axis, sides in enumerate(_AXES)
    for sign, side in zip((1, -1), sides, strict=True)
    for word in side.split()
}


def check_direction(body: str, quotes: Iterable[str]) -> list[str]:
    """Claims of `body` that point the other way in the quotes, each as "direction_flipped: ...".

    Two shallow comparisons: a word of one of the axes (rise or fall, more or less) against the axis word of the quotes whose
    neighbours are most alike, each turned round by a negation; and content words that are negated on one side only.
    """
    said = _clauses(body)
    heard = [clause for quote in quotes for clause in _clauses(quote)]
    return _flipped_axes(said, heard) + _flipped_negations(said, heard)


def check_all(headline: str, body: str, quotes: Sequence[Quote], known_names: Collection[str]) -> list[str]:
    """Every check of this module on one insight: "slug: detail" each; empty means proven."""
    texts = [quote.text for quote in quotes]
    if not texts:
        return ["no_quote: nothing to prove it with"]
    problems = check_numbers(body, texts) + check_names(body, texts, known_names) + check_direction(body, texts)
    headline_problems = (
        check_numbers(headline, texts) + check_names(headline, texts, known_names) + check_direction(headline, texts)
    )
    return problems + [f"{problem} (headline)" for problem in headline_problems]


def prove(insight: Insight, aligner: Aligner, known_names: Collection[str]) -> list[str]:
    """The final guard on a finished insight: its quotes are found again, verbatim, and `check_all` finds nothing."""
    problems: list[str] = []
    for quote in insight.quotes:
        found = aligner.align(quote.text)
        if found is None or found.quote.text != quote.text:
            problems.append(f"quote_not_found: {quote.text[:60]!r}")
    return problems + check_all(insight.headline, insight.body, insight.quotes, known_names)


_NAME_WORD = re.compile(r"[^\W\d_](?:[\w&.'’-]*\w)?")


def _normalised(text: str) -> Iterable[tuple[int, str]]:
    space = True
    for offset, original in enumerate(text):
        if original in "'’‘" and not space:
            # "don't" and "dont" are the same word to every transcriber.
            continue
        for letter in unicodedata.normalize("NFKD", original).casefold():
            if unicodedata.combining(letter):
                continue
            if letter.isalnum() or letter in "%$€£":
                yield offset, letter
                space = False
            elif letter in ".," and not space and text[offset + 1 : offset + 2].isdigit() and text[offset - 1 : offset].isdigit():
                if letter == ".":
                    yield offset, letter
            elif not space:
                yield offset, " "
                space = True


def _whole_words(text: str, wanted: str) -> int:
    position = text.find(wanted)
    while position >= 0:
        end = position + len(wanted)
        if (position == 0 or text[position - 1] == " ") and (end == len(text) or text[end] == " "):
            return position
        position = text.find(wanted, position + 1)
    return -1


def _grown(text: str, start: int, end: int) -> str:
    """The stretch with the quotation mark or bracket before it and the punctuation after it."""
    while start > 0 and text[start - 1] in "\"'“‘([$€£":
        start -= 1
    while end < len(text) and text[end] in ".!?…\"'”’)],;%":
        end += 1
    return text[start:end].rstrip(",;")


def _second(part: Spoken, offset: int) -> float | None:
    if part.start is None or part.end is None:
        return part.start
    return round(part.start + min(1.0, offset / max(1, len(part.text))) * (part.end - part.start), 3)


def _figures(text: str) -> list[str]:
    return re.findall(r"\d[\d.]*", text)


def _negated(text: str) -> int:
    plain = {word.replace("'", "") for word in NEGATIONS}
    return sum(word in plain for word in text.split())


def _bare(word: str) -> str:
    return stem(word.lower().replace("’", "'").strip("."))


@dataclass(frozen=True, slots=True)
class _Word:
    stem: str
    negated: bool
    content: bool


_CLAUSE_END = re.compile(r"[.!?;:,…]+\s+|\s+(?:but|because|while|whereas|although|though|so|and|which)\s+|\s+--?\s+|—")
_TOKEN = re.compile(r"[a-z]+(?:'[a-z]+)*|\d[\d.,]*\d|\d")


def _clauses(text: str) -> list[list[_Word]]:
    return [clause for part in _CLAUSE_END.split(text.lower().replace("’", "'")) if part and (clause := _words(part))]


def _words(clause: str) -> list[_Word]:
    tokens = _TOKEN.findall(clause)
    read: list[_Word] = []
    for position, token in enumerate(tokens):
        before = tokens[max(0, position - 5) : position]
        turned = sum(word in NEGATIONS for word in before) % 2 == 1
        # "needs no cobalt": the verb is negated by the "no" that follows it.
        after = tokens[position + 1 : position + 2]
        turned = turned or (after in (["no"], ["nothing"], ["neither"]) and token not in STOPWORDS)
        # "less expensive" is cheaper: the comparison turns the word behind it and says nothing by itself.
        if tokens[position - 1 : position] == ["less"] and stem(token) in _SIGNS:
            turned = not turned
        if token in ("more", "less") and position + 1 < len(tokens) and stem(tokens[position + 1]) in _SIGNS:
            continue
        read.append(_Word(stem(token), turned, token not in STOPWORDS and token not in NEGATIONS))
    return read


def _context(clause: list[_Word], position: int) -> set[str]:
    return {word.stem for word in clause[max(0, position - 7) : position + 8] if word.content and word.stem not in _SIGNS}


def _flipped_axes(said: list[list[_Word]], heard: list[list[_Word]]) -> list[str]:
    evidence: list[tuple[int, int, set[str]]] = []
    for clause in heard:
        for position, word in enumerate(clause):
            if word.stem in _SIGNS:
                axis, sign = _SIGNS[word.stem]
                evidence.append((axis, -sign if word.negated else sign, _context(clause, position)))
    problems: list[str] = []
    for clause in said:
        for position, word in enumerate(clause):
            if word.stem not in _SIGNS:
                continue
            axis, sign = _SIGNS[word.stem]
            sign = -sign if word.negated else sign
            context = _context(clause, position)
            rivals = [(len(context & other), other_sign) for other_axis, other_sign, other in evidence if other_axis == axis]
            if not rivals:
                continue
            best = max(overlap for overlap, _ in rivals)
            if all(other_sign != sign for overlap, other_sign in rivals if overlap == best):
                problems.append(f"direction_flipped: {word.stem!r}")
    return problems


def _flipped_negations(said: list[list[_Word]], heard: list[list[_Word]]) -> list[str]:
    states: dict[str, set[bool]] = {}
    for clause in heard:
        for word in clause:
            if word.content:
                states.setdefault(word.stem, set()).add(word.negated)
    problems: list[str] = []
    for clause in said:
        flipped = [
            w.stem for w in clause if w.content and w.stem in states and w.negated not in states[w.stem] and w.stem not in _SIGNS
        ]
        if flipped:
            problems.append(f"negation_flipped: {', '.join(flipped)}")
    return problems


def shared_content(body: str, quotes: Iterable[str]) -> float:
    """Share of the content words of `body` that its quotes hold, 0 to 1: low where a body says more than its quotes."""
    said = set(content_stems(body))
    heard = {word for quote in quotes for word in content_stems(quote)}
    return len(said & heard) / len(said) if said else 0.0
