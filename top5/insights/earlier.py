"""What an earlier build of a day found, for when this one has no money left.

Belongs here: keeping rows of the lake where a repetition could only put an episode off. A day is never made poorer by a budget.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from top5.errors import PermanentError
from top5.lake import Lake

Rows = list[dict[str, Any]]


def keep_earlier(
    lake: Lake, day: date, found: Rows, extractions: Rows, transcripts: Mapping[str, Mapping[str, Any]]
) -> tuple[Rows, Rows, int]:
    """(insight rows, extraction rows, how many episodes were kept) of the day, with what the lake holds of deferred episodes.

    An episode that this build put off, and that an earlier one read from the same words, keeps that build's rows: its insights
    stay in the running and no other day takes it up. Everything else is as given.
    """
    deferred = {row["episode_id"] for row in extractions if row["state"] == "deferred"}
    if not deferred:
        return found, extractions, 0
    try:
        read, told = lake.read_table("extractions", day), lake.read_table("insights", day)
    except PermanentError as error:
        if error.reason not in ("not_built", "broken_table"):
            raise
        return found, extractions, 0
    kept = {row["episode_id"]: row for row in read if row["episode_id"] in deferred and row["state"] == "considered"}
    insights = [row for row in told if row["episode_id"] in kept]
    stale = {row["episode_id"] for row in insights if row["transcript_key"] != transcripts[row["episode_id"]]["transcript_key"]}
    kept = {episode: {**row, "reused": True, "cost_usd": 0.0} for episode, row in kept.items() if episode not in stale}
    return (
        [*found, *(row for row in insights if row["episode_id"] in kept)],
        [kept.get(row["episode_id"], row) for row in extractions],
        len(kept),
    )


def deferred_by_budget(extractions: Sequence[Mapping[str, Any]]) -> int:
    """How many episodes a build put off because the money of the day was spent."""
    return sum(row["state"] == "deferred" and "budget" in row["reason"] for row in extractions)
