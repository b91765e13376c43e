"""Proof: where a quote stands in the transcript, and whether numbers, names and direction of a text stand in its quotes.

Belongs here: the last guard of both engines. A quote is never taken from a model: what is returned are the transcript's own
words.
Choosing, wording and repairing are done elsewhere.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Protocol

from rapidfuzz import fuzz

from top5.insights.model import Insight, NameChange, Quote
from top5.insights.numbers import Number, numbers
from top5.insights.sentences import split_text
from top5.insights.words import ARTICLES, AUXILIARIES, NEGATIONS, STOPWORDS, content_stems, is_common, stem, word_set

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

    def align(self, quote: str, near: int | None = None) -> Aligned | None:
        """Where `quote` was said, or None: similarity below 0.92, another number, a flipped negation, or two speakers.

        Words that were said more than once are found where they stand closest to the part with index `near`.
        """
        wanted = normalise(quote)
        if len(wanted) < _SHORTEST_QUOTE:
            return None
        places = list(_whole_words(self._text, wanted))
        if places:
            position = places[0] if near is None else min(places, key=lambda place: abs(self._owner[place][0] - near))
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
    """Numbers of `body` that stand in none of the quotes, or there with another measure, each as "number_not_in_quote: ..."."""
    heard = [(number, _measure(quote, number)) for quote in quotes for number in numbers(quote)]
    problems: list[str] = []
    for number in numbers(body):
        measure = _measure(body, number)
        if not any(number.equals(other) and (not measure or not known or measure == known) for other, known in heard):
            problems.append(f"number_not_in_quote: {f'{number.text} {measure}'.strip()!r}")
    return problems


_MEASURES = word_set(
    "second minute hour day week month year decade century watt kilowatt megawatt gigawatt volt meter metre kilometer kilometre mile gram "
    "kilogram ton tonne litre liter degree byte kilobyte megabyte gigabyte terabyte"
)


_MEASURE_BEHIND = re.compile(r"[\s-]*([A-Za-z]+)")


def _measure(text: str, number: Number) -> str:
    """The measure behind a number ("weeks", "nine-week"), singular, or nothing."""
    word = _MEASURE_BEHIND.match(text[number.end :])
    lower = word.group(1).lower().removesuffix("s") if word else ""
    return lower if lower in _MEASURES else ""


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
    ("start begin began open", "stop end ended close finish"),
    ("forward ahead", "backward behind"),
    ("everything everybody everyone", "nothing nobody"),
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


def check_swaps(body: str, quotes: Sequence[str]) -> list[str]:
    """Names and numbers of `body` that stand where the quotes have another one, each as "name_swapped: ..." or "number_swapped: ...".

    A name or number is told by the content words to its left and to its right. Where these are those of another one of the same kind
    in the quotes, and that one's are its own or it has left the body, the two were exchanged ("Groq outsells Cerebras").
    """
    return _swapped(_name_anchors, body, quotes, "name_swapped") + _swapped(_number_anchors, body, quotes, "number_swapped")


_NEARLY_VERBATIM = 0.75
_SHORTEST_COPY = 8


def check_replacements(body: str, quotes: Iterable[str]) -> list[str]:
    """Words put in another's place in a sentence that is otherwise a quote's, each as "word_replaced: ...".

    One word turns a claim round ("erased", "preserved"), and no list knows every such pair: who copies a sentence copies its words, who
    paraphrases changes more than one.
    """
    heard = [_telling(sentence) for quote in quotes for sentence in split_text(quote)]
    problems: list[str] = []
    for sentence in split_text(body):
        said = _telling(sentence)
        alike = [(SequenceMatcher(None, other, said, autojunk=False), other) for other in heard]
        best, other = max(alike, key=lambda pair: pair[0].ratio(), default=(None, said))
        if best is None or len(said) < _SHORTEST_COPY or best.ratio() < _NEARLY_VERBATIM:
            continue
        for kind, first, last, start, end in best.get_opcodes():
            gone, new = other[first:last], said[start:end]
            small = len(gone) <= 2 and len(new) <= 2
            if set(gone) <= set(said) and set(new) <= set(other):
                continue  # moved, not replaced
            if kind != "equal" and small and (kind == "replace" or _TURNING.intersection([*gone, *new])):
                problems.append(f"word_replaced: {' '.join(gone)!r} became {' '.join(new)!r}")
    return problems


_SILENT = (
    ARTICLES
    | AUXILIARIES - NEGATIONS
    | word_set("that which who whom whose and so because as it its their they them he she his her")
)


# Words that change how much of a claim holds by being there or not.
_TURNING = frozenset(map(stem, NEGATIONS)) | word_set("non anti only all most almost nearly few half every less")


def _telling(sentence: str) -> list[str]:
    """Stems of all words but those that carry grammar alone; "only", "all" and "most" tell, and so does every "not"."""
    return [
        stem(word) for word in _TOKEN.findall(sentence.lower().replace("’", "'")) if word not in _SILENT and not word[0].isdigit()
    ]


_SUPPORT = 0.4
"""Share of a sentence's content words that its quotes must hold: paraphrases of a claim share about two thirds, invented sentences few."""


