"""Right spellings of names: what the publisher wrote decides over what a transcript heard.

Belongs here: learning the names of one episode and repairing text that will be printed. Quotes are never repaired: they stay as
spoken. The reader's own list is read in `glossary`; whether a name may stand in an insight at all is `ground`.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import jellyfish
from rapidfuzz.distance import DamerauLevenshtein

from top5.insights.glossary import Glossary, GlossaryEntry
from top5.insights.model import EpisodeText, NameChange
from top5.insights.words import CALENDAR, STOPWORDS, commonness, is_common, tidy, word_set

METHOD_VERSION = "2"
"""Part of every cache key: another method may spell another way."""

_NAME = re.compile(r"[^\W\d_][\w&’']*(?:[-.]\w+)*")
_TAG = re.compile(r"<[^>]*>")
_BLOCK_TAG = re.compile(r"</?(?:p|li|ul|ol|br|div|h\d|tr|td|strong|b|em|a|span)\b[^>]*>", re.I)
_INNER_CAPITAL = re.compile(r"(?<=[^\W_])[A-Z]")
_NO_PERSON = re.compile(r"^(?:speaker|host|guest|narrator|announcer|unknown|voice|spk|unidentified)[ _-]*\w{0,3}$", re.I)
_INFLECTIONS = word_set("s es ed ing er ers ic n an ian ish y al ese i ism ist ists d esque ean ans ized ised")
_TITLES = word_set("mr mrs ms dr prof sir dame lord lady mx saint")
# How far around a mishearing a glossary looks for its context words: three or four sentences.
_NEAR = 300
# A name that sounds like another one, and the words beside which it is meant itself, whatever the publisher wrote.
_MEANT_BESIDE = {"Grok": ("xAI", "Musk", "Twitter", "tweet", "tweets", "chatbot")}


@dataclass(frozen=True, slots=True)
class _Known:
    """One word of a name as it is rightly written, and the whole name it belongs to."""

    word: str
    whole: str
    source: str
    person: bool


@dataclass(frozen=True, slots=True)
class _Rule:
    """One repair; with an `entry` it holds only where the glossary's context words say so."""

    change: NameChange
    pattern: re.Pattern[str]
    entry: GlossaryEntry | None = None


