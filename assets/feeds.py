"""The asset `feeds`: one scan of every subscription."""

from dataclasses import asdict

from dagster import AssetExecutionContext, MaterializeResult, asset

from assets.workspace import OWNERS, RETRIES, Workspace, check_rows, check_specs, counts, failures_named, run_async, tell
from top5.urls import mask_url


@asset(
    group_name="scan",
    kinds={"python", "http"},
    owners=OWNERS,
    retry_policy=RETRIES,
    check_specs=check_specs("feeds", "scans"),
)
def feeds(context: AssetExecutionContext, workspace: Workspace) -> MaterializeResult:
    """Every followed feed that is due, polled once: validators and episodes go to the catalog, one row per feed and scan to the lake."""
    from top5.feeds.scan import scan
    from top5.feeds.subscriptions import import_defaults

    settings, now = workspace.settings, workspace.clock
    with failures_named(), workspace.catalog() as catalog:
        import_defaults(catalog, settings.feeds_file, now)
        rows = run_async(
            scan(
                catalog,
                settings.scan,
                now=now,
                tz=settings.tz,
                on_row=lambda row: tell(f"{row.title}: {row.reason}", feed_id=row.feed_id),
            )
        )
        landed = [asdict(row) for row in rows]
        # A scan's record is never replaced: a run that is repeated with the same clock finds nothing due.
        size = workspace.lake.write_table("scans", now.strftime("%Y-%m-%dT%H%M%SZ"), landed) if landed else 0
        failing = [feed for feed in catalog.feeds() if feed.failures]
    return MaterializeResult(
        metadata={
            "dagster/row_count": len(rows),
            "new episodes": sum(row.new for row in rows),
            "changed episodes": sum(row.changed for row in rows),
            "reasons": counts(row.reason for row in rows),
            "failing feeds": [
                {
                    "feed": feed.title or mask_url(feed.url),
                    "reason": feed.reason,
                    "message": feed.message,
                    "in a row": feed.failures,
                }
                for feed in failing
            ],
            "bytes received": sum(row.bytes for row in rows),
            "bytes written": size,
            "slowest feed (s)": max((row.seconds for row in rows), default=0.0),
        },
        check_results=check_rows(workspace, "feeds", "scans", landed),
    )
