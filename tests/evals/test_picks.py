"""The embedded engine's picks: every one grounded, all but one in fifty in the house style, none that sells, greets or asks.

Without the corpus on the sample episodes; with it on two episodes of each show. A regression of a rule fails here.
"""

from pathlib import Path

import pytest

from evals.__main__ import chosen_episodes
from evals.baselines import PICKS
from evals.harness import Scorer
from evals.passages import SHOWS, Episode, by_id
from top5.insights.embed import Embedder, HashedEmbedder, TextEmbedder
from top5.insights.extract_local import LocalEngine
from top5.weights import find_embedding_model

LOWEST_STYLE = 0.98


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    files = find_embedding_model(None)
    embedder: TextEmbedder = Embedder(files.path) if files else HashedEmbedder()
    return Scorer(LocalEngine(embedder, PICKS), embedder)


def check(scorer: Scorer, episodes: list[Episode]) -> float:
    units = [scorer.score(episode, baselines=False)["engine"] for episode in episodes]

    def share(metric: str) -> float:
        return sum(unit[metric][0] for unit in units) / sum(unit[metric][1] for unit in units)

    assert share("grounded") == 1.0
    assert share("style") >= LOWEST_STYLE
    assert share("self-contained") >= LOWEST_STYLE
    assert share("forbidden") == 0.0
    assert share("name or number errors") == 0.0
    return share("picks")


def test_the_sample_episodes(scorer: Scorer) -> None:
    samples = [episode for (show, _), episode in sorted(by_id(Path("/nonexistent")).items()) if show == "demo"]
    assert len(samples) >= 10
    assert check(scorer, samples[::3]) >= 3.0


@pytest.mark.slow
@pytest.mark.corpus
def test_two_episodes_of_each_show(scorer: Scorer, corpus: Path) -> None:
    assert check(scorer, chosen_episodes(corpus, SHOWS, 2)) >= 0.5
