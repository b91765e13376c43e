"""The asset `digests`: the day's choice, frozen and rendered."""

from dagster import AssetExecutionContext, AssetKey, MarkdownMetadataValue, MaterializeResult, asset

from assets.workspace import BACKFILL, DAILY, OWNERS, RETRIES, Workspace, days_of, failures_named, tell

MARTS = [AssetKey("daily_top_insights"), AssetKey("daily_summary")]


@asset(
    deps=MARTS,
    partitions_def=DAILY,
    backfill_policy=BACKFILL,
    group_name="deliver",
    kinds={"python", "html", "json"},
    owners=OWNERS,
    retry_policy=RETRIES,
)
def digests(context: AssetExecutionContext, workspace: Workspace) -> MaterializeResult:
    """The day's five as HTML, text and JSON, frozen: a new revision only where something changed, with what changed."""
    from top5.digests.day import digest_folder, freeze
    from top5.digests.render import render_markdown

    settings = workspace.settings
    with failures_named(), workspace.catalog() as catalog:
        frozen = [freeze(day, settings, catalog, workspace.lake, now=workspace.clock) for day in days_of(context)]
    for done in frozen:
        digest = done.digest
        tell(f"{digest.day}: {len(digest.insights)} insights, revision {digest.revision}")
        # Of a range each day is given its own.
        context.add_asset_metadata(
            {
                "preview": MarkdownMetadataValue(render_markdown(digest)),
                "dagster/partition_row_count": len(digest.insights),
                "episodes considered": digest.considered.episodes,
                "candidates considered": digest.considered.candidates,
                "short because": digest.short_because or "",
                "left out": [left.model_dump() for left in digest.left_out],
                "revision": digest.revision,
                "changes": list(done.changes),
                "folder": str(digest_folder(settings.home, digest.day)),
            },
            partition_key=digest.day.isoformat(),
        )
    return MaterializeResult()
