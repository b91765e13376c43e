"""Light cleaning of spoken sentences: fillers, false starts and stutters go, every word that carries meaning stays.

Belongs here: removals that no careful editor would discuss. Each is recorded as an edit, so the words as spoken are recoverable
and
a quote never needs to be guessed from a body. Repairing names is `names`; choosing what to print is the engine's.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from top5.insights.words import word_set


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters `start` to `end` of the original, replaced by `written` (mostly nothing)."""

    start: int
    end: int
    written: str = ""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The cleaned text with all that is needed to get back: `original` and the edits, in order, not overlapping."""

    original: str
    edits: tuple[Edit, ...]

    @property
    def text(self) -> str:
        """The original with all edits applied."""
        parts: list[str] = []
        position = 0
        for edit in self.edits:
            parts += (self.original[position : edit.start], edit.written)
            position = edit.end
        return "".join([*parts, self.original[position:]])

    @property
    def removed(self) -> tuple[str, ...]:
        """What was taken out, as spoken; changes of case alone are not listed."""
        spans = (self.original[edit.start : edit.end] for edit in self.edits if not edit.written)
        return tuple(span.strip(" ,") for span in spans if span.strip(" ,.-–—"))


_STAGE = re.compile(
    r"\s*[\[(](?:laughs?|laughter|laughing|chuckles?|crosstalk|music|applause|pause|sighs?|inaudible)\\?[\])]", re.I
)
_MARKDOWN = re.compile(r"(?<![\w*])\*{1,2}(?=[\w\"“])|(?<=[\w.,!?\"”])\*{1,2}(?![\w*])|(?:^|(?<=\s))(?:>\s+)+")
_HESITATION = r"(?:u+m+|u+h+|uhm+|e+r+m+|er|ah|eh|hm+|mm+|mhm|mm-hmm|uh-huh)"
_PARENTHETIC = r"(?:you know|i mean|you see|like|right|sort of|kind of|let's say|if you will|as it were|so to speak|okay)"
_FILLER = re.compile(rf"(?:,?\s+(?:--?|–|—))?,?\s+{_HESITATION}(?:\.\.\.)?(?P<after>,|(?=[\s.!?;:]|$))", re.I)
_BETWEEN_COMMAS = re.compile(rf",\s+{_PARENTHETIC}(?=,)(?P<after>,)", re.I)
_TAG = re.compile(r",?\s+(?:you know|right|okay|isn't it|you see|i think)\?(?=$|\s)", re.I)
_TAG_STATEMENT = re.compile(r",\s+(?:you know|right|i mean)(?=\.$)", re.I)
_LEADING_ANY = re.compile(
    rf"(?:(?:{_HESITATION}|you know|i mean|well|yeah|yes|yep|okay|ok|right|look|oh|sure|exactly|absolutely"
    rf"|basically|all right|alright|"
    r"anyway|anyways|listen|see|honestly|frankly|obviously|of course|interestingly|again|like I said|wow|for sure|(?:just )?as a reminder"
    r"|essentially|(?:just )?to give (?:you )?(?:some|a bit of|a little)(?: broader| more)? (?:background|context)"
    r"|as (?:most|many|some) of you (?:\w+ )?know|as (?:you|we|everyone) (?:(?:all|may|might|probably) )*knows?|for those who don't know"
    r"|as I said)(?:,|\.\.\.|\s+--|\s+–|\s+—)\s+)+",
    re.I,
)
_LEADING_FIRST = re.compile(r"(?:(?:and|so|but|now|then|plus|and so|and then|so then|and also|also|and yet)\b,?\s+)+", re.I)
_STUTTER_WORD = (
    r"(?:the|a|an|to|of|in|on|and|but|we|i|it|they|you|he|she|this|for|with|at|are|was|were|if|as|be|or|by|from|my|our|their|its|"
    r"when|how|because|there|there's|it's|that's|is|not|which|where|i'm|we're|they're)"
)
_STUTTER = re.compile(rf"\b({_STUTTER_WORD})((?:(?:,|\s+--?|\s*—|\s*–|\.\.\.)?\s+\1)+)\b(?!')", re.I)
_PHRASE_STUTTER = re.compile(r"\b([A-Za-z']+ [A-Za-z']+(?: [A-Za-z']+)?)(?:,|\s+--|\s*—|\s*–|\.\.\.)\s+(?=\1\b)", re.I)
_TRAILED_OFF = re.compile(r"\s*(?:\.\.\.|…)(?=[\"'”’)]*$)")
_CUT_WORD = re.compile(r"\b[A-Za-z]{1,6}-\s+(?!(?:and|or|to|nor|bis|through)\b)(?=[A-Za-z])")
_STUTTER_STARTS = word_set(
    "i we you they he she it the a an this that there in on at of to for with and but so because if when what how is are was it's"
)


def clean_sentence(text: str, *, first: bool = True) -> Cleaned:
    """`text`, one sentence, without fillers and false starts; with a capital first letter.

    `first` says that the sentence opens a passage: then leading "And", "So", "Now" go as well, which inside a passage join
    thoughts.
    """
    draft = _Draft(text)
    # A leading removal can uncover a stutter and the other way round; two rounds settle all that was seen.
    for _ in range(2):
        before = draft.text
        draft.remove(0, _leading(draft.text, first=first))
        for pattern in (
            _STAGE,
            _MARKDOWN,
            _FILLER,
            _BETWEEN_COMMAS,
            _TAG,
            _TAG_STATEMENT,
            _TRAILED_OFF,
            _CUT_WORD,
            _PHRASE_STUTTER,
            _STUTTER,
        ):
            draft.apply(pattern)
        if draft.text == before:
            break
    draft.capitalise()
    return draft.cleaned()


def clean_passage(sentences: Sequence[str]) -> tuple[Cleaned, ...]:
    """Whole consecutive sentences of one passage, cleaned; sentences that were nothing but filler are empty."""
    return tuple(clean_sentence(sentence, first=index == 0) for index, sentence in enumerate(sentences))


def filler_count(text: str) -> int:
    """How many removals `text` needs: a measure of how spoken it sounds."""
    return len(clean_sentence(text, first=False).removed)


def _leading(text: str, *, first: bool) -> int:
    end = 0
    while True:
        match = _LEADING_ANY.match(text, end) or (_LEADING_FIRST.match(text, end) if first else None)
        if match is None or match.end() == end or not re.search(r"\w", text[match.end() :]):
            return end
        # "And so it goes" keeps its words; "So far", "Now that" and "Then again" mean something together.
        if re.match(r"(?:far|long|much|many|that|called|again|what if|even if)\b", text[match.end() :], re.I):
            return end
        end = match.end()


class _Draft:
    """A text under removal that knows where each visible character stood in the original."""

    def __init__(self, original: str) -> None:
        self._original = original
        self._written = dict(enumerate(original))
        self._text: str | None = original

    @property
    def text(self) -> str:
        if self._text is None:
            self._text = "".join(self._written.values())
        return self._text

    def remove(self, start: int, end: int, written: str = "") -> None:
        if start == end:
            return
        self._text = None
        places = list(self._written)[start:end]
        for place in places:
            del self._written[place]
        if written and places:
            self._written[places[-1]] = written
            self._written = dict(sorted(self._written.items()))

    def apply(self, pattern: re.Pattern[str]) -> None:
        for match in reversed(list(pattern.finditer(self.text))):
            if pattern is _STUTTER:
                self.remove(match.start(2), match.end(2))
            elif pattern in (_TAG, _TRAILED_OFF):
                self.remove(match.start(), match.end(), ".")
            elif pattern is not _PHRASE_STUTTER or match.group(1).split()[0].lower() in _STUTTER_STARTS:
                self.remove(match.start(), match.end())

    def capitalise(self) -> None:
        text = self.text
        match = re.match(r"\W*([a-z])", text)
        if match is not None and not re.match(r"\W*[a-z]+[A-Z0-9]", text):
            self._written[list(self._written)[match.start(1)]] = match.group(1).upper()
            self._text = None

    def cleaned(self) -> Cleaned:
        edits: list[Edit] = []
        for place, letter in enumerate(self._original):
            written = self._written.get(place, "")
            if written == letter:
                continue
            if edits and not written and not edits[-1].written and edits[-1].end == place:
                edits[-1] = Edit(edits[-1].start, place + 1)
            else:
                edits.append(Edit(place, place + 1, written))
        return Cleaned(self._original, tuple(edits))
