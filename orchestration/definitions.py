"""The code location: assets, checks, jobs, schedules, resources."""

import warnings

from dagster import Definitions, in_process_executor

from assets.deliveries import deliveries
from assets.digests import digests
from assets.episodes import episodes
from assets.feeds import feeds
from assets.insights import insights
from assets.ranking import LEDGERS, ranking
from assets.suggestions import suggestions
from assets.transcripts import transcripts
from assets.workspace import Workspace
from orchestration.jobs import daily_digest, rebuild_days, reread_days, scan_feeds, send_digests, suggest_feeds
from orchestration.schedules import schedules
from orchestration.sensors import tell_failed_checks, tell_failed_runs, watch

with warnings.catch_warnings():
    # Meant: a range is built in one run, its mails are sent in one run a day.
    warnings.filterwarnings("ignore", "Asset job daily_digest materializes assets with varying BackfillPolicies")
    defs = Definitions(
        assets=[feeds, suggestions, episodes, transcripts, insights, *LEDGERS, ranking, digests, deliveries],
        jobs=[daily_digest, rebuild_days, reread_days, scan_feeds, send_digests, suggest_feeds],
        schedules=schedules,
        sensors=[tell_failed_runs, tell_failed_checks, watch],
        resources={"workspace": Workspace()},
        # One process for all steps: each new one would import dagster, dbt and Great Expectations again, half a minute a step.
        executor=in_process_executor,
    )
    # Resolved here and kept, so that the filter above holds for it.
    defs.resolve_job_def(daily_digest.name)
