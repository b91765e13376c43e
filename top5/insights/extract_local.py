"""The embedded engine: picks passages of whole consecutive sentences of one speaker, which are their own evidence.

Belongs here: making windows, putting them through the gates in order of cost, and choosing among the rest. The gates themselves, the
features and the spelling of names live in their own modules.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from top5.insights import salience as shape
from top5.insights.clean import Cleaned, clean_sentence
from top5.insights.embed import TextEmbedder, Vectors
from top5.insights.glossary import Glossary
from top5.insights.ground import Aligner, prove
from top5.insights.headline import headline
from top5.insights.model import EpisodeText, Extraction, Insight, Quote, Rejection, RejectionCount
from top5.insights.names import NameResolver, glossary_hash
from top5.insights.reference import dangling
from top5.insights.sentences import Sentence, split_sentences
from top5.insights.style import check_wording, in_relaxed_range, in_strict_range, slug
from top5.insights.words import FIRST_PERSON, is_common, lower_words, words
from top5.transcripts.model import Segment
from top5.transcripts.sponsors import mark

RULES_VERSION = "5"
_MOST_SENTENCES = 4
_SHORTLIST = 64
_MOST_OVERLAPPING = 3
_KEPT_REJECTIONS = 60
_NEAR_DUPLICATE = 0.82
# Share of salience against likeness to what is already chosen (Carbonell and Goldstein 1998, maximal marginal relevance).
_MMR = 0.75
_LOWEST_SALIENCE = 0.5
_SHORTEST_OPENING = 5
_SHORTEST_ENDING = 11
_READ_REACH = 3
_READ_LENGTH = 12
_STRICT_BONUS = 0.05


@dataclass(frozen=True, slots=True)
class _Window:
    first: int
    last: int
    body: str
    sentences: tuple[str, ...]
    strict: bool
    measured: shape.Measured
    salience: float
    headline: str = ""

    @property
    def rank(self) -> float:
        return self.salience + (_STRICT_BONUS if self.strict else 0.0)

    def overlaps(self, other: "_Window") -> bool:
        return self.first <= other.last and other.first <= self.last


class _Cleaner:
    """Each sentence cleaned at most twice, as the first of a passage and inside one: it stands in many windows."""

    def __init__(self, sentences: Sequence[Sentence], names: NameResolver) -> None:
        self._sentences = sentences
        self._names = names
        self._cleaned: dict[tuple[int, bool], tuple[Cleaned, str]] = {}

    def __call__(self, index: int, *, first: bool) -> tuple[Cleaned, str]:
        """The sentence without fillers, and the same with its names spelled right."""
        found = self._cleaned.get((index, first))
        if found is None:
            cleaned = clean_sentence(self._sentences[index].text, first=first)
            found = self._cleaned[index, first] = (cleaned, self._names.repair(cleaned.text)[0])
        return found


class _Rejected:
    """Counts every rejection, keeps the first texts of each reason."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._kept: defaultdict[str, list[Rejection]] = defaultdict(list)

    def add(self, problem: str, text: str) -> None:
        reason, _, detail = problem.partition(": ")
        self.counts[reason] += 1
        if len(self._kept[reason]) < 4:
            self._kept[reason].append(Rejection(reason=reason, detail=detail, text=text[:400]))

    def rows(self) -> tuple[Rejection, ...]:
        rows: list[Rejection] = []
        for reason, _ in self.counts.most_common():
            rows += self._kept[reason]
        return tuple(rows[:_KEPT_REJECTIONS])


