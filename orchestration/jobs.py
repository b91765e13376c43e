"""What is run together."""

from dagster import AssetSelection, define_asset_job

from assets.feeds import feeds
from assets.suggestions import suggestions

scan_feeds = define_asset_job(
    "scan_feeds",
    selection=AssetSelection.assets(feeds),
    description="Poll every followed feed once.",
    tags={"trigger": "scan"},
)

suggest_feeds = define_asset_job(
    "suggest_feeds",
    selection=AssetSelection.assets(suggestions),
    description="Look for shows on the topics in settings.",
    tags={"trigger": "suggestions"},
)

daily_digest = define_asset_job(
    "daily_digest",
    selection=AssetSelection.all() - AssetSelection.assets(suggestions),
    description="The main job: scan, read, choose the day's five, freeze the digest and deliver it.",
    tags={"trigger": "daily"},
)
