"""The salience of any passage, from its text alone: one model, whoever asks.

Belongs here: from text to features. What the features count for is in `top5.insights.salience`.
"""

from collections.abc import Sequence

from top5.insights.clean import clean_passage
from top5.insights.embed import TextEmbedder
from top5.insights.model import EpisodeText
from top5.insights.names import NameResolver
from top5.insights.salience import Measured, measure, salience_with_meaning
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


def score_texts(texts: Sequence[str], embedder: TextEmbedder) -> list[tuple[float, Measured]]:
    """Salience, 0 to 1, and features of each passage, as the engine sees it when it chooses."""
    measured = [measure_text(text) for text in texts]
    vectors = embedder.embed([cleaned_text(text) for text in texts])
    return [(salience_with_meaning(one, vector, embedder.name), one) for one, vector in zip(measured, vectors, strict=True)]


def cleaned_text(text: str) -> str:
    """The passage without fillers: what is measured, embedded and printed."""
    return " ".join(part.text for part in clean_passage(split_text(text)) if part.text)
