"""The baselines choose as sumy does, and their picks never share a word."""

import random

from evals.baselines import first_windows, random_windows, ranked_windows, rated_sentences, sumy_lexrank, sumy_ratings
from evals.passages import Episode, Passage, windows
from tests.top5.insights.material import episode as small_episode
from top5.insights.sentences import split_sentences

EPISODE = Episode("demo", "small", "Small", small_episode().segments)
SENTENCES = split_sentences(EPISODE.segments)
TEXTS = [sentence.text for sentence in SENTENCES]


def test_the_ratings_are_those_of_sumys_own_loop() -> None:
    ratings = sumy_ratings("lexrank", TEXTS)
    best = sorted(range(len(TEXTS)), key=lambda place: -ratings[place])[:5]
    assert {TEXTS[place] for place in best} == set(sumy_lexrank(TEXTS, 5))


def test_every_baseline_gives_windows_of_the_right_length_apart_from_each_other() -> None:
    found = windows(EPISODE)
    assert found
    for method in ("lexrank", "lsa"):
        ratings = sumy_ratings(method, TEXTS)
        assert len(ratings) == len(TEXTS)
        _check(ranked_windows(found, rated_sentences(SENTENCES, ratings)))
    _check(random_windows(found, random.Random(3)))
    _check(first_windows(found))
    assert first_windows(found)[0].first == min(window.first for window in found)
    assert random_windows(found, random.Random(3)) == random_windows(found, random.Random(3))


def _check(picks: list[Passage]) -> None:
    assert 1 <= len(picks) <= 5
    for place, pick in enumerate(picks):
        assert 25 <= pick.last - pick.first <= 60
        assert all(pick.last <= other.first or other.last <= pick.first for other in picks[place + 1 :])
