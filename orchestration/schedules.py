"""When it runs by itself.

Belongs here: the hours, and which days a tick asks for. Dagster evaluates cron expressions in the settings' time zone: an hour that
a change of clocks skips comes right after the gap, one that it repeats comes once.
"""

from datetime import date, datetime, timedelta

from dagster import (
    DagsterInstance,
    DagsterRun,
    DefaultScheduleStatus,
    RunRequest,
    RunsFilter,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
    schedule,
)

from assets.deliveries import deliveries
from orchestration.jobs import LINE, daily_digest, scan_feeds, send_digests, suggest_feeds
from top5.settings import Settings, load_settings

PARTITION_TAG = "dagster/partition"
BACKFILL_TAG = "dagster/backfill"


def build_schedules(settings: Settings) -> list[ScheduleDefinition]:
    """The hourly scan, the morning's digest, the mails at readers' own hours and the weekly look for shows, all on by default.

    A tick that was missed because nothing ran is made up for once: one scan, each missed day's digest, and whoever's hour has come since.
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

    @schedule(
        name="readers_hours",
        job=send_digests,
        cron_schedule="*/15 * * * *",  # some zones are half or three quarters of an hour off
        execution_timezone="UTC",  # which skips and repeats no hour; each reader's own clock is looked at below
        default_status=DefaultScheduleStatus.RUNNING,
        description="Mails digests that are there to readers whose own hour has come, and what a server put off; builds nothing.",
    )
    def readers_hours(context: ScheduleEvaluationContext) -> list[RunRequest] | SkipReason:
        moment = context.scheduled_execution_time
        days = [day for day in _due(settings, moment) if _is_for_readers(context.instance, day, moment)]
        return [
            RunRequest(
                run_key=f"{day} at {moment.isoformat()}",
                partition_key=day.isoformat(),
                tags={"day": day.isoformat(), "trigger": "schedule"},
            )
            for day in days
        ] or SkipReason("Nobody waits for a digest.")

    return [hourly_scan, morning_digest, readers_hours, weekly_suggestions]


def _due(settings: Settings, moment: datetime) -> list[date]:
    """The days whose digest somebody should get now, oldest first."""
    from top5.catalog.store import Catalog
    from top5.deliveries.day import days_due

    catalog = Catalog.of(settings)
    try:
        return days_due(settings, catalog, now=moment)
    finally:
        catalog.close()


def _is_for_readers(instance: DagsterInstance, day: date, moment: datetime) -> bool:
    """Whether a day was run for its readers, not only rebuilt, no run is about to send it, and none has failed within the hour.

    Two runs at once would be twice as fast as allowed; a server that refuses our password is not to be asked every quarter of an hour.
    """
    from orchestration.run import TRIGGER

    records = instance.get_run_records(RunsFilter(tags={PARTITION_TAG: day.isoformat()}))
    mailing = [record for record in records if _mails(record.dagster_run)]
    for record in mailing:
        run = record.dagster_run
        # A run of the command line that was killed is called running until the next one buries it.
        if not run.is_finished and run.tags.get("trigger") != TRIGGER:
            return False
        if run.is_failure and record.update_timestamp > moment - timedelta(hours=1):
            return False
    return bool(mailing)


def _mails(run: DagsterRun) -> bool:
    asked = run.job_name in (daily_digest.name, send_digests.name) or deliveries.key in (run.asset_selection or ())
    return asked and BACKFILL_TAG not in run.tags


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
