"""How much a passage is worth: features of its shape, each between 0 and 1, and one table of weights.

Belongs here: what is measured and what it counts for. Gates (what may not be printed at all) are `style` and `reference`; variety
among the chosen is the engine's. A trained model replaces the numbers in `WEIGHTS`, not the features.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from top5.insights.model import ClaimType
from top5.insights.numbers import Number, numbers
from top5.insights.words import FINITE_VERBS, FIRST_PERSON, SECOND_PERSON, STOPWORDS, commonness, lower_words, stem, word_set

_CAUSE = re.compile(
    r"\b(?:because|since|due to|thanks to|as a result of|caused? by|comes? from|driven by|the reason"
    r"|owing to|by (?:\w+ing)|causes?|drives?|forces?"
    r"|lets?|allows?|prevents?|means that|depends? on|decides?|determines?|explains?)\b",
    re.I,
)
_CONSEQUENCE = re.compile(
    r"\b(?:so that|so (?=\w+ \w+)|therefore|which (?:means|makes|lets|leaves|gives|cuts|saves|erased"
    r"|keeps|shortens)|as a result|that is why|meaning|leads? to|results? in|ends? up"
    r"|until|then (?=\w)|leaving|making|turns? (?:\w+ ){0,3}into|at the cost of)\b",
    re.I,
)
_CONTRAST = re.compile(
    r"\b(?:but|while|whereas|although|though|yet|rather than|instead of|instead|despite|even (?:when"
    r"|though|if|after)|not because|far (?:more|less)|unlike"
    r"|no matter|only (?:where|when|if|because)|contrary|barely|rarely|hardly|however)\b",
    re.I,
)
_COMPARISON = re.compile(
    r"\b(?:more|less|fewer|higher|lower|faster|slower|cheaper|longer|shorter|earlier|later|better|worse"
    r"|larger|smaller|stronger|twice|half|double|\w+er) than\b"
    r"|\b(?:twice|double|triple|halve[sd]?|half|compared (?:to|with)|against|outnumber|versus|from \S+(?: \S+)? to|times)\b",
    re.I,
)
_HEDGE = re.compile(
    r"\b(?:maybe|perhaps|possibly|i think|i guess|i suppose|i believe|i feel|i hope|sort of|kind of|might"
    r"|could be|probably|i don't know|i'm not sure|not sure"
    r"|in my opinion|hopefully|i would say|i'd say|somehow|more or less|it depends|who knows|it seems|i imagine|i assume)\b",
    re.I,
)
_VAGUE = re.compile(
    r"\b(?:things?|stuff|something|someone|somebody|somehow|whatever|a lot|lots|a bunch|very|really|super"
    r"|pretty (?:much|good|cool|nice)|basically|literally|just|cool"
    r"|nice|great|awesome|amazing|interesting|wonderful|exciting|and so on|et cetera|etc|or whatever"
    r"|and everything|kinda|gonna|wanna|blah|totally|obviously|actually|guys?)\b",
    re.I,
)
_PREDICTION = re.compile(
    r"\b(?:will|won't|going to|by 20\d\d|next (?:year|decade)|expects? to|forecasts?|in (?:five|ten|\d+) years)\b", re.I
)
_CONTRARIAN = re.compile(
    r"\b(?:not because|rather than|contrary|myth|wrong|in fact|will not|won't|even though|despite"
    r"|surprising\w*|rarely|barely|never|nobody|no one|almost no|not the)\b",
    re.I,
)
_HOW_TO = re.compile(
    r"\b(?:should|the way to|a rule|instead of|works? best|pays? off|start(?:s|ing)? with|best way|steps?"
    r"|by \w+ing|method|practice)\b",
    re.I,
)
_NEWS = re.compile(
    r"\b(?:announced?|released?|launched?|this (?:week|month|year)|yesterday|last (?:week|month|winter"
    r"|summer|spring|year|autumn)|published|acquired|shipped|now|as of)\b",
    re.I,
)
_FINDING = re.compile(
    r"\b(?:measured|found|find|show(?:s|ed|n)|reported?|proved?|tested?|tests|trials?|stud(?:y|ies)"
    r"|research|experiments?|data|records?|counted|observed|survey\w*|samples?|median|average)\b",
    re.I,
)
_INTERRUPTED = re.compile(r"\s--\s|—|\s–\s|\.\.\.|…|\[[^\]]*\]")
_UNIT_WORDS = word_set(
    "percent percentage hour hours day days week weeks month months year years minute minutes second seconds dollar dollars "
    "euro euros watt watts "
    "kilowatt kilowatts megawatt megawatts gigawatt gigawatts kilowatt-hour megawatt-hour tonne tonnes ton tons kilogram "
    "kilograms kilo kilos gram "
    "grams litre litres liter liters metre metres meter meters kilometre kilometres kilometer kilometers mile miles degree "
    "degrees celsius byte "
    "bytes kilobytes megabytes gigabytes terabytes times people patients users customers companies farms hectares hectare "
    "acres acre millisecond milliseconds requests "
    "tokens words lines blocks transactions bitcoin satoshis sats volts amps decibels hertz cents bits points basis orders "
    "fold samples employees workers "
    "machines servers chips cells packs households cars trucks flights satellites genes proteins mice trials studies servings "
    "calories milligrams micrograms "
    "centimetres millimetres centimeters millimeters micrometres nanometres nanometers kelvin newtons pounds inches feet "
    "million billion thousand"
)


@dataclass(frozen=True, slots=True)
class Weight:
    """What one feature counts for, and how a positive contribution reads as a reason."""

    value: float
    reason: str


# Set by reading, on the demo shows and on real transcripts; values are points of salience at full feature strength.
# Salience = BASE + sum of weight x feature, bent towards 1 above 0.75.
BASE = 0.12
WEIGHTS: Mapping[str, Weight] = {
    "measure": Weight(0.20, "carries a measure"),
    "number": Weight(0.05, "carries a number"),
    "actor": Weight(0.10, "names its actors"),
    "cause": Weight(0.13, "gives the cause"),
    "consequence": Weight(0.09, "gives the consequence"),
    "contrast": Weight(0.07, "goes against expectation"),
    "comparison": Weight(0.08, "compares"),
    "finding": Weight(0.06, "rests on something measured"),
    "specific": Weight(0.12, "is specific"),
    "length_fit": Weight(0.10, "has the right length"),
    "central": Weight(0.10, "is close to what the episode is about"),
    "general": Weight(0.06, "states a rule"),
    "hedged": Weight(-0.16, ""),
    "vague": Weight(-0.20, ""),
    "first_person": Weight(-0.16, ""),
    "first_person_opening": Weight(-0.10, ""),
    "second_person": Weight(-0.30, ""),
    "filler": Weight(-0.10, ""),
    "interrupted": Weight(-0.14, ""),
    "fragmented": Weight(-0.12, ""),
    "pronouns": Weight(-0.14, ""),
    "enumerates": Weight(-0.06, ""),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Features of one passage by name (0 to 1 each), and for some the words that show them."""

    features: Mapping[str, float]
    shown: Mapping[str, str]


