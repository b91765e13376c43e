"""When it runs by itself."""

from dagster import DefaultScheduleStatus, ScheduleDefinition, build_schedule_from_partitioned_job

from orchestration.jobs import daily_digest, scan_feeds
from top5.settings import load_settings

_settings = load_settings()

scan_schedule = ScheduleDefinition(
    name="hourly_scan",
    job=scan_feeds,
    cron_schedule="7 * * * *",  # off the full hour, when everybody else asks the same servers
    execution_timezone=_settings.timezone,
    default_status=DefaultScheduleStatus.RUNNING,
)

daily_digest_schedule = build_schedule_from_partitioned_job(
    daily_digest,
    name="morning_digest",
    hour_of_day=_settings.schedule.digest_hour,
    minute_of_hour=_settings.schedule.digest_minute,
    default_status=DefaultScheduleStatus.RUNNING,
)
