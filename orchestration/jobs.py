"""What is run together."""

from dagster import AssetSelection, define_asset_job

from assets.feeds import feeds

scan_feeds = define_asset_job(
    "scan_feeds",
    selection=AssetSelection.assets(feeds),
    description="Poll every followed feed once.",
    tags={"trigger": "scan"},
)

daily_digest = define_asset_job(
    "daily_digest",
    selection=AssetSelection.all(),
    description="The main job: scan, read, choose the day's five, freeze the digest and deliver it.",
    tags={"trigger": "daily"},
)