def measure(body: str, sentences: list[str], names: int, fillers: int, central: float = 0.5) -> Measured:
    """The features of a cleaned passage.

    `sentences` are its sentences, `names` how many named actors it holds, `fillers` how many removals its cleaning needed,
    `central`
    how near it is to the middle of its episode (0 to 1, neutral 0.5 where not known).
    """
    tokens = lower_words(body)
    count = max(1, len(tokens))
    found = numbers(body)
    measures = [number for number in found if _unit(body, number)]
    shown: dict[str, str] = {}
    if measures:
        shown["measure"] = ", ".join(_unit(body, number) for number in measures[:2])
    elif found:
        shown["number"] = found[0].text
    for name, pattern in (
        ("cause", _CAUSE),
        ("consequence", _CONSEQUENCE),
        ("contrast", _CONTRAST),
        ("comparison", _COMPARISON),
        ("finding", _FINDING),
    ):
        match = pattern.search(body)
        if match is not None:
            shown[name] = match.group().lower().strip()
    length = len(body)
    features = {
        "measure": min(1.0, len(measures) / 2),
        "number": min(1.0, len(found) / 3),
        "actor": min(1.0, names / 2) if names else 0.0,
        "cause": min(1.0, 0.75 * len(_CAUSE.findall(body))),
        "consequence": min(1.0, 0.75 * len(_CONSEQUENCE.findall(body))),
        "contrast": min(1.0, 0.75 * len(_CONTRAST.findall(body))),
        "comparison": min(1.0, 0.75 * len(_COMPARISON.findall(body))),
        "finding": min(1.0, 0.7 * len(_FINDING.findall(body))),
        "specific": _specificity(tokens),
        "length_fit": math.exp(-(((length - 320) / 70) ** 2)),
        "central": central,
        "general": _general(sentences),
        "hedged": min(1.0, 0.5 * len(_HEDGE.findall(body))),
        "vague": min(1.0, 10 * len(_VAGUE.findall(body)) / count),
        "first_person": min(1.0, 12 * sum(token in FIRST_PERSON for token in tokens) / count),
        "first_person_opening": 1.0 if any(token in FIRST_PERSON for token in tokens[:3]) else 0.0,
        "second_person": min(1.0, 12 * sum(token in SECOND_PERSON for token in tokens) / count),
        "filler": min(1.0, fillers / 4),
        "interrupted": min(1.0, 0.5 * len(_INTERRUPTED.findall(body))),
        "fragmented": min(1.0, sum(len(sentence.split()) < 6 for sentence in sentences) / 2),
        "pronouns": min(1.0, 10 * max(0, sum(token in _PRONOUNS for token in tokens) - 1) / count),
        "enumerates": min(
            1.0,
            sum(re.match(r"(?:first|second|third|finally|lastly|number \w+)\b", s, re.I) is not None for s in sentences) / 1.0,
        ),
    }
    return Measured(features, shown)


