"""What must be true of the rows that Python lands, as Great Expectations suites in code.

Belongs here: one suite per lake table and running it. What SQL builds is tested by dbt; what a failed suite stops is decided by the
assets. Importing the library takes seconds, so it happens inside the functions.
"""

import os
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any, cast

from pydantic import BaseModel, ConfigDict

from top5.tables import EXTRACTION_STATES, SCHEMAS, TRANSCRIPT_STATES


class Failure(BaseModel):
    """One expectation that did not hold: how many rows broke it, and up to three of the values."""

    model_config = ConfigDict(frozen=True)

    expectation: str
    column: str
    rows: int
    examples: tuple[str, ...]


class Validation(BaseModel):
    """The outcome of one suite on the rows of one table."""

    model_config = ConfigDict(frozen=True)

    table: str
    rows: int
    expectations: int
    failures: tuple[Failure, ...]

    @property
    def passed(self) -> bool:
        """Whether every expectation held."""
        return not self.failures


def validate(table: str, rows: Sequence[Mapping[str, Any]]) -> Validation:
    """Run the suite of a lake table on its rows. A table without rows is sound: a day may be empty."""
    if not rows:
        return Validation(table=table, rows=0, expectations=0, failures=())
    import pandas as pd  # pyright: ignore[reportMissingTypeStubs]

    suite = _suite(table)
    # A list is looked at by its length: what is in it has been validated by the models it comes from.
    flat = [
        {name: len(cast("list[object]", value)) if isinstance(value, list) else value for name, value in row.items()}
        for row in rows
    ]
    frame = pd.DataFrame(flat, columns=SCHEMAS[table].names)
    outcomes: list[Any] = _batch_definition(table).get_batch({"dataframe": frame}).validate(suite).results
    failures = tuple(_failure(outcome) for outcome in outcomes if not outcome.success)
    return Validation(table=table, rows=len(rows), expectations=len(outcomes), failures=failures)


def _failure(outcome: Any) -> Failure:
    config, detail = outcome.expectation_config, outcome.result
    columns = config.kwargs.get("column") or config.kwargs.get("column_list") or config.kwargs.get("column_A") or ""
    examples: list[object] = detail.get("partial_unexpected_list") or []
    return Failure(
        expectation=config.type,
        column=str(columns),
        rows=int(detail.get("unexpected_count") or 0),
        examples=tuple(str(value)[:80] for value in examples[:3]),
    )


@cache
def _batch_definition(table: str) -> Any:
    return _data_source().add_dataframe_asset(table).add_batch_definition_whole_dataframe(table)


@cache
def _data_source() -> Any:
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    with warnings.catch_warnings():
        # The library's own imports warn of its dependencies' deprecations.
        warnings.simplefilter("ignore")
        context = _gx().get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        return context.data_sources.add_pandas("lake")


@cache
def _suite(table: str) -> Any:
    _data_source()
    suite = _gx().ExpectationSuite(name=table)
    for expectation in _expectations(table):
        suite.add_expectation(expectation)
    return suite


def _gx(module: str = "") -> Any:
    # The library's types are incomplete, so it is taken as untyped, here and nowhere else.
    return import_module(f"great_expectations{module}")


def _expectations(table: str) -> list[Any]:
    e = _gx(".expectations")
    ready = _gx(".expectations.row_conditions").Column("state") == "ready"
    required = [e.ExpectColumnValuesToNotBeNull(column=field.name) for field in SCHEMAS[table] if not field.nullable]
    match table:
        case "scans":
            own = [
                e.ExpectColumnValuesToBeUnique(column="feed_id"),
                e.ExpectColumnValuesToBeBetween(column="bytes", min_value=0),
                # A masked URL keeps neither user names nor query values.
                e.ExpectColumnValuesToNotMatchRegex(column="url", regex=r"//[^/]*[^*]@|[?&][^=&]+=(?!\*\*\*)"),
            ]
        case "episodes":
            own = [
                e.ExpectColumnValuesToBeUnique(column="episode_id"),
                e.ExpectColumnValueLengthsToBeBetween(column="title", min_value=1, max_value=1000),
                e.ExpectColumnPairValuesAToBeGreaterThanB(column_A="day", column_B="available_on", or_equal=True),
                e.ExpectColumnValuesToBeBetween(column="duration", min_value=0, max_value=86_400),
            ]
        case "transcripts":
            own = [
                e.ExpectColumnValuesToBeUnique(column="episode_id"),
                e.ExpectColumnValuesToBeInSet(column="state", value_set=list(TRANSCRIPT_STATES)),
                e.ExpectColumnValuesToBeBetween(column="trust", min_value=0, max_value=1),
                e.ExpectColumnValuesToBeBetween(column="words", min_value=1, row_condition=ready),
                e.ExpectColumnValuesToNotBeNull(column="transcript_key", row_condition=ready),
            ]
        case "insights":
            own = [
                e.ExpectColumnValuesToBeUnique(column="insight_id"),
                e.ExpectColumnValuesToBeBetween(column="salience", min_value=0, max_value=1),
                e.ExpectColumnValuesToBeBetween(column="words", min_value=25, max_value=60),
                e.ExpectColumnValuesToMatchRegex(column="headline", regex=r"^\S+(?:\s+\S+){1,11}$"),
                e.ExpectColumnValuesToNotMatchRegex(column="body", regex=r"(?i)https?://|\?$|\bpromo code\b|\bthis episode\b"),
                e.ExpectColumnValuesToBeBetween(column="quotes", min_value=1, max_value=3),
            ]
        case "extractions":
            own = [
                e.ExpectColumnValuesToBeUnique(column="episode_id"),
                e.ExpectColumnValuesToBeInSet(column="state", value_set=list(EXTRACTION_STATES)),
                e.ExpectColumnValuesToBeBetween(column="cost_usd", min_value=0),
            ]
        case _:
            raise KeyError(table)
    return [*required, *own]
