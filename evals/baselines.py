"""What an engine is compared with: random windows, the first windows, and windows ranked by LexRank and LSA of `sumy`.

Belongs here: picking windows of whole sentences of one speaker, 25 to 60 words long, nearest to the engine's own length, that do not
overlap. No gates: a baseline says what a method chooses by itself.
"""

import random
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from evals.passages import Passage
from top5.insights.sentences import Sentence

PICKS = 5
_TARGET_WORDS = 45


class Tokens:
    """What sumy asks of a tokenizer, without NLTK's downloads: one line is one sentence, a word is letters or digits."""

    def to_sentences(self, text: str) -> tuple[str, ...]:
        """The lines of `text`."""
        return tuple(line for line in text.splitlines() if line.strip())

    def to_words(self, text: str) -> tuple[str, ...]:
        """Lower-case words of `text`."""
        return tuple(re.findall(r"[^\W_]+", text.lower()))


def random_windows(windows: Sequence[Passage], rng: random.Random, count: int = PICKS) -> list[Passage]:
    """`count` windows drawn without overlap."""
    order = list(windows)
    rng.shuffle(order)
    return _apart(order, count)


def first_windows(windows: Sequence[Passage], count: int = PICKS) -> list[Passage]:
    """The first `count` windows of the episode that do not overlap, each of the length nearest to the engine's."""
    return _apart(sorted(windows, key=lambda window: (window.first, _misfit(window))), count)


def ranked_windows(windows: Sequence[Passage], ratings: Sequence[tuple[int, int, float]], count: int = PICKS) -> list[Passage]:
    """The windows whose sentences a summariser rates highest on average; `ratings` are (first word, last word, rating)."""
    by_word: dict[int, tuple[int, float]] = {first: (last, rating) for first, last, rating in ratings}

    def mean_rating(window: Passage) -> float:
        place, found = window.first, list[float]()
        while place < window.last and place in by_word:
            place, rating = by_word[place]
            found.append(rating)
        return sum(found) / len(found) if found else 0.0

    return _apart(sorted(windows, key=lambda window: (-mean_rating(window), _misfit(window), window.first)), count)


def sumy_ratings(method: str, sentences: Sequence[str]) -> list[float]:
    """sumy's rating of each sentence by `lexrank` or `lsa`; the higher the better."""
    return list(_summarizer(method)(_document(sentences), len(sentences)))


def sumy_lexrank(sentences: Sequence[str], count: int) -> tuple[str, ...]:
    """The `count` best sentences by sumy's LexRank just as it is installed: what its speed is measured on."""
    from sumy.nlp.stemmers import Stemmer
    from sumy.summarizers.lex_rank import LexRankSummarizer
    from sumy.utils import get_stop_words

    method = LexRankSummarizer(Stemmer("english"))
    method.stop_words = get_stop_words("english")
    return tuple(str(sentence) for sentence in method(_document(sentences), count))


def _document(sentences: Iterable[str]) -> Any:
    from sumy.models.dom import ObjectDocumentModel, Paragraph, Sentence

    tokens = Tokens()
    return ObjectDocumentModel([Paragraph([Sentence(text, tokens) for text in sentences])])


def _summarizer(method: str) -> Callable[[Any, int], Iterable[float]]:
    import numpy as np
    from sumy.nlp.stemmers import Stemmer
    from sumy.summarizers.lex_rank import LexRankSummarizer
    from sumy.summarizers.lsa import LsaSummarizer
    from sumy.utils import get_stop_words

    class LexRankRatings(LexRankSummarizer):
        """Ratings instead of sentences, and the same matrix in one product instead of a loop over all pairs (a test compares)."""

        def _create_matrix(self, sentences: Any, threshold: float, tf_metrics: Any, idf_metrics: Any) -> Any:
            column = {term: place for place, term in enumerate(idf_metrics)}
            weights = np.zeros((len(sentences), max(1, len(column))))
            for row, metrics in enumerate(tf_metrics):
                for term, frequency in metrics.items():
                    weights[row, column[term]] = frequency * idf_metrics[term]
            lengths = np.linalg.norm(weights, axis=1, keepdims=True)
            weights = np.divide(weights, lengths, out=np.zeros_like(weights), where=lengths > 0)
            linked = (weights @ weights.T > threshold).astype(float)
            return linked / np.maximum(linked.sum(1, keepdims=True), 1.0)

        def _get_best_sentences(self, sentences: Any, count: int, rating: Any) -> Any:
            return [rating[sentence] for sentence in sentences]

    class LsaRatings(LsaSummarizer):
        """Ratings instead of sentences, and the same smoothing in one expression instead of a loop over all cells."""

        def _compute_term_frequency(self, matrix: Any, smooth: float = 0.4) -> Any:
            most = matrix.max(axis=0, keepdims=True)
            frequency = np.divide(matrix, most, out=np.zeros_like(matrix), where=most > 0)
            return np.where(most > 0, smooth + (1.0 - smooth) * frequency, matrix)

        def _get_best_sentences(self, sentences: Any, count: int, rating: Any) -> Any:
            return [rating(sentence) for sentence in sentences]

    summarizer: Any = (LexRankRatings if method == "lexrank" else LsaRatings)(Stemmer("english"))
    summarizer.stop_words = get_stop_words("english")
    return summarizer


def rated_sentences(sentences: Sequence[Sentence], ratings: Sequence[float]) -> list[tuple[int, int, float]]:
    """Ratings of an episode's sentences by the offsets of their words, as `ranked_windows` takes them."""
    rows: list[tuple[int, int, float]] = []
    place = 0
    for sentence, rating in zip(sentences, ratings, strict=True):
        after = place + len(sentence.text.split())
        rows.append((place, after, rating))
        place = after
    return rows


def _misfit(window: Passage) -> int:
    return abs(window.last - window.first - _TARGET_WORDS)


def _apart(order: Sequence[Passage], count: int) -> list[Passage]:
    taken: list[Passage] = []
    for window in order:
        if len(taken) == count:
            break
        if not any(window.first < other.last and other.first < window.last for other in taken):
            taken.append(window)
    return taken