def check_support(body: str, quotes: Iterable[str]) -> list[str]:
    """Sentences of `body` that say something else than the quotes, each as "unsupported: ..."."""
    heard = {word for quote in quotes for word in content_stems(quote)}
    problems: list[str] = []
    for sentence in split_text(body):
        said = set(content_stems(sentence))
        if said and len(said & heard) < _SUPPORT * len(said):
            problems.append(f"unsupported: the quotes do not say {', '.join(sorted(said - heard)[:8])!r}")
    return problems


def check_all(
    headline: str, body: str, quotes: Sequence[Quote], known_names: Collection[str], changes: Sequence[NameChange] = ()
) -> list[str]:
    """Every check of this module on one insight: "slug: detail" each; empty means proven.

    `known_names` may stand in the text although no quote holds them. `changes` are the spellings repaired in the text: the quotes are
    read with them, so that a name is compared with itself.
    """
    texts = [_respelled(quote.text, changes) for quote in quotes]
    if not texts:
        return ["no_quote: nothing to prove it with"]
    problems: list[str] = []
    for text, where in ((body, ""), (headline, " (headline)")):
        found = check_numbers(text, texts) + check_names(text, texts, known_names) + check_direction(text, texts)
        found += check_swaps(text, texts) + check_support(text, texts) + check_replacements(text, texts)
        problems += [problem + where for problem in found]
    return problems


def _respelled(text: str, changes: Sequence[NameChange]) -> str:
    for change in sorted(changes, key=lambda change: -len(change.heard)):
        text = re.sub(rf"(?<!\w){re.escape(change.heard)}(?!\w)", lambda _, written=change.written: written, text)
    return text


def prove(insight: Insight, aligner: Aligner, known_names: Collection[str]) -> list[str]:
    """The final guard on a finished insight: its quotes are found again, verbatim, and `check_all` finds nothing."""
    problems: list[str] = []
    for quote in insight.quotes:
        found = aligner.align(quote.text)
        if found is None or found.quote.text != quote.text:
            problems.append(f"quote_not_found: {quote.text[:60]!r}")
    return problems + check_all(insight.headline, insight.body, insight.quotes, known_names, insight.names)


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


def _whole_words(text: str, wanted: str) -> Iterator[int]:
    position = text.find(wanted)
    while position >= 0:
        end = position + len(wanted)
        if (position == 0 or text[position - 1] == " ") and (end == len(text) or text[end] == " "):
            yield position
        position = text.find(wanted, position + 1)


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
    doubtful: bool
    """Not negated itself, but in one clause with a "not" whose reach is unclear."""


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
        doubtful = not turned and not NEGATIONS.isdisjoint(tokens)
        read.append(_Word(stem(token), turned, token not in STOPWORDS and token not in NEGATIONS, doubtful))
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
            if best and all(other_sign != sign for overlap, other_sign in rivals if overlap == best):
                problems.append(f"direction_flipped: {word.stem!r}")
    return problems


