"""The asset `episodes`: which episodes a day's digest looks at."""

from dagster import AssetCheckSpec, AssetExecutionContext, MaterializeResult, asset

from assets.feeds import feeds
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
from top5.feeds.day import episode_rows


@asset(
    deps=[feeds],
    partitions_def=DAILY,
    backfill_policy=BACKFILL,
    group_name="extract",
    kinds={"python", "parquet"},
    owners=OWNERS,
    retry_policy=RETRIES,
    check_specs=[AssetCheckSpec(check_name("episodes"), asset="episodes", blocking=True)],
)
def episodes(context: AssetExecutionContext, workspace: Workspace) -> MaterializeResult:
    """Episodes that became available on the day, and those that an earlier day had to leave waiting (marked late)."""
    landed, size = [], 0
    with failures_named(), workspace.catalog() as catalog:
        for day in days_of(context):
            rows = episode_rows(catalog.assign_day(day, workspace.settings.digest.late_days))
            size += workspace.lake.write_table("episodes", day, rows)
            progress.get()(f"{day}: {len(rows)} episodes of {len({row['show'] for row in rows})} shows")
            landed += rows
    return MaterializeResult(
        metadata={
            "dagster/partition_row_count": len(landed),
            "late": sum(row["late"] for row in landed),
            "shows": counts(row["show"] for row in landed),
            "with transcript links": sum(row["transcript_links"] > 0 for row in landed),
            "bytes written": size,
        },
        check_results=[check_rows("episodes", "episodes", landed)],
    )
