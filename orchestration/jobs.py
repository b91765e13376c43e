"""What is run together."""

from dagster import AssetSelection, define_asset_job

from assets.deliveries import deliveries
from assets.episodes import episodes
from assets.feeds import feeds
from assets.suggestions import suggestions

BY_HAND = "by hand"
"""The tag `trigger` of a run that nothing else has started; schedules and the command line put their own in its place."""

LINE = {"line": "digest"}
"""Runs with this tag wait for each other (orchestration/instance.py): what an earlier day chose decides what is new on the next."""

scan_feeds = define_asset_job(
    "scan_feeds",
    selection=AssetSelection.assets(feeds),
    description="Poll every followed feed that is due, once.",
    tags={"trigger": BY_HAND},
)

suggest_feeds = define_asset_job(
    "suggest_feeds",
    selection=AssetSelection.assets(suggestions),
    description="Look for shows on the topics in settings.",
    tags={"trigger": BY_HAND},
)

daily_digest = define_asset_job(
    "daily_digest",
    selection=AssetSelection.all() - AssetSelection.assets(suggestions),
    description=(
        "The main job: scan, read, choose the day's five, freeze the digest and deliver it. "
        "Its backfills are day by day, one run a day; a day older than yesterday is mailed only with `send_old`."
    ),
    tags={"trigger": BY_HAND, **LINE},
)

send_digests = define_asset_job(
    "send_digests",
    selection=AssetSelection.assets(deliveries),
    description=(
        "Mail a day's digest, as it is, to everybody who is due and lacks it; builds nothing. "
        "The schedule `readers_hours` starts it; started by hand it is the approval that `delivery.approval` asks for."
    ),
    # In no line: a reader's hour does not wait for another day that is being built.
    tags={"trigger": BY_HAND},
)

rebuild_days = define_asset_job(
    "rebuild_days",
    selection=AssetSelection.all() - AssetSelection.assets(suggestions, feeds, deliveries),
    description=(
        "Build days again, a whole range in one run: what is kept is used again, no feed is polled and nothing is mailed. "
        "With another engine or model: set it under `insights` in the run config. `top5 forecast` says what it will take."
    ),
    tags={"trigger": BY_HAND},
)

reread_days = define_asset_job(
    "reread_days",
    selection=AssetSelection.all() - AssetSelection.assets(suggestions, feeds, episodes, "transcripts", deliveries),
    description="From the insights on, a whole range in one run: read the words again, with another engine or model if you say so.",
    tags={"trigger": BY_HAND},
)
