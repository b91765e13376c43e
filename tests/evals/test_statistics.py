"""Intervals and the small numbers behind the tables."""

import math

import numpy as np
import pytest

from evals.statistics import bootstrap, mean_interval, ratio_interval
from evals.train import auc, fit, kappa


def test_an_interval_holds_its_value_and_is_the_same_twice() -> None:
    values = [0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.5, 0.25]
    first, second = mean_interval(values), mean_interval(values)
    assert first == second
    assert first.value == pytest.approx(np.mean(values))
    assert first.low < first.value < first.high
    assert first.text(2) == f"0.59 ({first.low:.2f}-{first.high:.2f})"


def test_a_ratio_is_of_sums_not_a_mean_of_ratios() -> None:
    assert ratio_interval([(1.0, 1.0), (0.0, 9.0)]).value == pytest.approx(0.1)


def test_nothing_has_no_interval() -> None:
    assert math.isnan(mean_interval([]).value)
    assert math.isnan(ratio_interval([(0.0, 0.0), (0.0, 0.0)]).value)
    assert bootstrap(lambda chosen: float("nan"), 3).count == 3


def test_auc_counts_pairs_in_the_right_order() -> None:
    y = np.array([0.0, 1.0, 0.0, 1.0])
    assert auc(np.array([1.0, 2.0, 3.0, 4.0]), y) == pytest.approx(0.75)
    assert auc(np.array([5.0, 5.0, 5.0, 5.0]), y) == pytest.approx(0.5)


def test_kappa_of_agreement_and_of_opposition() -> None:
    assert kappa([(0, 0), (1, 1), (2, 2), (3, 3)]) == pytest.approx(1.0)
    assert kappa([(0, 3), (3, 0), (0, 3), (3, 0)]) == pytest.approx(-1.0)


@pytest.mark.parametrize("meaning", [False, True])
def test_a_fit_finds_what_separates(meaning: bool) -> None:
    rng = np.random.default_rng(1)
    features, vectors = rng.normal(size=(400, 3)), rng.normal(size=(400, 384))
    worth = (features[:, 1] + vectors[:, 7] > 0).astype(float)
    fitted = fit(features, vectors, worth, meaning=meaning)
    assert np.argmax(np.abs(fitted.weights)) == 1
    assert auc(fitted.log_odds(features, vectors), worth) > 0.7
