"""The code location: assets, checks, jobs, schedules, resources."""

from dagster import Definitions, in_process_executor

from assets.deliveries import deliveries
from assets.digests import digests
from assets.episodes import episodes
from assets.feeds import feeds
from assets.insights import insights
from assets.ranking import ranking
from assets.suggestions import suggestions
from assets.transcripts import transcripts
from assets.workspace import Workspace
from orchestration.jobs import daily_digest, scan_feeds, suggest_feeds
from orchestration.schedules import daily_digest_schedule, scan_schedule, suggest_schedule

defs = Definitions(
    assets=[feeds, suggestions, episodes, transcripts, insights, ranking, digests, deliveries],
    jobs=[daily_digest, scan_feeds, suggest_feeds],
    schedules=[daily_digest_schedule, scan_schedule, suggest_schedule],
    resources={"workspace": Workspace()},
    # One process for all steps: each new one would import dagster, dbt and Great Expectations again, half a minute a step.
    executor=in_process_executor,
)
