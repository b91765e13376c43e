"""Right spellings of names: what the publisher wrote decides over what a transcript heard.

Belongs here: learning the names of one episode and repairing text that will be printed. Quotes are never repaired: they stay as
spoken. Whether a name may stand in an insight at all is `ground`.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import jellyfish
from rapidfuzz.distance import DamerauLevenshtein

from top5.insights.model import EpisodeText, NameChange
from top5.insights.words import CALENDAR, STOPWORDS, commonness, is_common, tidy, word_set

_NAME = re.compile(r"[^\W\d_][\w&’']*(?:[-.]\w+)*")
_TAG = re.compile(r"<[^>]*>")
_BLOCK_TAG = re.compile(r"</?(?:p|li|ul|ol|br|div|h\d|tr|td|strong|b|em|a|span)\b[^>]*>", re.I)
_NO_PERSON = re.compile(r"^(?:speaker|host|guest|narrator|announcer|unknown|voice|spk|unidentified)[ _-]*\w{0,3}$", re.I)
_INFLECTIONS = (
    "s",
    "es",
    "ed",
    "ing",
    "er",
    "ers",
    "ic",
    "n",
    "an",
    "ian",
    "ish",
    "y",
    "al",
    "ese",
    "i",
    "ism",
    "ist",
    "ists",
    "d",
)
_TITLES = word_set("mr mrs ms dr prof sir dame lord lady mx saint")


@dataclass(frozen=True, slots=True)
class _Known:
    """One word of a name as it is rightly written, and the whole name it belongs to."""

    word: str
    whole: str
    source: str
    person: bool


class NameResolver:
    """The names of one episode, and how the transcript misheard them.

    Method: words that the transcript writes as names and the publisher never wrote are compared with the publisher's names by
    Metaphone (Philips 1990, through `jellyfish`) and Damerau-Levenshtein distance; a name before or behind it that fits ("Ines
    Calloway", "Ines Kallaway") lowers the bar. What the publisher wrote, an everyday word used as such, and a word that could be
    two
    names are left alone. `glossary` maps what is heard to what is written, and decides over everything.
    """

    def __init__(self, episode: EpisodeText, glossary: Mapping[str, str] | None = None) -> None:
        self._glossary = {tidy(heard): tidy(written) for heard, written in (glossary or {}).items() if tidy(heard)}
        self._notes = _plain(episode.description)
        self._text = "\n".join(tidy(segment.text) for segment in episode.segments)
        speakers = sorted({s.speaker for s in episode.segments if s.speaker and not _NO_PERSON.match(s.speaker)})
        self._published = "\n".join([episode.title, episode.show, self._notes, *episode.people, *self._glossary.values()])
        self._written = {word.lower() for word in _bare_words(self._published)}
        self._known = list(self._learn(episode, speakers))

    @cached_property
    def known_names(self) -> frozenset[str]:
        """Every name as rightly written, whole: people, companies and things of metadata, show notes and glossary."""
        return frozenset(known.whole for known in self._known) | frozenset(known.word for known in self._known)

    @cached_property
    def changes(self) -> tuple[NameChange, ...]:
        """All repairs this episode needs, longest heard first, so that no repair touches the result of another."""
        found = {change.heard: change for change in (*self._two_words(), *self._single_words())}
        found |= {heard: NameChange(heard=heard, written=written, reason="glossary") for heard, written in self._glossary.items()}
        return tuple(sorted(found.values(), key=lambda change: (-len(change.heard), change.heard)))

    def repair(self, text: str) -> tuple[str, tuple[NameChange, ...]]:
        """`text` with right spellings, and the changes that were made in it. Possessives keep their ending."""
        if not self.changes:
            return text, ()
        by_heard = {change.heard: change for change in self.changes}
        used: dict[str, NameChange] = {}

        def write(match: re.Match[str]) -> str:
            change = by_heard[match.group()]
            used[change.heard] = change
            return change.written

        pattern = re.compile(r"(?<![\w-])(?:" + "|".join(re.escape(heard) for heard in by_heard) + r")(?![\w-])")
        return pattern.sub(write, text), tuple(used.values())

    def entities(self, text: str) -> tuple[str, ...]:
        """Names that stand in `text` (already repaired), whole names before their parts, in order of appearance."""
        names: list[tuple[int, str]] = []
        for whole in sorted({known.whole for known in self._known}, key=len, reverse=True):
            match = re.search(rf"(?<!\w){re.escape(whole)}(?!\w)", text)
            if match is not None and not any(whole in other for _, other in names):
                names.append((match.start(), whole))
        for match in _capitalised_runs(text):
            run = _opened(match.group())
            if run.lower() in STOPWORDS or (" " not in run and run != match.group() and is_common(run)):
                continue
            if not any(run in other or other in run for _, other in names):
                names.append((match.start(), run))
        return tuple(name for _, name in sorted(names))

    def _learn(self, episode: EpisodeText, speakers: list[str]) -> Iterable[_Known]:
        seen: set[str] = set()
        for source, wholes in (
            ("the people of the feed", [*episode.people]),
            ("the glossary", list(self._glossary.values())),
            ("the show notes", list(_names_of(self._notes))),
            ("the title", [*_names_of(episode.title), *_names_of(episode.show)]),
            ("the speaker labels", speakers),
        ):
            for whole in wholes:
                whole = tidy(whole)
                person = source in ("the people of the feed", "the speaker labels")
                for word in _bare_words(whole):
                    if len(word) < 3 or word in seen or word.lower() in _TITLES or not any(letter.isupper() for letter in word):
                        continue
                    seen.add(word)
                    yield _Known(word, whole, source, person)

    @cached_property
    def _heard(self) -> Counter[str]:
        return Counter(_bare_words(self._text))

    @cached_property
    def _inside(self) -> Counter[str]:
        """Capitalised words that stand inside a sentence, where a capital means a name."""
        found: Counter[str] = Counter()
        for match in re.finditer(r"(?<=[\w,;] )[^\W\d_][\w&’'-]*", self._text):
            word = _without_possessive(match.group())
            if word[0].isupper():
                found[word] += 1
        return found

    def _single_words(self) -> Iterable[NameChange]:
        for heard in sorted(self._heard):
            if not heard[0].isupper() or len(heard) < 3 or heard.lower() in STOPWORDS:
                continue
            casing = self._casing(heard)
            if casing is not None:
                yield casing
                continue
            if heard.lower() in self._written:
                continue
            fitting = [(score, known) for known in self._known if (score := self._likeness(heard, known)) > 0]
            fitting.sort(key=lambda pair: -pair[0])
            if not fitting or (len(fitting) > 1 and fitting[1][0] == fitting[0][0] and fitting[1][1].word != fitting[0][1].word):
                continue
            known = fitting[0][1]
            yield NameChange(heard=heard, written=known.word, reason=f"sounds like {known.word!r} in {known.source}")

    def _casing(self, heard: str) -> NameChange | None:
        for known in self._known:
            inner_capital = any(letter.isupper() for letter in known.word[1:]) and any(letter.islower() for letter in known.word)
            if inner_capital and heard != known.word and heard.lower() == known.word.lower():
                return NameChange(heard=heard, written=known.word, reason=f"written {known.word!r} in {known.source}")
        return None

    def _likeness(self, heard: str, known: _Known) -> float:
        """How surely `heard` is `known` misheard, 0 for not at all."""
        one, other = heard.lower(), known.word.lower()
        if one == other or _only_inflected(one, other) or abs(len(one) - len(other)) > 3:
            return 0.0
        if re.sub(r"\D", "", one) != re.sub(r"\D", "", other):
            # BIP39 and BIP340 are two things, however alike.
            return 0.0
        distance = DamerauLevenshtein.distance(one, other)
        longest = max(len(one), len(other))
        same_sound = jellyfish.metaphone(one) == jellyfish.metaphone(other) and len(other) >= 4
        neighbour = self._neighbour_fits(heard, known)
        everyday = commonness(one) is not None or is_common(one)
        if everyday:
            # An English word that only sounds like a name is that word, unless it is written as a name and its neighbour fits too.
            sure = same_sound and self._inside[heard] > 0 and one not in self._lower_case and neighbour
            return 0.5 + 1 / (1 + distance) if sure else 0.0
        if self._inside[heard] == 0 and not neighbour and not same_sound:
            return 0.0
        if self._heard[known.word] and len(other) <= 5 and not neighbour:
            # Both spellings are heard: then two short names are as likely as one misheard.
            return 0.0
        close = (
            (same_sound and distance <= max(1, longest // 3))
            or (distance == 1 and longest >= 6 and one[0] == other[0])
            or (distance == 2 and longest >= 9 and one[0] == other[0])
            or (neighbour and (same_sound or distance <= max(1, longest // 3)) and longest >= 4)
        )
        return (1 / (1 + distance)) + (0.3 if same_sound else 0.0) + (0.3 if neighbour else 0.0) if close else 0.0

    @cached_property
    def _lower_case(self) -> frozenset[str]:
        return frozenset(word for word in self._heard if word[0].islower())

    @cached_property
    def _pairs(self) -> frozenset[str]:
        heard = _bare_words(self._text)
        return frozenset(f"{one} {two}" for one, two in pairwise(heard))

    def _neighbour_fits(self, heard: str, known: _Known) -> bool:
        """Whether the other words of the known name stand beside `heard` in the transcript."""
        parts = known.whole.split()
        if len(parts) < 2 or known.word not in parts:
            return False
        place = parts.index(known.word)
        beside = [f"{parts[place - 1]} {heard}"] if place > 0 else []
        beside += [f"{heard} {parts[place + 1]}"] if place + 1 < len(parts) else []
        return any(pair in self._pairs for pair in beside)

    def _two_words(self) -> Iterable[NameChange]:
        """ "Fold Right" for "Foldwright": two capitalised words, joined, are compared with one name."""
        pairs = Counter(
            (match.group(1), _without_possessive(match.group(2)))
            for match in re.finditer(r"\b([A-Z][a-z]+) (?=([A-Z][\w’']+))", self._text)
        )
        for (one, two), _ in sorted(pairs.items()):
            if f"{one} {two}".lower() in self._published.lower():
                continue
            joined = (one + two).lower()
            for known in self._known:
                other = known.word.lower()
                spaced_only = joined == other and is_common(one) and is_common(two)
                if spaced_only or len(other) < 6 or " " in known.word or one.lower() == other or two.lower() == other:
                    continue
                distance = DamerauLevenshtein.distance(joined, other)
                same_sound = jellyfish.metaphone(joined) == jellyfish.metaphone(other)
                if distance == 0 or (distance <= 2 and same_sound) or (distance == 1 and len(other) >= 8):
                    yield NameChange(
                        heard=f"{one} {two}", written=known.word, reason=f"sounds like {known.word!r} in {known.source}"
                    )
                    break


def glossary_hash(glossary: Mapping[str, str]) -> str:
    """A short hash of a glossary, for fingerprints; `-` for an empty one."""
    return hashlib.sha256(repr(sorted(glossary.items())).encode()).hexdigest()[:8] if glossary else "-"


def _plain(html: str) -> str:
    """Show notes without markup; block ends become line ends, as a name never runs over them."""
    if "<" in html:
        from selectolax.lexbor import LexborHTMLParser

        spaced = _BLOCK_TAG.sub(lambda match: "\n" + match.group() if "</" not in match.group() else match.group() + "\n", html)
        inline = re.sub(r"\n(</?(?:strong|b|em|a|span)\b)", r"\1", spaced)
        inline = re.sub(r"(</(?:strong|b|em|a|span)>)\n", r"\1", inline)
        body = LexborHTMLParser(inline).body
        text = body.text(separator="") if body is not None else _TAG.sub(" ", html)
    else:
        text = html
    text = re.sub(r"https?://\S+|\S+@\S+|\bwww\.\S+", " ", text)
    return "\n".join(tidy(line) for line in text.splitlines() if line.strip())


def _capitalised_runs(text: str) -> list[re.Match[str]]:
    """Runs of capitalised words: names as they stand in prose. Sentence openings count only where the word is no everyday one."""
    word = r"[A-Z][\w&’'-]*\w|[A-Z]\.(?= [A-Z])"
    found: list[re.Match[str]] = []
    for match in re.finditer(rf"(?<![\w.])(?:{word})(?: (?:of the |of |de |van |von |der |la |le |al-)?(?:{word}))*", text):
        first = match.group().split()[0]
        opens = re.search(r"(?:^|[.!?:•\n][\"'”’)]*\s*|[\"“‘(]|[-–—*] ?)$", text[: match.start()]) is not None
        if " " not in match.group() and (
            first.lower() in STOPWORDS or first.lower() in CALENDAR or (opens and is_common(first, 30_000))
        ):
            continue
        found.append(match)
    return found


def _names_of(text: str) -> Iterable[str]:
    for line in text.splitlines():
        for match in _capitalised_runs(line):
            name = _without_possessive(_opened(match.group()))
            if " " in name or not is_common(name) or name not in (name.title(), name.capitalize()):
                yield name


def _opened(run: str) -> str:
    """ "Why Norlandia Grid": an everyday opening is no part of the name."""
    parts = [part.rstrip(".") if len(part) > 2 else part for part in run.split()]
    while len(parts) > 1 and parts[0].lower() in STOPWORDS:
        parts = parts[1:]
    return " ".join(parts)


def _bare_words(text: str) -> list[str]:
    return [_without_possessive(match.group()) for match in _NAME.finditer(text)]


def _without_possessive(word: str) -> str:
    return re.sub(r"['’]s?$", "", word)


def _only_inflected(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    if long.startswith(f"{short}-"):
        return True
    if long.startswith(short):
        return long[len(short) :] in _INFLECTIONS
    return (
        len(short) >= 5 and short[:-1] == long[: len(short) - 1] and long[len(short) - 1 :] in ("ic", "ian", "an", "ies", "ying")
    )
