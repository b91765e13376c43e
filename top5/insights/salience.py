"""How much a passage is worth: features of its shape, and a small linear model that was trained on passages graded by reading.

Belongs here: what is measured and what it counts for. Gates (what may not be printed at all) are `style` and `reference`; variety
among the chosen is the engine's; training is in `evals.train`.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from top5.insights.embed import Vectors
from top5.insights.model import ClaimType
from top5.insights.numbers import Number, numbers
from top5.insights.reference import dangling
from top5.insights.style import check_wording
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
_ABOUT_THE_SHOW = re.compile(r"\b(?:episode|podcast|listeners?|newsletter|show|link|thanks?|thank you|welcome|guest)\b", re.I)
_CONJUNCTION_START = re.compile(r"(?:and|but|so|or|because|yeah|right|okay|well|no|yes)\b", re.I)
_PRONOUN_START = re.compile(r"(?:it|they|he|she|this|that|these|those|we|i|you|there|it's|that's|i'm|i'll|we're)\b", re.I)
_ENUMERATES = re.compile(r"(?:first|second|third|finally|lastly|number \w+)\b", re.I)
_INTERRUPTED = re.compile(r"\s--\s|—|\s–\s|\.\.\.|…|\[[^\]]*\]")
# A reader who was not there cannot follow a hand that points, and cares little for who thinks what.
_SELF = re.compile(r"\b(?:i|i'm|i've|i'd|i'll|my|me)\b", re.I)
_POINTS = re.compile(r"\b(?:here|there|this|these|those|that one|anyways?|stuff|et cetera|whatnot|and so on|somewhere)\b", re.I)
_TRAILS = re.compile(r"\b(?:anyways?|stuff|et cetera|or whatever|(?:over|down) (?:there|here)|somewhere down)\b", re.I)
_HEARSAY = re.compile(
    r"\b(?:apparently|supposedly|i (?:believe|think|guess|suppose)|to my knowledge|(?:seems?|looks) like)\b", re.I
)
_OPPOSES = re.compile(
    r"\b(?:whereas|rather than|instead of|compared|unlike|not .{3,40} but|(?:more|less) .{1,40} than|only)\b", re.I
)
_JOINS_ON = re.compile(r"(?:and|but|or|because|like|that's|which|so (?:you|it|they))\b", re.I)
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


# How a feature that counts for a passage reads as a reason; features without a phrase are never shown as one.
_PHRASES: Mapping[str, str] = {
    "measure": "carries a measure",
    "number": "carries a number",
    "cause": "gives the cause",
    "consequence": "gives the consequence",
    "contrast": "goes against expectation",
    "comparison": "compares",
    "finding": "rests on something measured",
    "specific": "is specific",
    "word_length": "speaks in terms, not in talk",
    "general": "states a rule",
}


@dataclass(frozen=True, slots=True)
class Linear:
    """Log-odds = intercept + sum of weight x (feature - mean) / scale, + direction . embedding where there is a direction."""

    intercept: float
    weights: Mapping[str, tuple[float, float, float]]
    """Weight, mean and scale by feature."""
    direction: Vectors | None = None

    def contributions(self, features: Mapping[str, float]) -> dict[str, float]:
        """What each feature adds to the log-odds, against the average passage."""
        return {name: weight * (features[name] - mean) / scale for name, (weight, mean, scale) in self.weights.items()}

    def probability(self, features: Mapping[str, float], vector: Vectors | None = None) -> float:
        """0 to 1. `vector` is the passage's sentence embedding, for a model with a direction."""
        log_odds = self.intercept + sum(self.contributions(features).values())
        if self.direction is not None and vector is not None:
            log_odds += float(self.direction @ vector)
        return round(1 / (1 + math.exp(-max(-30.0, min(30.0, log_odds)))), 4)


@dataclass(frozen=True, slots=True)
class Model:
    """Two models learned from the same grades: by shape alone, and by shape and meaning for the embeddings of `embedder`."""

    version: str
    shape: Linear
    meaning: Linear
    embedder: str


@cache
def model() -> Model:
    """The weights that `python -m evals.train` wrote, learned from passages that were read and graded (evals/labels)."""
    data = json.loads((Path(__file__).parent / "data" / "salience.json").read_text("utf-8"))

    def linear(part: Mapping[str, Any]) -> Linear:
        weights = {name: (entry["weight"], entry["mean"], entry["scale"]) for name, entry in part["features"].items()}
        direction = np.array(part["direction"], dtype=np.float32) if "direction" in part else None
        return Linear(part["intercept"], weights, direction)

    return Model(data["version"], linear(data["shape"]), linear(data["meaning"]), data["embedder"])


