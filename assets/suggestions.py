"""The asset `suggestions`: shows worth following, for the topics in settings."""

from dagster import AssetExecutionContext, MaterializeResult, asset

from assets.workspace import OWNERS, RETRIES, Workspace, failures_named, run_async
from top5.urls import mask_url


@asset(group_name="scan", kinds={"python", "http"}, owners=OWNERS, retry_policy=RETRIES)
def suggestions(context: AssetExecutionContext, workspace: Workspace) -> MaterializeResult:
    """Shows found for the topics in settings that are not followed yet, ranked with reasons; the best are followed, up to a cap."""
    from top5.feeds.subscriptions import accept_best, find_shows

    settings, now = workspace.settings, workspace.clock
    with failures_named(), workspace.catalog() as catalog:
        shows, troubles, new = run_async(find_shows(catalog, settings.discover.topics, settings, now))
        accepted = accept_best(catalog, shows, settings.discover.auto_accept, now)
    return MaterializeResult(
        metadata={
            "dagster/row_count": len(shows),
            "topics": list(settings.discover.topics),
            "new": new,
            "followed by itself": [show.title for show in accepted],
            "best": [{"show": show.title, "url": mask_url(show.url), "why": "; ".join(show.reasons)} for show in shows[:10]],
            "troubles": troubles,
        }
    )
