"""Who is told of what: runs and checks as they end, and everything else every quarter of an hour.

Belongs here: what only Dagster knows (a run, its checks, how long it has been at work), handed to `top5.alerts`. What counts as
trouble and when to speak of it is decided there. A sensor that fails raises no alert: that is what `top5 deadman` is for.
"""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetCheckEvaluation,
    AssetCheckSeverity,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunsFilter,
    RunStatusSensorContext,
    SensorEvaluationContext,
    SkipReason,
    run_status_sensor,
    sensor,
)

from orchestration.jobs import daily_digest, rebuild_days
from orchestration.schedules import PARTITION_TAG
from top5.settings import Settings, load_settings

if TYPE_CHECKING:
    from top5.alerts.model import Alert
    from top5.catalog.store import Catalog

WATCH_SECONDS = 900
_UNFINISHED = [DagsterRunStatus.QUEUED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
_FIRST_DAY, _LAST_DAY = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@run_status_sensor(
    run_status=DagsterRunStatus.FAILURE,
    name="tell_failed_runs",
    monitor_all_code_locations=True,  # runs of the command line belong to none
    default_status=DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="A run failed: which step or check, why, and what to do.",
)
def tell_failed_runs(context: RunStatusSensorContext) -> None:
    """Raise an alert on the run and one on each check that failed in it, and send what is due."""
    with _desk() as (settings, catalog):
        run_ended(context.instance, context.dagster_run, settings, catalog, _now())


@run_status_sensor(
    run_status=DagsterRunStatus.SUCCESS,
    name="tell_failed_checks",
    monitor_all_code_locations=True,
    default_status=DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="A run succeeded: checks that failed without stopping it, what is over now, and the health-check ping.",
)
def tell_failed_checks(context: RunStatusSensorContext) -> None:
    """Raise alerts on failed checks, close what this run mended, and ping."""
    with _desk() as (settings, catalog):
        run_ended(context.instance, context.dagster_run, settings, catalog, _now())
        if context.dagster_run.job_name == daily_digest.name:
            from top5.alerts.ping import ping

            ping(settings)


@sensor(
    name="watch",
    minimum_interval_seconds=WATCH_SECONDS,
    default_status=DefaultSensorStatus.RUNNING,
    description="Feeds, digest, deliveries, budget, disk and runs that hang: told once for each cause and day, and when it is over.",
)
def watch(context: SensorEvaluationContext) -> SkipReason:
    """Look at everything that is no run, and send what is due. Starts nothing, so each tick is a skip that says what is open."""
    from top5.alerts.desk import settle, tell
    from top5.alerts.watch import WATCHED, look
    from top5.catalog.alerts import forget_alerts

    with _desk() as (settings, catalog):
        now = _now()
        found = look(settings, catalog, now) + stuck_runs(context.instance, settings, now)
        settle(catalog, found, [*WATCHED, "run-stuck"], now)
        # What happened once, and was told twice, is no longer news.
        forget_alerts(catalog, ["run-failed", "check-failed"], now - timedelta(days=2 * settings.alerts.remind_days), now)
        told = tell(catalog, settings, now)
    return SkipReason(f"{told.open} open, {len(told.messages)} messages sent, {told.held} held for the end of the quiet hours.")


def run_ended(instance: DagsterInstance, run: DagsterRun, settings: Settings, catalog: "Catalog", now: datetime) -> None:
    """What a finished run means for the operator: alerts raised and closed, and what is due is sent."""
    from top5.alerts.desk import settle, tell
    from top5.catalog.alerts import close_alerts, kept_alerts

    evaluations = _evaluations(instance, run.run_id)
    link = run_link(settings, run.run_id)
    settle(catalog, [_check_alert(found, run, link) for found in evaluations if not found.passed], (), now)
    mended = [
        f"check-failed:{found.asset_key.to_user_string()}:{found.check_name}"[:200] for found in evaluations if found.passed
    ]
    if run.status == DagsterRunStatus.SUCCESS:
        mended += [alert.cause for alert in kept_alerts(catalog, open_only=True) if _mends(run, alert.cause)]
    else:
        settle(catalog, [_run_alert(instance, run, link)], (), now)
    close_alerts(catalog, mended, now)
    tell(catalog, settings, now)


def stuck_runs(instance: DagsterInstance, settings: Settings, now: datetime) -> "list[Alert]":
    """Runs that have been queued or at work for longer than `alerts.run_hours`."""
    from top5.alerts.causes import run_stuck

    limit = timedelta(hours=settings.alerts.run_hours)
    records = instance.get_run_records(RunsFilter(statuses=_UNFINISHED, created_before=now - limit))
    return [
        run_stuck(
            record.dagster_run.job_name,
            day_of(record.dagster_run),
            (now - record.create_timestamp).total_seconds() / 3600,
            run_id=record.dagster_run.run_id,
            link=run_link(settings, record.dagster_run.run_id),
        )
        for record in records
    ]


def day_of(run: DagsterRun) -> str | None:
    """The day of a run, or `first to last` of a range; None for what has no days."""
    if _FIRST_DAY in run.tags:
        return f"{run.tags[_FIRST_DAY]} to {run.tags[_LAST_DAY]}"
    return run.tags.get(PARTITION_TAG)


def run_link(settings: Settings, run_id: str) -> str | None:
    """The run in the UI, where the settings say where that is."""
    return f"{settings.alerts.ui_url.rstrip('/')}/runs/{run_id}" if settings.alerts.ui_url else None


def _evaluations(instance: DagsterInstance, run_id: str) -> list[AssetCheckEvaluation]:
    entries = instance.all_logs(run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION)
    return [event.asset_check_evaluation_data for entry in entries if (event := entry.dagster_event)]


def _check_alert(found: AssetCheckEvaluation, run: DagsterRun, link: str | None) -> "Alert":
    from top5.alerts.causes import check_failed

    metadata = {name: value.value for name, value in found.metadata.items()}
    failures: Any = metadata.get("failures") or []
    rows = metadata.get("dagster_dbt/failed_row_count")
    return check_failed(
        found.asset_key.to_user_string(),
        found.check_name,
        day_of(run),
        blocking=found.blocking is not False and found.severity == AssetCheckSeverity.ERROR,
        sentence=found.description or "",
        rows=int(rows) if isinstance(rows, int | float) else None,
        examples=[example for failure in failures for example in failure["examples"]],
        link=link,
    )


def _run_alert(instance: DagsterInstance, run: DagsterRun, link: str | None) -> "Alert":
    from orchestration.run import outcome_of
    from top5.alerts.causes import run_failed

    entries = instance.all_logs(run.run_id, of_type={DagsterEventType.STEP_FAILURE, DagsterEventType.ASSET_CHECK_EVALUATION})
    outcome = outcome_of(run.run_id, False, _events(entries))
    return run_failed(run.job_name, day_of(run), outcome.trouble, run_id=run.run_id, link=link)


def _events(entries: Iterable[Any]) -> Iterable[Any]:
    return (entry.dagster_event for entry in entries if entry.dagster_event)


def _mends(run: DagsterRun, cause: str) -> bool:
    """Whether a run that succeeded makes up for a failed one: of the same job or of all of a day, over the same days or more."""
    kind, _, rest = cause.partition(":")
    job, _, days = rest.partition(":")
    if kind != "run-failed" or (job != run.job_name and run.job_name not in (daily_digest.name, rebuild_days.name)):
        return False
    built, failed = _first_and_last(day_of(run) or ""), _first_and_last(days)
    return built[0] <= failed[0] and failed[1] <= built[1] and bool(days) == bool(day_of(run))


def _first_and_last(days: str) -> tuple[str, str]:
    first, _, last = days.partition(" to ")
    return first, last or first


@contextmanager
def _desk() -> "Generator[tuple[Settings, Catalog], None, None]":
    from top5.cli import open_catalog

    settings = load_settings()
    with open_catalog(settings) as catalog:
        yield settings, catalog


def _now() -> datetime:
    return datetime.now(UTC)
