"""Numbers in running text as values: "18 percent" and "18%", "2.4 million" and "2,400,000", "twenty-three" and "23" are equal.

Belongs here: reading numbers and their units. Whether a number may stand in an insight is decided in `ground`.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

_NUMERALS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen"
)
_SMALL = {word: value for value, word in enumerate(_NUMERALS.split())}
_DECADES = "twenty thirty forty fifty sixty seventy eighty ninety"
_TENS = {word: 10 * (index + 2) for index, word in enumerate(_DECADES.split())}
_SCALES = {
    "hundred": 100,
    "thousand": 1_000,
    "million": 1_000_000,
    "billion": 1_000_000_000,
    "trillion": 1_000_000_000_000,
    "dozen": 12,
    "k": 1_000,
    "m": 1_000_000,
    "mn": 1_000_000,
    "bn": 1_000_000_000,
    "b": 1_000_000_000,
}
_SPOKEN_SCALES = frozenset({"hundred", "thousand", "million", "billion", "trillion", "dozen"})
_FRACTIONS = {
    "half": Decimal("0.5"),
    "third": Decimal(1) / 3,
    "quarter": Decimal("0.25"),
    "fifth": Decimal("0.2"),
    "tenth": Decimal("0.1"),
}
_UNITS = {
    "%": "percent",
    "percent": "percent",
    "pct": "percent",
    "dollar": "usd",
    "dollars": "usd",
    "euro": "eur",
    "euros": "eur",
    "pound": "gbp",
    "pounds": "gbp",
}
_SYMBOLS = {"$": "usd", "€": "eur", "£": "gbp"}
_TOKEN = re.compile(r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|[A-Za-z]+|%|[$€£]|[-–—]|[^\s\w]")


@dataclass(frozen=True, slots=True)
class Number:
    """A value with its unit (`percent`, `usd`, `eur`, `gbp`, or empty) and where it stands in the text."""

    value: Decimal
    unit: str
    text: str
    start: int
    end: int

    def equals(self, other: "Number") -> bool:
        """Same value, and not two different units."""
        close = abs(self.value - other.value) <= abs(self.value) * Decimal("0.0001")
        return close and (self.unit == other.unit or not self.unit or not other.unit)


@dataclass(slots=True)
class _Token:
    text: str
    lower: str
    start: int
    end: int


def numbers(text: str) -> list[Number]:
    """All cardinal numbers of `text`, in order. A bare "one" is a pronoun more often than a number and is left out."""
    tokens = [_Token(m.group(), m.group().lower(), m.start(), m.end()) for m in _TOKEN.finditer(text)]
    found: list[Number] = []
    index = 0
    while index < len(tokens):
        read = _read(tokens, index)
        if read is None:
            index += 1
            continue
        value, after, bare_one = read
        first = index
        unit = ""
        if index > 0 and tokens[index - 1].text in _SYMBOLS:
            unit = _SYMBOLS[tokens[index - 1].text]
            first = index - 1
        if after < len(tokens):
            if tokens[after].lower in _UNITS:
                unit = unit or _UNITS[tokens[after].lower]
                after += 1
            elif tokens[after].lower == "per" and after + 1 < len(tokens) and tokens[after + 1].lower == "cent":
                unit, after = "percent", after + 2
        if not (bare_one and not unit):
            start, end = tokens[first].start, tokens[after - 1].end
            found.append(Number(value, unit, text[start:end], start, end))
        index = after
    return found


def _read(tokens: list[_Token], index: int) -> tuple[Decimal, int, bool] | None:
    token = tokens[index]
    if token.lower[0].isdigit():
        return _read_digits(tokens, index)
    if token.lower in _SMALL or token.lower in _TENS:
        return _read_words(tokens, index)
    if token.lower in ("a", "an") and index + 1 < len(tokens):
        following = tokens[index + 1].lower
        if following in _SPOKEN_SCALES:
            return _read_words(tokens, index + 1)
        if following in ("third", "quarter", "fifth", "tenth"):
            return _FRACTIONS[following], index + 2, False
    if token.lower == "half":
        return Decimal("0.5"), index + 1, False
    return None


def _read_digits(tokens: list[_Token], index: int) -> tuple[Decimal, int, bool]:
    value = Decimal(tokens[index].lower.replace(",", ""))
    after = index + 1
    while after < len(tokens) and tokens[after].lower in _SCALES:
        scale = tokens[after].lower
        if scale not in _SPOKEN_SCALES and tokens[after].start != tokens[after - 1].end:
            break
        value *= _SCALES[scale]
        after += 1
    return value, after, False


def _read_words(tokens: list[_Token], index: int) -> tuple[Decimal, int, bool]:
    total = Decimal(0)
    group = Decimal(0)
    after = index
    began = False
    last = ""
    while after < len(tokens):
        word = tokens[after].lower
        if word in _SMALL:
            if last in ("small",) or (last == "tens" and not 0 < _SMALL[word] < 10):
                if not _is_year(Decimal(group), Decimal(_SMALL[word])):
                    break
                group = group * 100 + _SMALL[word]
            else:
                group += _SMALL[word]
            last = "small"
        elif word in _TENS:
            if last in ("small", "tens"):
                if not _is_year(Decimal(group), Decimal(_TENS[word])):
                    break
                group = group * 100 + _TENS[word]
            else:
                group += _TENS[word]
            last = "tens"
        elif word in _SPOKEN_SCALES:
            factor = _SCALES[word]
            if factor <= 100:
                group = (group or 1) * factor
            else:
                total += (group or 1) * factor
                group = Decimal(0)
            last = "scale"
        elif _joins(tokens, after, last):
            after += 1
            continue
        elif word == "point" and began and after + 1 < len(tokens) and tokens[after + 1].lower in _SMALL:
            digits = ""
            after += 1
            while after < len(tokens) and tokens[after].lower in _SMALL and _SMALL[tokens[after].lower] < 10:
                digits += str(_SMALL[tokens[after].lower])
                after += 1
            group += Decimal(f"0.{digits}") if digits else 0
            last = "small"
            continue
        elif word == "and" and _is_and_a_half(tokens, after):
            group += Decimal("0.5")
            after += 3
            break
        else:
            break
        began = True
        after += 1
    if (
        after < len(tokens)
        and began
        and after == index + 1
        and tokens[after].lower.removesuffix("s") in ("third", "quarter", "fifth")
    ):
        return (total + group) * _FRACTIONS[tokens[after].lower.removesuffix("s")], after + 1, False
    return total + group, after, after == index + 1 and tokens[index].lower == "one"


def _joins(tokens: list[_Token], index: int, last: str) -> bool:
    """The "and" of "two hundred and six", the hyphen of "twenty-three"."""
    word = tokens[index].lower
    following = tokens[index + 1].lower if index + 1 < len(tokens) else ""
    return (word == "and" and last == "scale" and _starts_number(following)) or (
        word in ("-", "–") and last == "tens" and following in _SMALL
    )


def _is_year(high: Decimal, low: Decimal) -> bool:
    return high in (18, 19, 20, 21) and low >= 10


def _starts_number(word: str) -> bool:
    return word in _SMALL or word in _TENS


def _is_and_a_half(tokens: list[_Token], index: int) -> bool:
    return index + 2 < len(tokens) and tokens[index + 1].lower == "a" and tokens[index + 2].lower == "half"
