"""The salience of any passage, from its text alone: one model, whoever asks.

Belongs here: from text to features. What the features count for is in `top5.insights.salience`.
"""

from top5.insights.clean import clean_passage
from top5.insights.model import EpisodeText
from top5.insights.names import NameResolver
from top5.insights.salience import Measured, measure
from top5.insights.sentences import split_text


def measure_text(text: str) -> Measured:
    """The features of a passage as it was spoken; fillers are taken out first, as the engine does."""
    spoken = split_text(text)
    cleaned = clean_passage(spoken)
    parts = [part.text for part in cleaned if part.text]
    body = " ".join(parts)
    names = NameResolver(EpisodeText(segments=()))
    fillers = sum(len(part.removed) for part in cleaned)
    return measure(body, parts, len(names.entities(body)), fillers, sum(map(len, spoken)))