class NameResolver:
    """The names of one episode, and how the transcript misheard them.

    Sources, in order: people of the feed, glossary, chapters, show notes, titles, speaker labels. Method: words that the transcript
    writes as names and no source wrote are compared with the sources' names by Metaphone (Philips 1990, through `jellyfish`), by the
    order of their consonants with those that sound alike made equal, and by Damerau-Levenshtein distance; a neighbour that fits
    ("Ines Calloway", "Ines Kallaway") lowers the bar. What a source wrote, an everyday word used as such, a form of a known name
    ("Norwegian") and a word that could be two names are left alone. The glossary decides over everything where its context fits.
    """

    def __init__(self, episode: EpisodeText, glossary: Glossary | None = None) -> None:
        self._glossary = glossary or Glossary()
        self._notes = _plain(episode.description)
        self._text = "\n".join(tidy(segment.text) for segment in episode.segments)
        speakers = sorted({s.speaker for s in episode.segments if s.speaker and not _NO_PERSON.match(s.speaker)})
        published = [episode.title, episode.show, self._notes, *episode.chapters, *episode.people]
        self._published = "\n".join([*published, *(entry.written for entry in self._glossary.entries)])
        self._written = {word.lower() for word in _bare_words(self._published)}
        self._known = list(self._learn(episode, speakers))

    @cached_property
    def known_names(self) -> frozenset[str]:
        """Every name as rightly written, whole: people, companies and things of metadata, show notes and glossary."""
        return frozenset(known.whole for known in self._known) | frozenset(known.word for known in self._known)

    @cached_property
    def changes(self) -> tuple[NameChange, ...]:
        """All repairs that this episode may need, longest heard first; those of a glossary with context words hold only beside them."""
        return tuple(rule.change for rule in self._rules)

    def repair(self, text: str) -> tuple[str, tuple[NameChange, ...]]:
        """`text` with right spellings, and the changes that were made in it. Possessives keep their ending."""
        taken: list[tuple[int, int, NameChange]] = []
        for rule in self._rules:
            for match in rule.pattern.finditer(text):
                free = all(match.end() <= start or end <= match.start() for start, end, _ in taken)
                if free and match.group() != rule.change.written and self._holds(rule, match.group(), text):
                    taken.append((match.start(), match.end(), rule.change.model_copy(update={"heard": match.group()})))
        used: dict[str, NameChange] = {}
        for start, end, change in sorted(taken, reverse=True, key=lambda one: one[0]):
            text = text[:start] + change.written + text[end:]
            used[change.heard] = change
        return text, tuple(reversed(used.values()))

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

    def _learn(self, episode: EpisodeText, speakers: list[str]) -> Iterator[_Known]:
        seen: set[str] = set()
        for source, wholes in (
            ("the people of the feed", [*episode.people]),
            ("the glossary", [entry.written for entry in self._glossary.entries]),
            ("the chapters", [name for title in episode.chapters for name in _names_of(title)]),
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
    def _rules(self) -> tuple[_Rule, ...]:
        by_glossary = [
            _Rule(NameChange(heard=heard, written=entry.written, reason=_glossary_reason(entry)), _glossary_pattern(heard), entry)
            for entry in self._glossary.entries
            for heard in entry.heard
        ]
        governed = {rule.change.heard.lower() for rule in by_glossary}
        found: dict[str, NameChange] = {}
        for change in (*self._two_words(), *self._single_words()):
            if change.heard.lower() not in governed:
                found.setdefault(change.heard, change)
        learned = [_Rule(change, _whole_words(change.heard)) for change in found.values()]
        # Longest first, and the reader's own list before what was learned: no repair touches the result of another.
        return tuple(sorted([*by_glossary, *learned], key=lambda rule: (-len(rule.change.heard), rule.entry is None)))

    def _holds(self, rule: _Rule, heard: str, text: str) -> bool:
        """Whether the words around `heard` allow a repair: those of `text` itself, else those around every time it was heard."""
        entry = rule.entry
        if entry is None:
            beside = _MEANT_BESIDE.get(heard)
            return beside is None or not any(_stands(beside, around) for around in (text, *self._around(heard)))
        if _stands(entry.unless, text):
            return False
        if not entry.when or _stands(entry.when, text):
            return True
        around = self._around(heard)
        return bool(around) and all(_stands(entry.when, each) and not _stands(entry.unless, each) for each in around)

    def _around(self, heard: str) -> list[str]:
        found = _whole_words(heard).finditer(self._text)
        return [self._text[max(0, match.start() - _NEAR) : match.end() + _NEAR] for match in found]

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

    def _single_words(self) -> Iterator[NameChange]:
        for heard in sorted(self._heard):
            if len(heard) < 3 or heard.lower() in STOPWORDS or "." in heard:
                continue
            casing = self._casing(heard)
            if casing is not None:
                yield casing
                continue
            if not heard[0].isupper() or heard.lower() in self._written:
                continue
            fitting = [(score, known) for known in self._known if (score := self._likeness(heard, known)) > 0]
            fitting.sort(key=lambda pair: -pair[0])
            if not fitting or (len(fitting) > 1 and fitting[1][0] == fitting[0][0] and fitting[1][1].word != fitting[0][1].word):
                continue
            known = fitting[0][1]
            yield NameChange(heard=heard, written=known.word, reason=f"sounds like {known.word!r} in {known.source}")

    @cached_property
    def _by_folding(self) -> dict[str, list[_Known]]:
        found: dict[str, list[_Known]] = {}
        for known in self._known:
            found.setdefault(_folded(known.word), []).append(known)
        return found

    def _casing(self, heard: str) -> NameChange | None:
        """ "Github", "numpy" and "Karlovy" where a source writes "GitHub", "NumPy" and "Karlový"."""
        for known in self._by_folding.get(_folded(heard), ()):
            if heard == known.word:
                continue
            accented = _folded(known.word) != known.word.lower() and heard[0].isupper()
            # "Pay-to-Contract" is a heading's case; who hears "PyPI" or "macOS" has looked it up.
            inner_capital = _INNER_CAPITAL.search(known.word) is not None and any(letter.islower() for letter in known.word)
            written_large = heard == heard.capitalize()
            written_small = heard == heard.lower() and commonness(heard) is None and re.search(r"[a-z][A-Z]", known.word)
            if accented or (inner_capital and (written_large or written_small)):
                return NameChange(heard=heard, written=known.word, reason=f"written {known.word!r} in {known.source}")
        return None

    def _likeness(self, heard: str, known: _Known) -> float:
        """How surely `heard` is `known` misheard, 0 for not at all."""
        one, other = _folded(heard), _folded(known.word)
        if one == other or _only_inflected(one, other) or abs(len(one) - len(other)) > 3:
            return 0.0
        if _is_code(heard) or _is_code(known.word):
            # BIP39 and BIP340, P2PKH and P2WPKH are two things, however alike.
            return 0.0
        distance = DamerauLevenshtein.distance(one, other)
        longest = max(len(one), len(other))
        same_sound = _sound(one) == _sound(other) and len(other) >= 4
        same_consonants = _consonants(one) == _consonants(other)
        neighbour = self._neighbour_fits(heard, known)
        everyday = is_common(one, 30_000)
        if everyday:
            # An English word that only sounds like a name is that word, unless it is written as a name and its neighbour fits too.
            as_name = self._inside[heard] > 0 or known.person
            sure = same_sound and as_name and one not in self._lower_case and neighbour
            return 0.5 + 1 / (1 + distance) if sure else 0.0
        if self._inside[heard] == 0 and not neighbour and not same_sound:
            return 0.0
        if self._heard[known.word] and not neighbour and (len(other) <= 5 or not same_sound):
            # Both spellings are heard: then two names are as likely as one misheard, unless they sound the same.
            return 0.0
        close = (
            (same_sound and distance <= max(1, longest // 3))
            or (same_consonants and distance == 1 and longest >= 6)
            or (same_consonants and distance <= 3 and longest >= 9)
            or (neighbour and (same_sound or same_consonants or distance <= max(1, longest // 3)) and longest >= 4)
        )
        if not close or (not neighbour and self._is_another(heard, known)):
            return 0.0
        return (1 / (1 + distance)) + (0.3 if same_sound else 0.0) + (0.3 if neighbour else 0.0)

    def _is_another(self, heard: str, known: _Known) -> bool:
        """Whether `heard`, without a neighbour that fits, is better taken for a name of its own.

        That is so where a short name differs by a vowel, where only a hyphen is missing, and where it stands with another name at its
        side: "Sergi Delgado" is not "Sergei Tikhomirov".
        """
        one, other = _folded(heard), _folded(known.word)
        whole = known.whole.split()
        if one == other.replace("-", ""):
            return True
        if _vowels(one) != _vowels(other) and len(other) <= (6 if len(whole) > 1 else 4):
            return True
        if len(whole) < 2 or known.word not in whole:
            return False
        follows = whole.index(known.word) == 0
        beside = re.findall(
            rf"\b{re.escape(heard)} ([A-Z][a-z]\w+)" if follows else rf"\b([A-Z][a-z]\w+) {re.escape(heard)}\b", self._text
        )
        neighbour = _sound(whole[1 if follows else -2].lower())
        return any(_sound(word.lower()) != neighbour for word in beside if not is_common(word))

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

    def _two_words(self) -> Iterator[NameChange]:
        """ "Fold Right" for "Foldwright": two capitalised words, joined, are compared with one name."""
        pairs = Counter(
            (
                match.group(1),
                _without_possessive(match.group(2)),
                match.start() > 0 and self._text[match.start() - 2] not in ".!?\n",
            )
            for match in re.finditer(r"\b([A-Z][a-z]+) (?=([A-Z][\w’']+))", self._text)
        )
        for one, two, inside in sorted(pairs):
            if f"{one} {two}".lower() in self._published.lower():
                continue
            joined = (one + two).lower()
            for known in self._known:
                other = _folded(known.word)
                # At the head of a sentence two everyday words are just that.
                spaced_only = joined == other and is_common(one) and is_common(two) and not inside
                if spaced_only or len(other) < 6 or "-" in known.word or one.lower() == other or two.lower() == other:
                    continue
                distance = DamerauLevenshtein.distance(joined, other)
                same_sound = _sound(joined) == _sound(other)
                if distance == 0 or (distance <= 2 and same_sound) or (distance == 1 and len(other) >= 8):
                    yield NameChange(
                        heard=f"{one} {two}", written=known.word, reason=f"sounds like {known.word!r} in {known.source}"
                    )
                    break


def glossary_hash(glossary: Glossary) -> str:
    """Method and glossary in a few letters: what fingerprints of both engines name."""
    return f"{METHOD_VERSION}.{glossary.fingerprint}"


def _is_code(word: str) -> bool:
    """Letters that are spelled out, or digits: "H100", "BOLTs", but not "NVIDIA"."""
    spelled = re.search(r"[A-Z]{3}", word) is not None and len(re.findall(r"[AEIOUY]", word)) < 2
    return spelled or any(letter.isdigit() for letter in word)


def _glossary_reason(entry: GlossaryEntry) -> str:
    return "glossary" if not entry.when else f"glossary, beside {', '.join(entry.when[:3])}"


def _glossary_pattern(heard: str) -> re.Pattern[str]:
    # As in most search boxes: a capital in what is looked for makes case count ("Grok" is not the verb "grok").
    return _whole_words(heard, 0 if any(letter.isupper() for letter in heard) else re.I)


@lru_cache(maxsize=4096)
def _whole_words(heard: str, flags: int = 0) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w@.-]){re.escape(heard)}(?![\w@-])(?!\.\w)", flags)


def _stands(words: Iterable[str], text: str) -> bool:
    return any(_whole_words(word.lower()).search(text.lower()) for word in words)


@lru_cache(maxsize=65536)
def _folded(word: str) -> str:
    """Lower case, without accents: what an ear cannot tell apart."""
    return "".join(letter for letter in unicodedata.normalize("NFKD", word.lower()) if not unicodedata.combining(letter))


@lru_cache(maxsize=65536)
def _sound(word: str) -> str:
    return jellyfish.metaphone(word)


def _vowels(word: str) -> list[str]:
    return re.findall(r"[aeiouy]", word)


_ALIKE = str.maketrans({"B": "P", "V": "F", "W": "F", "D": "T", "0": "T", "G": "K", "Z": "S", "J": "X"})


@lru_cache(maxsize=65536)
def _consonants(word: str) -> str:
    """Metaphone without vowels and breath, voiced and voiceless consonants made one: "Brandwold" and "Brandvold" agree."""
    return re.sub(r"[AEIOUHY]", "", _sound(word)).translate(_ALIKE)


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
    return re.sub(r"(?:['’]s?|&)$", "", word)


def _only_inflected(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    if long.startswith(f"{short}-"):
        return True
    if long.startswith(short):
        return long[len(short) :] in _INFLECTIONS
    return (
        len(short) >= 5 and short[:-1] == long[: len(short) - 1] and long[len(short) - 1 :] in ("ic", "ian", "an", "ies", "ying")
    )