def salience(measured: Measured) -> float:
    """Points of all features, 0 to 1; above 0.75 points count ever less, so that the best stay told apart."""
    total = BASE + sum(WEIGHTS[name].value * value for name, value in measured.features.items())
    if total > 0.75:
        total = 0.75 + 0.25 * (1.0 - math.exp(-(total - 0.75) / 0.25))
    return round(min(1.0, max(0.0, total)), 4)


def reasons(measured: Measured, limit: int = 4) -> tuple[str, ...]:
    """What counted most for the passage, largest first, with the words that show it."""
    ranked = sorted(((WEIGHTS[name].value * value, name) for name, value in measured.features.items()), reverse=True)
    texts: list[str] = []
    for points, name in ranked:
        if points < 0.02 or name == "length_fit":
            continue
        shown = measured.shown.get(name)
        texts.append(f"{WEIGHTS[name].reason}: {shown}" if shown else WEIGHTS[name].reason)
    return tuple(texts[:limit])


def claim_type(body: str) -> ClaimType:
    """The kind of claim, by its markers; the more telling kinds first."""
    if _PREDICTION.search(body) and re.search(
        r"\b(?:by 20\d\d|next decade|will (?:not )?(?:cost|be|become|need|fall|rise|reach))\b", body
    ):
        return "prediction"
    if _NEWS.search(body) and re.search(r"\b(?:announced?|released?|launched?|acquired|published)\b", body, re.I):
        return "news"
    if _CONTRARIAN.search(body) and _CONTRAST.search(body):
        return "contrarian"
    if _CAUSE.search(body) or _CONSEQUENCE.search(body):
        return "mechanism"
    if numbers(body):
        return "number"
    return "how-to" if _HOW_TO.search(body) else "mechanism"


def gives_reason(sentence: str) -> bool:
    """Whether a sentence gives a cause, a consequence or a contrast by one of the markers."""
    return any(pattern.search(sentence) for pattern in (_CAUSE, _CONSEQUENCE, _CONTRAST))


_PRONOUNS = word_set("it they them he she him her this that these those it's they're he's she's that's")


def _unit(body: str, number: Number) -> str:
    """The number with its unit as it stands in the text, or nothing where it has none."""
    if number.unit:
        return number.text
    if re.search(r"\b[A-Z][A-Za-z]+ $", body[: number.start]) and not re.search(
        r"(?:^|[.!?] )[A-Z][a-z]+ $", body[: number.start]
    ):
        # "Layer 3", "Python 3.13": part of a name.
        return ""
    match = re.match(r"[ -]?((?:more |fewer |extra |full |whole |per )?[A-Za-z-]+)", body[number.end :])
    if match is None:
        return ""
    unit = match.group(1).lower().split()[-1]
    known = unit in _UNIT_WORDS or (unit.endswith("s") and unit not in STOPWORDS and unit not in FINITE_VERBS and len(unit) > 3)
    return number.text + match.group() if known else ""


def _specificity(tokens: list[str]) -> float:
    """How rare the content words are, by their rank in a vocabulary sorted by frequency; 0 for talk, 1 for terms."""
    scores: list[float] = []
    for token in tokens:
        if token in STOPWORDS or token[0].isdigit():
            continue
        rank = commonness(token) or commonness(stem(token)) or 26_000
        scores.append(min(1.0, max(0.0, (math.log(rank) - math.log(2_200)) / (math.log(24_000) - math.log(2_200)))))
    if not scores:
        return 0.0
    density = len(scores) / len(tokens)
    return min(1.0, 1.6 * (sum(scores) / len(scores)) * (0.5 + density))


def _general(sentences: list[str]) -> float:
    """1 where the passage opens with a statement in the third person, without a person telling of themselves."""
    tokens = lower_words(sentences[0]) if sentences else []
    return 0.0 if not tokens or any(token in FIRST_PERSON | SECOND_PERSON for token in tokens) else 1.0
