"""What every row must keep, table by table.

Belongs here: one suite per lake table. What a day is usually like is in `drift`.
"""

from functools import cache
from typing import Any

from top5.quality.gx import library, new_suite
from top5.tables import EXTRACTION_STATES, SCHEMAS, TRANSCRIPT_STATES

WARN = "warning"
"""The library's word for what is told of and stops nothing; without it a broken expectation stops what comes after."""


@cache
def suite(table: str) -> Any:
    """The suite of a lake table. Raises KeyError for a table without one."""
    return new_suite(table, expectations(table))


def expectations(table: str) -> list[Any]:
    """What must be true of the table's rows. A list is looked at by its length."""
    e = library(".expectations")
    ready = library(".expectations.row_conditions").Column("state") == "ready"
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
                e.ExpectCompoundColumnsToBeUnique(column_list=["day", "episode_id"]),
                e.ExpectColumnValueLengthsToBeBetween(column="title", min_value=1, max_value=1000),
                e.ExpectColumnPairValuesAToBeGreaterThanB(column_A="day", column_B="available_on", or_equal=True),
                e.ExpectColumnValuesToBeBetween(column="duration", min_value=0, max_value=86_400),
            ]
        case "transcripts":
            own = [
                e.ExpectCompoundColumnsToBeUnique(column_list=["day", "episode_id"]),
                e.ExpectColumnValuesToBeInSet(column="state", value_set=list(TRANSCRIPT_STATES)),
                e.ExpectColumnValuesToBeBetween(column="trust", min_value=0, max_value=1),
                e.ExpectColumnValuesToBeBetween(column="words", min_value=1, row_condition=ready),
                e.ExpectColumnValuesToNotBeNull(column="transcript_key", row_condition=ready),
            ]
        case "insights":
            own = [
                e.ExpectCompoundColumnsToBeUnique(column_list=["day", "insight_id"]),
                e.ExpectColumnValuesToBeBetween(column="salience", min_value=0, max_value=1),
                e.ExpectColumnValuesToBeBetween(column="words", min_value=25, max_value=60),
                e.ExpectColumnValuesToMatchRegex(column="headline", regex=r"^\S+(?:\s+\S+){1,11}$"),
                e.ExpectColumnValuesToNotMatchRegex(column="body", regex=r"(?i)https?://|\?$|\bpromo code\b|\bthis episode\b"),
                e.ExpectColumnValuesToBeBetween(column="quotes", min_value=1, max_value=3),
                # The house style; a day may have some that are off, a day of them is another prompt or model.
                e.ExpectColumnValuesToBeBetween(column="words", min_value=38, max_value=52, mostly=0.7, severity=WARN),
                e.ExpectColumnValueLengthsToBeBetween(column="body", min_value=240, max_value=400, mostly=0.7, severity=WARN),
            ]
        case "extractions":
            own = [
                e.ExpectCompoundColumnsToBeUnique(column_list=["day", "episode_id"]),
                e.ExpectColumnValuesToBeInSet(column="state", value_set=list(EXTRACTION_STATES)),
                e.ExpectColumnValuesToBeBetween(column="cost_usd", min_value=0),
            ]
        case _:
            raise KeyError(table)
    return [*required, *own]
