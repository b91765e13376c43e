"""Running a suite on rows.

Belongs here: rows to frames, outcomes to `Validation`. The expectations are in `suites` and `drift`, the process that runs them in `apart`.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, cast

from top5.lake import Lake
from top5.quality import apart, drift, suites
from top5.quality.gx import batch_definition
from top5.quality.history import days_before, measures, score_distance, scores_before
from top5.quality.model import Failure, Validation
from top5.quality.pages import write_page
from top5.settings import QualitySettings
from top5.tables import SCHEMAS


def validate(table: str, rows: Sequence[Mapping[str, Any]], *, home: Path | None = None, part: str = "") -> Validation:
    """Run the suite of a lake table on its rows. A table without rows is sound: a day may be empty.

    With `home` the outcome is kept as a page of Data Docs named by `part`, the day as a rule.
    """
    if not rows:
        return Validation(table=table, rows=0, expectations=0, failures=())
    # A list is looked at by its length: what is in it has been validated by the models it comes from.
    flat = [
        {name: len(cast("list[object]", value)) if isinstance(value, list) else value for name, value in row.items()}
        for row in rows
    ]
    return apart.run(_check_rows, table, flat, home, part)


def compare_with_history(
    table: str, day: date, rows: Sequence[Mapping[str, Any]], lake: Lake, settings: QualitySettings, *, home: Path | None = None
) -> Validation:
    """Compare a day's rows with those of the days before. Silent with little history, and about measures that the day has not.

    Every failure names the measure, what it is and what is usual; its severity is `settings.drift`.
    """
    name = f"{table}_as_usual"
    history = days_before(lake, table, day, settings.history_days)
    today = dict(measures(table, rows))
    bounds = {
        measure: found for measure, found in drift.bounds_of(history, least=settings.min_history_days).items() if measure in today
    }
    if table == "insights" and len(history) >= settings.min_history_days:
        scores, before = [row["salience"] for row in rows], scores_before(lake, day, settings.history_days)
        distance = score_distance(scores, before)
        if distance is not None:
            today["score_distance"], bounds["score_distance"] = distance, drift.distance_bound(len(scores), len(before))
    if not bounds:
        return Validation(table=table, rows=len(rows), expectations=0, failures=())
    outcome = apart.run(_check_measures, name, today, bounds, settings.drift == "block", home, day.isoformat())
    failures = tuple(failure.model_copy(update={"rows": 0}) for failure in outcome.failures)
    return outcome.model_copy(update={"table": table, "rows": len(rows), "failures": failures})


def _check_rows(table: str, rows: Sequence[Mapping[str, Any]], home: Path | None, part: str) -> Validation:
    return _run(table, suites.suite(table), rows, SCHEMAS[table].names, home, part)


def _check_measures(
    name: str, today: Mapping[str, float], bounds: Mapping[str, drift.Bounds], block: bool, home: Path | None, part: str
) -> Validation:
    return _run(name, drift.suite(name, bounds, block=block), [today], list(bounds), home, part)


def _run(
    name: str, suite: Any, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], home: Path | None, part: str
) -> Validation:
    import pandas as pd  # pyright: ignore[reportMissingTypeStubs]

    frame = pd.DataFrame({name: [row.get(name) for row in rows] for name in columns})
    outcome: Any = batch_definition(name).get_batch({"dataframe": frame}).validate(suite)
    results: list[Any] = outcome.results
    failures = tuple(_failure(result) for result in results if not result.success)
    page = write_page(home, name, part, outcome) if home else None
    return Validation(table=name, expectations=len(results), failures=failures, page=page, rows=len(rows))


def _failure(outcome: Any) -> Failure:
    config, detail = outcome.expectation_config, outcome.result
    columns = config.kwargs.get("column_list") or [config.kwargs.get("column") or config.kwargs.get("column_A") or ""]
    examples: list[object] = detail.get("partial_unexpected_list") or []
    return Failure(
        expectation=config.type,
        column=" and ".join(columns),
        rows=int(detail.get("unexpected_count") or 0),
        examples=tuple(_shown(value) for value in examples[:3]),
        expected=_range(config.kwargs.get("min_value"), config.kwargs.get("max_value")),
        severity="warn" if str(getattr(config.severity, "value", config.severity)) == suites.WARN else "block",
    )


def _range(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"at most {_shown(high)}" if high is not None else f"at least {_shown(low)}" if low is not None else ""
    return f"{_shown(low)} to {_shown(high)}"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(_shown(part) for part in cast("dict[str, object]", value).values())
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:80]
