"""How far a day may be from the days before.

Belongs here: bounds from history, and the suite that holds them. The measures are in `history`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import median
from typing import Any

from top5.quality.gx import library, new_suite
from top5.quality.history import Measures
from top5.quality.suites import WARN

_SPREADS = 5.0
_MAD_TO_SIGMA = 1.4826
"""The median absolute deviation of a normal distribution times this is its standard deviation (Rousseeuw and Croux 1993)."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is usual. An infinite bound holds nothing back."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class _Tolerance:
    """`floor` and `share` (of the median) are what no measure's spread is taken to be below; `up` looks upwards only.

    `most` is what the measure cannot be above.
    """

    floor: float
    share: float
    up: bool = False
    most: float = float("inf")


_TOLERANCES: Mapping[str, _Tolerance] = {
    "episodes": _Tolerance(3.0, 0.5),
    "episodes_per_feed": _Tolerance(1.0, 0.5),
    "transcript_share": _Tolerance(0.2, 0.0, most=1.0),
    "words_per_episode": _Tolerance(1000.0, 0.5),
    "trust": _Tolerance(0.15, 0.0, most=1.0),
    "transcription_cost_usd": _Tolerance(0.1, 0.5, up=True),
    "insights_per_episode": _Tolerance(2.0, 0.3),
    "style_share": _Tolerance(0.2, 0.0, most=1.0),
    "salience": _Tolerance(0.1, 0.0, most=1.0),
    "quotes_per_insight": _Tolerance(0.5, 0.0),
    "considered_share": _Tolerance(0.2, 0.0, most=1.0),
    "rejections_per_episode": _Tolerance(10.0, 0.5),
    "cost_usd": _Tolerance(0.1, 0.5, up=True),
}


def usual(history: Sequence[float], name: str) -> Bounds:
    """The bounds of a measure: median +- 5 robust standard deviations, and never narrower than all but the extremes of history.

    Robust, because one broken day among the days before must not make the next one look normal; with the inner 90 % of history,
    because weekends are a quarter of all days and no outliers.
    """
    tolerance, middle = _TOLERANCES[name], median(history)
    spread = _MAD_TO_SIGMA * median(abs(value - middle) for value in history)
    reach = max(_SPREADS * spread, tolerance.floor, tolerance.share * abs(middle))
    ordered, cut = sorted(history), len(history) // 20
    low, high = min(middle - reach, ordered[cut]), max(middle + reach, ordered[-1 - cut])
    return Bounds(float("-inf") if tolerance.up else max(low, 0.0), min(high, tolerance.most))


def distance_bound(scores: int, before: int) -> Bounds:
    """How far two samples of one distribution may be apart by chance (Kolmogorov-Smirnov at about 0.01 %), and at least 0.25.

    Scores of one episode are alike, so a day's are fewer than they look; the floor makes up for that.
    """
    return Bounds(float("-inf"), max(0.25, 2.2 * sqrt(1 / scores + 1 / before)))


def bounds_of(history: Sequence[Measures], *, least: int) -> dict[str, Bounds]:
    """Bounds of every measure that at least `least` of the days before have."""
    names = {name: None for day in history for name in day}
    values = {name: [day[name] for day in history if name in day] for name in names}
    return {name: usual(found, name) for name, found in values.items() if len(found) >= least}


def suite(name: str, bounds: Mapping[str, Bounds], *, block: bool) -> Any:
    """A suite over one row of measures: each within its bounds."""
    e = library(".expectations")
    severity: dict[str, str] = {} if block else {"severity": WARN}
    return new_suite(
        name,
        [
            e.ExpectColumnValuesToBeBetween(
                column=column,
                min_value=None if found.low == float("-inf") else round(found.low, 6),
                max_value=round(found.high, 6),
                **severity,
            )
            for column, found in bounds.items()
        ],
    )
