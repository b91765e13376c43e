"""The asset `episodes`: which episodes a day's digest looks at."""

from dagster import AssetExecutionContext, MaterializeResult, asset

from assets.feeds import feeds
from assets.workspace import (
    BACKFILL,
    DAILY,
    OWNERS,
    RETRIES,
    Workspace,
    check_rows,
    check_specs,
    counts,
    days_of,
    failures_named,
    per_day,
    tell,
)  # fmt: skip


@asset(
    deps=[feeds],
    partitions_def=DAILY,
    backfill_policy=BACKFILL,
    group_name="extract",
    kinds={"python", "parquet"},
    owners=OWNERS,
    retry_policy=RETRIES,
    check_specs=check_specs("episodes", "episodes"),
)
def episodes(context: AssetExecutionContext, workspace: Workspace) -> MaterializeResult:
    """Episodes that became available on the day, and those that an earlier day had to leave waiting (marked late)."""
    from top5.feeds.day import episode_rows

    landed, size = [], 0
    with failures_named(), workspace.catalog() as catalog:
        for day in days_of(context):
            rows = episode_rows(catalog.assign_day(day, workspace.settings.digest.late_days))
            size += workspace.lake.write_table("episodes", day, rows)
            tell(f"{day}: {len(rows)} episodes of {len({row['show'] for row in rows})} shows")
            landed += rows
    per_day(context, "dagster/partition_row_count", landed)
    return MaterializeResult(
        metadata={
            "dagster/partition_row_count": len(landed),
            "late": sum(row["late"] for row in landed),
            "shows": counts(row["show"] for row in landed),
            "with transcript links": sum(row["transcript_links"] > 0 for row in landed),
            "bytes written": size,
        },
        check_results=check_rows(workspace, "episodes", "episodes", landed, days_of(context)),
    )
