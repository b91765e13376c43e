"""The asset `digests`: the day's choice, frozen and rendered."""

from dagster import AssetExecutionContext, AssetKey, MarkdownMetadataValue, MaterializeResult, asset

from assets.workspace import BACKFILL, DAILY, OWNERS, RETRIES, Workspace, days_of, failures_named, progress
from top5.digests.day import digest_folder, freeze
from top5.digests.render import render_markdown

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
    settings = workspace.settings
    with failures_named(), workspace.catalog() as catalog:
        frozen = [freeze(day, settings, catalog, workspace.lake, now=workspace.clock) for day in days_of(context)]
    for done in frozen:
        progress.get()(f"{done.digest.day}: {len(done.digest.insights)} insights, revision {done.digest.revision}")
    last = frozen[-1]
    return MaterializeResult(
        metadata={
            "preview": MarkdownMetadataValue(render_markdown(last.digest)),
            "dagster/partition_row_count": sum(len(done.digest.insights) for done in frozen),
            "episodes considered": sum(done.digest.considered.episodes for done in frozen),
            "candidates considered": sum(done.digest.considered.candidates for done in frozen),
            "short because": last.digest.short_because or "",
            "left out": [left.model_dump() for left in last.digest.left_out],
            "revision": last.digest.revision,
            "changes": list(last.changes),
            "folder": str(digest_folder(settings.home, last.digest.day)),
        }
    )