def _flipped_negations(said: list[list[_Word]], heard: list[list[_Word]]) -> list[str]:
    states: dict[str, set[bool]] = {}
    for clause in heard:
        for word in clause:
            if word.content:
                states.setdefault(word.stem, set()).update({True, False} if word.doubtful else {word.negated})
    problems: list[str] = []
    for clause in said:
        flipped = [
            word.stem
            for word in clause
            if word.content
            and not word.doubtful
            and word.negated not in states.get(word.stem, {word.negated})
            and word.stem not in _SIGNS
        ]
        if flipped:
            problems.append(f"negation_flipped: {', '.join(flipped)}")
    return problems


@dataclass(frozen=True, slots=True)
class _Anchor:
    """A name or number in a sentence: `words` tell it, `around` are the content words to its left ("<") and right (">")."""

    words: frozenset[str]
    shown: str
    around: frozenset[str]


_REACH = 3
_MUTUAL = 1
_ALONE = 3


def _swapped(find: Callable[[str], list[_Anchor]], body: str, quotes: Sequence[str], slug: str) -> list[str]:
    heard = [anchor for quote in quotes for anchor in find(quote)]
    said = find(body)
    problems: list[str] = []
    for anchor in said:
        own = max((len(anchor.around & other.around) for other in heard if other.words & anchor.words), default=0)
        for other in heard:
            if other.words & anchor.words:
                continue
            likeness = len(anchor.around & other.around)
            elsewhere = [each for each in said if each.words & other.words]
            mine = [each.around for each in heard if each.words & anchor.words]
            exchanged = any(
                len(each.around & around) >= _MUTUAL and len(each.around & around) > len(each.around & other.around)
                for each in elsewhere
                for around in mine
            )
            if (exchanged and likeness > own) or (not elsewhere and likeness >= own + _ALONE):
                problems.append(f"{slug}: {anchor.shown!r} stands where a quote has {other.shown!r}")
                break
    return problems


def _anchors(text: str, spans: Sequence[tuple[int, int, frozenset[str]]]) -> list[_Anchor]:
    content = [
        (match.start(), match.end(), stem(match.group()))
        for match in _TOKEN.finditer(text.lower().replace("’", "'"))
        if match.group() not in STOPWORDS and not match.group()[0].isdigit()
    ]
    inside = [(a, b) for a, b, _ in spans]
    free = [(a, b, word) for a, b, word in content if not any(c <= a < d for c, d in inside)]
    found: list[_Anchor] = []
    for start, end, words in spans:
        left = [f"<{word}" for _, b, word in free if b <= start][-_REACH:]
        right = [f">{word}" for a, _, word in free if a >= end][:_REACH]
        found.append(_Anchor(words, text[start:end], frozenset(left + right)))
    return found


def _name_anchors(text: str) -> list[_Anchor]:
    """Names of each sentence; words that stand side by side are one name."""
    found: list[_Anchor] = []
    for sentence in split_text(text):
        spans: list[tuple[int, int, frozenset[str]]] = []
        for match in _NAME_WORD.finditer(sentence):
            word = match.group()
            opens = not sentence[: match.start()].strip("\"'“‘( ")
            if not word[0].isupper() or (opens and is_common(word, 30_000)) or word in ("I", "I'm", "I've", "I'd", "I'll"):
                continue
            if spans and sentence[spans[-1][1] : match.start()] == " ":
                start, _, words = spans.pop()
                spans.append((start, match.end(), words | {_bare(word)}))
            else:
                spans.append((match.start(), match.end(), frozenset({_bare(word)})))
        found += _anchors(sentence, spans)
    return found


def _number_anchors(text: str) -> list[_Anchor]:
    found: list[_Anchor] = []
    for sentence in split_text(text):
        spans: list[tuple[int, int, frozenset[str]]] = []
        for number in numbers(sentence):
            # The measure goes with its number: "14 months" and "nine weeks" are told by what stands around both.
            behind = _MEASURE_BEHIND.match(sentence[number.end :])
            end = number.end + (behind.end() if behind and _measure(sentence, number) else 0)
            spans.append((number.start, end, frozenset({str(number.value.normalize())})))
        found += _anchors(sentence, spans)
    return found
