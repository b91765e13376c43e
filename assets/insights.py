"""The asset `insights`: every candidate paragraph of the day's transcripts, proven."""

from dagster import AssetCheckSpec, AssetExecutionContext, MaterializeResult, asset

from assets.transcripts import transcripts
from assets.workspace import (
    BACKFILL,
    DAILY,
    OWNERS,
    RETRIES,
    Workspace,
    check_name,
    check_rows,
    counts,
    days_of,
    failures_named,
    progress,
)  # fmt: skip
from top5.engines import insight_tools
from top5.insights.day import extract_insights


@asset(
    deps=[transcripts],
    partitions_def=DAILY,
    backfill_policy=BACKFILL,
    group_name="extract",
    kinds={"python", "parquet"},
    owners=OWNERS,
    retry_policy=RETRIES,
    check_specs=[
        AssetCheckSpec(check_name("insights"), asset="insights", blocking=True),
        AssetCheckSpec(check_name("extractions"), asset="insights", blocking=True),
    ],
)
def insights(context: AssetExecutionContext, workspace: Workspace) -> MaterializeResult:
    """What the engine found in each transcript: headline, body, quotes aligned to the words, salience with its reasons."""
    candidates, landed, size = [], [], 0
    with failures_named(), workspace.catalog() as catalog:
        for day in days_of(context):
            words = {row["episode_id"]: row for row in workspace.lake.read_table("transcripts", day)}
            tools = insight_tools(workspace.settings, workspace.lake, catalog, workspace.clock.date())
            found, rows = extract_insights(
                catalog.day_episodes(day),
                words,
                engine=tools.engine,
                embedder=tools.embedder,
                lake=workspace.lake,
                on_row=lambda episode, row: progress.get()(f"{episode.facts.title}: {row['candidates']} candidates"),
            )
            catalog.set_states(day, {row["episode_id"]: (row["state"], row["reason"]) for row in rows})
            size += workspace.lake.write_table("insights", day, found) + workspace.lake.write_table("extractions", day, rows)
            candidates += found
            landed += rows
    return MaterializeResult(
        metadata={
            "dagster/partition_row_count": len(candidates),
            "states": counts(row["state"] for row in landed),
            "rejected candidates": counts(
                r["reason"] for row in landed for r in row["rejection_reasons"] for _ in range(r["count"])
            ),
            "engines": counts(row["engine"] for row in landed),
            "reused": sum(row["reused"] for row in landed),
            "tokens": sum(row["input_tokens"] + row["output_tokens"] for row in landed),
            "cost (USD)": sum(row["cost_usd"] for row in landed),
            "seconds": sum(row["seconds_taken"] for row in landed),
            "bytes written": size,
        },
        check_results=[check_rows("insights", "insights", candidates), check_rows("insights", "extractions", landed)],
    )