class LocalEngine:
    """Extractive summarisation by windows, gates, salience and MMR; needs no network. Gives at most `per_episode` insights."""

    def __init__(self, embedder: TextEmbedder, per_episode: int, *, glossary: Glossary | None = None) -> None:
        self._embedder = embedder
        self._per_episode = per_episode
        self._glossary = glossary or Glossary()

    @property
    def fingerprint(self) -> str:
        """Engine, rules and embedder: with the hash of the input it is the cache key."""
        return f"local/{RULES_VERSION}/{shape.model().version}/{self._embedder.name}/{self._per_episode}/{glossary_hash(self._glossary)}"

    def extract(self, episode: EpisodeText) -> Extraction:
        """At most `per_episode` proven passages, best first. Never raises on text, however odd."""
        sentences = split_sentences(episode.segments)
        names = NameResolver(episode, self._glossary)
        rejected = _Rejected()
        windows = self._shortlist(self._windows(sentences, episode.segments, names, rejected), rejected)
        chosen = self._choose(windows, rejected)
        insights: list[Insight] = []
        for window in chosen:
            insight = self._insight(window, sentences, names)
            # Only where the words were taken from: a whole transcript takes a tenth of a second to normalise.
            problems = prove(insight, Aligner(sentences[window.first : window.last + 1]), names.known_names)
            if problems:
                rejected.add(problems[0], insight.body)
            else:
                insights.append(insight)
        return Extraction(
            engine="local",
            model=self._embedder.name,
            prompt_version=RULES_VERSION,
            insights=tuple(insights),
            rejections=rejected.rows(),
            rejection_counts=tuple(RejectionCount(reason=reason, count=count) for reason, count in rejected.counts.most_common()),
        )

    def _windows(
        self, sentences: Sequence[Sentence], segments: Sequence[Segment], names: NameResolver, rejected: _Rejected
    ) -> list[_Window]:
        """All windows that pass the gates. A sentence that may stand in no window is found once, not once per window."""
        marked = {index: found.kind for index, found in enumerate(mark(segments)) if found is not None}
        cleaner = _Cleaner(sentences, names)
        barred = _beside_promotion(sentences, [self._bar(sentence, marked, cleaner) for sentence in sentences])
        barred = _naming_sponsors(sentences, barred)
        found: list[_Window] = []
        for first in range(len(sentences)):
            if barred[first] is not None:
                rejected.add(barred[first] or "", sentences[first].text)
                continue
            opening = cleaner(first, first=True)[0].text
            problems = dangling([opening])
            if len(opening.split()) < _SHORTEST_OPENING:
                problems.append(f"fragment_start: {opening!r}")
            if problems:
                rejected.add(problems[0], opening)
                continue
            for last in range(first, min(first + _MOST_SENTENCES, len(sentences))):
                if barred[last] is not None or sentences[last].turn != sentences[first].turn:
                    break
                window = self._window(sentences, first, last, cleaner, names, rejected)
                if window is not None:
                    found.append(window)
        return found

    def _bar(self, sentence: Sentence, marked: Mapping[int, str], cleaner: _Cleaner) -> str | None:
        for index in range(sentence.first_segment, sentence.last_segment + 1):
            if index in marked:
                return f"{marked[index]}: marked in the transcript"
        if not sentence.complete:
            return "breaks_off: no closing punctuation"
        problems = check_wording([cleaner(sentence.index, first=True)[0].text])
        # A quotation that runs over several sentences is judged by the window that holds it whole.
        problems = [problem for problem in problems if not problem.endswith("left open")]
        return problems[0] if problems else None

    def _window(
        self,
        sentences: Sequence[Sentence],
        first: int,
        last: int,
        cleaner: _Cleaner,
        names: NameResolver,
        rejected: _Rejected,
    ) -> _Window | None:
        spoken = [sentence.text for sentence in sentences[first : last + 1]]
        cleaned = [cleaner(index, first=index == first) for index in range(first, last + 1)]
        parts = [text for part, text in cleaned if any(letter.isalpha() for letter in part.text)]
        if len(parts) > 1 and _weak_end(parts[-1]):
            return None
        body = " ".join(parts)
        if not in_relaxed_range(body, len(parts)):
            return None
        problems = check_wording(parts) + dangling(parts)
        if problems:
            rejected.add(problems[0], body)
            return None
        fillers = sum(len(part.removed) for part, _ in cleaned)
        measured = shape.measure(body, parts, len(names.entities(body)), fillers, sum(map(len, spoken)))
        # "We found" needs somebody who is "we": a speaker's own organisation must be named, or the passage tells nothing alone.
        if any(word in FIRST_PERSON for word in lower_words(parts[0])[:3]) and not names.entities(parts[0]):
            rejected.add("first_person_start: nobody named who speaks", body)
            return None
        return _Window(first, last, body, tuple(parts), in_strict_range(body, len(parts)), measured, shape.salience(measured))

    def _shortlist(self, windows: list[_Window], rejected: _Rejected) -> list[_Window]:
        """The best by shape alone, so that only these need embedding; of windows that overlap at most three."""
        kept: list[_Window] = []
        for window in sorted(windows, key=lambda window: (-window.rank, window.first, window.last)):
            if len(kept) == _SHORTLIST:
                break
            if sum(window.overlaps(other) for other in kept) >= _MOST_OVERLAPPING:
                continue
            title = headline(window.sentences)
            if title is None:
                rejected.add("no_headline: no stretch reads as a statement", window.body)
            else:
                kept.append(replace(window, headline=title))
        return kept

    def _choose(self, windows: list[_Window], rejected: _Rejected) -> list[_Window]:
        if not windows:
            return []
        vectors = self._embedder.embed([window.body for window in windows])
        windows = [
            replace(window, salience=shape.salience_with_meaning(window.measured, vector, self._embedder.name))
            for window, vector in zip(windows, vectors, strict=True)
        ]
        free: list[int] = []
        for position in sorted(range(len(windows)), key=lambda p: (-windows[p].rank, windows[p].first)):
            window = windows[position]
            if any(window.overlaps(windows[other]) for other in free):
                rejected.add("overlaps_better", window.body)
            elif window.salience < _LOWEST_SALIENCE:
                rejected.add(f"not_salient: {window.salience:.2f}", window.body)
            else:
                free.append(position)
        picked = self._diverse(windows, vectors, free, rejected)
        return sorted((windows[position] for position in picked), key=lambda window: (-window.salience, window.first))

    def _diverse(self, windows: list[_Window], vectors: Vectors, free: list[int], rejected: _Rejected) -> list[int]:
        likeness = vectors @ vectors.T
        picked: list[int] = []
        rest = list(free)
        while rest and len(picked) < self._per_episode:
            nearest = {p: max((float(likeness[p, q]) for q in picked), default=0.0) for p in rest}
            best = max(rest, key=lambda p: (_MMR * windows[p].rank - (1 - _MMR) * max(0.0, nearest[p]), -windows[p].first))
            rest.remove(best)
            if nearest[best] > _NEAR_DUPLICATE:
                rejected.add(f"near_duplicate: cosine {nearest[best]:.2f}", windows[best].body)
            else:
                picked.append(best)
        for position in rest:
            rejected.add("beyond_limit", windows[position].body)
        return picked

    def _insight(self, window: _Window, sentences: Sequence[Sentence], names: NameResolver) -> Insight:
        covered = sentences[window.first : window.last + 1]
        changes = {change.heard: change for sentence in covered for change in names.repair(sentence.text)[1]}
        return Insight(
            headline=window.headline,
            body=window.body,
            speaker=covered[0].speaker,
            claim_type=shape.claim_type(window.body),
            salience=window.salience,
            reasons=shape.reasons(window.measured),
            entities=names.entities(window.body),
            quotes=_quotes(covered),
            names=tuple(changes.values()),
        )