@dataclass(frozen=True, slots=True)
class Measured:
    """Features of one passage by name (0 to 1 each), and for some the words that show them."""

    features: Mapping[str, float]
    shown: Mapping[str, str]


def measure(body: str, sentences: list[str], names: int, fillers: int, spoken: int | None = None) -> Measured:
    """The features of a cleaned passage.

    `sentences` are its sentences, `names` how many named actors it holds, `fillers` how many removals its cleaning needed,
    `spoken` its length in characters before cleaning.
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
    references = len(dangling(sentences))
    wording = len(check_wording(sentences))
    features = {
        "measure": min(1.0, len(measures) / 2),
        "number": min(1.0, len(found) / 3),
        "actor": min(1.0, names / 2),
        "capitals": min(1.0, sum(word[:1].isupper() for word in body.split()[1:]) / 8),
        "cause": min(1.0, 0.75 * len(_CAUSE.findall(body))),
        "consequence": min(1.0, 0.75 * len(_CONSEQUENCE.findall(body))),
        "contrast": min(1.0, 0.75 * len(_CONTRAST.findall(body))),
        "comparison": min(1.0, 0.75 * len(_COMPARISON.findall(body))),
        "finding": min(1.0, 0.7 * len(_FINDING.findall(body))),
        "specific": _specificity(tokens),
        "word_length": sum(map(len, tokens)) / count / 6,
        "stopwords": sum(token in STOPWORDS for token in tokens) / count,
        "length": count / 50,
        "length_fit": math.exp(-(((length - 320) / 70) ** 2)),
        "sentences": len(sentences) / 4,
        "sentence_length": count / max(1, len(sentences)) / 25,
        "commas": 8 * body.count(",") / count,
        "general": _general(sentences),
        "hedged": min(1.0, 0.5 * len(_HEDGE.findall(body))),
        "vague": min(1.0, 10 * len(_VAGUE.findall(body)) / count),
        "first_person": 8 * sum(token in FIRST_PERSON for token in tokens) / count,
        "second_person": 8 * sum(token in SECOND_PERSON for token in tokens) / count,
        "about_the_show": 1.0 if _ABOUT_THE_SHOW.search(body) else 0.0,
        "conjunction_start": 1.0 if _CONJUNCTION_START.match(body) else 0.0,
        "pronoun_start": 1.0 if _PRONOUN_START.match(body) else 0.0,
        "dangling": float(references > 0),
        "danglings": min(1.0, references / 3),
        "bad_wording": float(wording > 0),
        "bad_wordings": min(1.0, wording / 3),
        "removed": 1 - length / max(1, spoken or length),
        "fillers": min(1.0, fillers / 4),
        "interrupted": min(1.0, 0.5 * len(_INTERRUPTED.findall(body))),
        "fragmented": min(1.0, sum(len(sentence.split()) < 6 for sentence in sentences) / 2),
        "pronouns": min(1.0, 10 * max(0, sum(token in _PRONOUNS for token in tokens) - 1) / count),
        "enumerates": float(any(_ENUMERATES.match(sentence) for sentence in sentences)),
        "self": float(_SELF.search(body) is not None),
        "points": float(_POINTS.search(body) is not None),
        "trails": float(_TRAILS.search(body) is not None),
        "hearsay": float(_HEARSAY.search(body) is not None),
        "opposes": float(_OPPOSES.search(body) is not None),
        "joins_on": min(1.0, sum(_JOINS_ON.match(sentence) is not None for sentence in sentences[1:]) / 2),
    }
    return Measured(features, shown)


def salience(measured: Measured) -> float:
    """By shape alone: the model's estimate, 0 to 1, of what a careful reader's grade of the passage is worth (evals/labels/RUBRIC.md).

    Grade 0 is worth 0, 1 is worth 0.2, 2 is worth 0.8, 3 is worth 1: above 0.5 a passage is more likely good than not.
    """
    return model().shape.probability(measured.features)


def salience_with_meaning(measured: Measured, vector: Vectors, embedder: str) -> float:
    """As `salience`, by shape and by what the passage is about; by shape alone where `vector` is of another model than learned."""
    if embedder != model().embedder:
        return salience(measured)
    return model().meaning.probability(measured.features, vector)


def reasons(measured: Measured, limit: int = 4) -> tuple[str, ...]:
    """What spoke most for the passage, largest first, with the words that show it."""
    ranked = sorted(model().shape.contributions(measured.features).items(), key=lambda item: (-item[1], item[0]))
    texts: list[str] = []
    for name, points in ranked:
        if points < 0.05 or name not in _PHRASES or not measured.features[name]:
            continue
        shown = measured.shown.get(name)
        texts.append(f"{_PHRASES[name]}: {shown}" if shown else _PHRASES[name])
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
