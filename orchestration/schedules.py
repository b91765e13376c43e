"""When it runs by itself.

Belongs here: the hours, and which days a tick asks for. Dagster evaluates cron expressions in the settings' time zone: an hour that
a change of clocks skips comes right after the gap, one that it repeats comes once.
"""

from datetime import date, timedelta

from dagster import (
    DagsterInstance,
    DefaultScheduleStatus,
    RunRequest,
    RunsFilter,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
    schedule,
)

from orchestration.jobs import LINE, daily_digest, scan_feeds, suggest_feeds
from top5.settings import Settings, load_settings

PARTITION_TAG = "dagster/partition"


def build_schedules(settings: Settings) -> list[ScheduleDefinition]:
    """The hourly scan, the morning's digest and the weekly look for shows, all on by default.

    A tick that was missed because nothing ran is made up for once: one scan, and each missed day's digest.
    """

    @schedule(
        name="hourly_scan",
        job=scan_feeds,
        cron_schedule="7 * * * *",  # off the full hour, when everybody else asks the same servers
        execution_timezone=settings.timezone,
        default_status=DefaultScheduleStatus.RUNNING,
        description="Polls the feeds that are due; each feed has a rhythm of its own.",
    )
    def hourly_scan(context: ScheduleEvaluationContext) -> RunRequest:
        day = context.scheduled_execution_time.astimezone(settings.tz).date()
        return RunRequest(tags={"day": day.isoformat(), "trigger": "schedule"})

    @schedule(
        name="weekly_suggestions",
        job=suggest_feeds,
        cron_schedule="37 4 * * 1",
        execution_timezone=settings.timezone,
        default_status=DefaultScheduleStatus.RUNNING,
        description="Looks for shows on the topics in [discover].",
    )
    def weekly_suggestions(context: ScheduleEvaluationContext) -> RunRequest:
        day = context.scheduled_execution_time.astimezone(settings.tz).date()
        return RunRequest(tags={"day": day.isoformat(), "trigger": "schedule"})

    @schedule(
        name="morning_digest",
        job=daily_digest,
        cron_schedule=f"{settings.schedule.digest_minute} {settings.schedule.digest_hour} * * *",
        execution_timezone=settings.timezone,
        default_status=DefaultScheduleStatus.RUNNING,
        description="Every morning the day that has just ended, after the days that were missed, oldest first.",
    )
    def morning_digest(context: ScheduleEvaluationContext) -> list[RunRequest] | SkipReason:
        last = context.scheduled_execution_time.astimezone(settings.tz).date() - timedelta(days=1)
        if last < settings.start_date:
            return SkipReason(f"{last} lies before start_date ({settings.start_date}).")
        missed = [day for day in _missed(settings, last) if not _was_run(context.instance, day)]
        return [*(_request(day, "catch-up") for day in missed), _request(last, "schedule")]

    return [hourly_scan, morning_digest, weekly_suggestions]


def _missed(settings: Settings, last: date) -> list[date]:
    """The days before `last` that should have a digest and have none, oldest first."""
    from top5.alerts.watch import missing_days
    from top5.catalog.store import Catalog

    catalog = Catalog.of(settings)
    try:
        return [day for day in missing_days(settings, catalog, last) if day < last]
    finally:
        catalog.close()


def _was_run(instance: DagsterInstance, day: date) -> bool:
    # A run that failed has raised an alert: it is for a person to mend, not for the next morning to try for ever.
    return instance.get_runs_count(RunsFilter(job_name=daily_digest.name, tags={PARTITION_TAG: day.isoformat()})) > 0


def _request(day: date, trigger: str) -> RunRequest:
    # Ahead of a backfill that waits in the same line; among themselves in the order of the days.
    tags = {"day": day.isoformat(), "trigger": trigger, "dagster/priority": "1", **LINE}
    return RunRequest(run_key=day.isoformat(), partition_key=day.isoformat(), tags=tags)


schedules = build_schedules(load_settings())