def _beside_promotion(sentences: Sequence[Sentence], barred: Sequence[str | None]) -> list[str | None]:
    """Sentences next to one that sells, in the same turn, sell with it: the claim of a read stands before its offer."""
    spread = list(barred)
    offers = [place for place, problem in enumerate(barred) if problem is not None and slug(problem) == "sponsor"]
    for one, next_one in pairwise(offers):
        if next_one - one <= _READ_LENGTH and sentences[one].turn == sentences[next_one].turn:
            for near in range(one + 1, next_one):
                spread[near] = spread[near] or "sponsor: between two offers"
    for place, problem in enumerate(barred):
        if problem is None or slug(problem) != "sponsor":
            continue
        for near in range(max(0, place - _READ_REACH), min(len(sentences), place + _READ_REACH + 1)):
            if spread[near] is None and sentences[near].turn == sentences[place].turn:
                spread[near] = "sponsor: beside an offer"
    return spread


_READ_OPENING = re.compile(
    r"\b(?:(?:brought|sponsored|supported|presented|made possible)(?: to you)?(?: in part)? by|tell (?:you|everybody|everyone)"
    r"(?: all| real| very| quickly| quick| a bit| a little)* about|(?:our|today's|this week's) sponsors?(?: this week| today| is|,)*"
    r"|thank(?:s|ing)?(?: you)?(?: to)?|talk about our sponsor,?) (?:our (?:friends|partners) (?:at|over at) )?",
    re.I,
)
_READ_SIGN = re.compile(r"\bsponsor|brought to you|supporters? of|tell (?:you|everybody|everyone) (?:\w+ ){0,2}about\b", re.I)
_READ_SPAN = 30


def _naming_sponsors(sentences: Sequence[Sentence], barred: Sequence[str | None]) -> list[str | None]:
    """Bars what a read says between its opening and the last sentence near it that names who paid."""
    spread = list(barred)
    for place, sentence in enumerate(sentences):
        if not _READ_SIGN.search(sentence.text):
            continue
        names = {
            word.lower()
            for opening in _READ_OPENING.finditer(sentence.text)
            for word in words(" ".join(sentence.text[opening.end() :].split()[:3]))
            if len(word) > 3 and not is_common(word, 6_000)
        }
        named = [
            near
            for near in range(max(0, place - 3), min(len(sentences), place + _READ_SPAN))
            if names & set(lower_words(sentences[near].text))
        ]
        for near in range(min([*named, place]), max([*named, place]) + 1):
            spread[near] = spread[near] or "sponsor: names who paid"
    return spread


def _weak_end(sentence: str) -> bool:
    """Whether a last sentence only trails behind: a few words without figure or reason, or the speaker turning to themselves."""
    tokens = lower_words(sentence)
    if any(token in FIRST_PERSON for token in tokens[:4]):
        return True
    return len(tokens) < _SHORTEST_ENDING and not any(token[0].isdigit() for token in tokens) and not shape.gives_reason(sentence)


def _quotes(covered: Sequence[Sentence]) -> tuple[Quote, ...]:
    """One to three verbatim quotes: each sentence, the fourth joined to the third."""
    groups = [[sentence] for sentence in covered[:3]]
    groups[-1] += covered[3:]
    return tuple(
        Quote(text=" ".join(s.text for s in group), start=group[0].start, end=group[-1].end, speaker=group[0].speaker)
        for group in groups
    )


__all__ = ["RULES_VERSION", "LocalEngine"]
