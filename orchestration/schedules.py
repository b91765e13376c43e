"""When it runs by itself."""

from datetime import timedelta

from dagster import DefaultScheduleStatus, RunRequest, ScheduleDefinition, ScheduleEvaluationContext, SkipReason, schedule

from orchestration.jobs import daily_digest, scan_feeds, suggest_feeds
from top5.settings import load_settings

_settings = load_settings()

scan_schedule = ScheduleDefinition(
    name="hourly_scan",
    job=scan_feeds,
    cron_schedule="7 * * * *",  # off the full hour, when everybody else asks the same servers
    execution_timezone=_settings.timezone,
    default_status=DefaultScheduleStatus.RUNNING,
)

suggest_schedule = ScheduleDefinition(
    name="weekly_suggestions",
    job=suggest_feeds,
    cron_schedule="37 4 * * 1",
    execution_timezone=_settings.timezone,
    default_status=DefaultScheduleStatus.RUNNING,
)


@schedule(
    name="morning_digest",
    job=daily_digest,
    cron_schedule=f"{_settings.schedule.digest_minute} {_settings.schedule.digest_hour} * * *",
    execution_timezone=_settings.timezone,
    default_status=DefaultScheduleStatus.RUNNING,
)
def daily_digest_schedule(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
    """Every morning the day that has just ended."""
    day = context.scheduled_execution_time.astimezone(_settings.tz).date() - timedelta(days=1)
    if day < _settings.start_date:
        return SkipReason(f"{day} lies before start_date ({_settings.start_date}).")
    return RunRequest(
        run_key=day.isoformat(), partition_key=day.isoformat(), tags={"day": day.isoformat(), "trigger": "schedule"}
    )
