"""Intervals by the bootstrap (Efron 1979): resampling with a fixed seed, so that a table printed twice is the same table."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SEED = 20261123
ROUNDS = 1000


@dataclass(frozen=True)
class Interval:
    """A value with the 2.5 % and 97.5 % quantiles of its resamples; `count` is how many units were resampled."""

    value: float
    low: float
    high: float
    count: int

    def text(self, digits: int = 2) -> str:
        """As it stands in a table: `0.81 (0.77-0.84)`."""
        return f"{self.value:.{digits}f} ({self.low:.{digits}f}-{self.high:.{digits}f})"


def bootstrap(statistic: Callable[[NDArray[np.int64]], float], count: int, *, rounds: int = ROUNDS, seed: int = SEED) -> Interval:
    """`statistic` of the indexes 0 to count - 1, and its interval over resamples of them; NaN resamples are left out."""
    if count == 0:
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    rng = np.random.default_rng(seed)
    values = np.array([statistic(rng.integers(0, count, count)) for _ in range(rounds)])
    values = values[~np.isnan(values)]
    if not len(values):
        return Interval(statistic(np.arange(count)), float("nan"), float("nan"), count)
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(statistic(np.arange(count)), float(low), float(high), count)


def mean_interval(values: list[float]) -> Interval:
    """The mean of independent units and its interval."""
    data = np.array(values, dtype=float)
    return bootstrap(lambda chosen: float(data[chosen].mean()), len(data))


def ratio_interval(units: list[tuple[float, float]]) -> Interval:
    """Sum of parts over sum of wholes, resampled by unit: the episodes are drawn, not the picks inside them, which are alike."""
    data = np.array(units, dtype=float).reshape(-1, 2)

    def of(chosen: NDArray[np.int64]) -> float:
        part, whole = data[chosen].sum(0)
        return float(part / whole) if whole else float("nan")

    return bootstrap(of, len(data))
