"""When it runs by itself, with Dagster's own evaluation of schedules and its own scheduler."""

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, takewhile
from pathlib import Path

import pytest
from dagster import (
    DagsterInstance,
    DagsterRunStatus,
    DefaultScheduleStatus,
    RunRequest,
    ScheduleDefinition,
    build_schedule_context,
)
from dagster._core.test_utils import create_test_daemon_workspace_context, freeze_time
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import PythonFileTarget
from dagster._scheduler.scheduler import launch_scheduled_runs
from dagster._utils.schedules import schedule_execution_time_iterator

from orchestration.definitions import defs
from orchestration.instance import prepare_home
from orchestration.schedules import build_schedules
from tests.conftest import ROOT
from top5.catalog.store import Catalog
from top5.catalog.subscribers import SubscriberStore
from top5.settings import ScheduleSettings, Settings, load_settings
from top5.subscribers.model import Preferences, SubscriberState


def schedules_of(settings: Settings) -> dict[str, ScheduleDefinition]:
    return {schedule.name: schedule for schedule in build_schedules(settings)}


def ticks(schedule: ScheduleDefinition, first: datetime, last: datetime) -> list[datetime]:
    """Dagster's own moments of a schedule from `first` until before `last`, in UTC."""
    moments = schedule_execution_time_iterator(
        first.timestamp(), str(schedule.cron_schedule), schedule.execution_timezone, ascending=True
    )
    return [moment.astimezone(UTC) for moment in takewhile(lambda moment: moment < last, moments)]


def requests(schedule: ScheduleDefinition, moment: datetime, instance: DagsterInstance) -> list[RunRequest]:
    with freeze_time(moment):
        context = build_schedule_context(instance, repository_def=defs.get_repository_def(), scheduled_execution_time=moment)
        return list(schedule.evaluate_tick(context).run_requests or [])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOP5_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def instance(home: Path) -> Iterator[DagsterInstance]:
    prepare_home(home)
    with DagsterInstance.get() as instance:
        yield instance


@pytest.fixture(scope="module")
def quiet_instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterInstance]:
    """One for all tests that leave nothing behind: no feed is followed, so nothing was missed."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOP5_HOME", str(home))
        prepare_home(home)
        with DagsterInstance.get() as instance:
            yield instance


def test_the_schedules_are_on_by_default_and_say_what_they_do():
    schedules = {schedule.name: schedule for schedule in defs.schedules or []}
    assert set(schedules) == {"hourly_scan", "morning_digest", "readers_hours", "weekly_suggestions"}
    assert all(schedule.default_status == DefaultScheduleStatus.RUNNING for schedule in schedules.values())  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("zone", "night"),
    [
        ("Europe/Berlin", date(2026, 10, 25)),
        ("Europe/Berlin", date(2027, 3, 28)),
        ("America/New_York", date(2026, 11, 1)),
        ("America/New_York", date(2027, 3, 14)),
    ],
)
@pytest.mark.parametrize("hour", [1, 2, 3])
def test_each_day_has_one_digest_on_nights_that_change_clocks(quiet_instance: DagsterInstance, zone: str, night: date, hour: int):
    settings = load_settings().model_copy(
        update={"timezone": zone, "schedule": ScheduleSettings(digest_hour=hour, digest_minute=30)}
    )
    digest = schedules_of(settings)["morning_digest"]
    around = datetime(night.year, night.month, night.day, tzinfo=settings.tz)
    moments = ticks(digest, around - timedelta(days=2), around + timedelta(days=3))
    asked = [requests(digest, moment, quiet_instance) for moment in moments]
    assert [[request.partition_key for request in each] for each in asked] == [
        [(night + timedelta(days=after - 1)).isoformat()] for after in range(-2, 3)
    ]
    local = [moment.astimezone(settings.tz) for moment in moments]
    assert all((moment.hour, moment.minute) == (hour, 30) for moment in local if moment.date() != night)
    (changed,) = [moment for moment in local if moment.date() == night]
    assert changed.hour in (hour, hour + 1)  # an hour that the night skips comes right after the gap


@pytest.mark.parametrize(("night", "scans"), [(date(2026, 10, 25), 25), (date(2027, 3, 28), 23)])
def test_there_is_a_scan_in_every_hour_that_there_is(night: date, scans: int):
    settings = load_settings().model_copy(update={"timezone": "Europe/Berlin"})
    begin = datetime(night.year, night.month, night.day, tzinfo=settings.tz)
    end = datetime(night.year, night.month, night.day + 1 if night.day < 30 else 1, tzinfo=settings.tz)
    found = ticks(schedules_of(settings)["hourly_scan"], begin, end)
    assert len(found) == scans
    assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(hours=1)}


def test_a_run_says_which_day_it_is_for_and_who_asked(quiet_instance: DagsterInstance):
    schedules = schedules_of(load_settings())
    morning = datetime(2026, 9, 17, 6, tzinfo=UTC)
    (digest,) = requests(schedules["morning_digest"], morning, quiet_instance)
    assert {"day": "2026-09-16", "trigger": "schedule"}.items() <= digest.tags.items()
    (scan,) = requests(schedules["hourly_scan"], morning + timedelta(minutes=7), quiet_instance)
    assert {"day": "2026-09-17", "trigger": "schedule"}.items() <= scan.tags.items()


def test_nothing_is_built_before_the_start(quiet_instance: DagsterInstance):
    settings = load_settings()
    first = datetime(settings.start_date.year, settings.start_date.month, settings.start_date.day, 6, tzinfo=UTC)
    assert requests(schedules_of(settings)["morning_digest"], first, quiet_instance) == []
    assert len(requests(schedules_of(settings)["morning_digest"], first + timedelta(days=1), quiet_instance)) == 1


def test_each_missed_day_is_made_up_for_once_and_oldest_first(instance: DagsterInstance, home: Path):
    catalog = Catalog.at_home(home)
    catalog.add_feed("https://a.example/feed", datetime(2026, 9, 15, tzinfo=UTC))
    catalog.add_digest_revision(date(2026, 9, 17), 1, "hash", datetime(2026, 9, 18, tzinfo=UTC), ())
    catalog.close()
    digest = schedules_of(load_settings())["morning_digest"]
    asked = requests(digest, datetime(2026, 9, 21, 6, tzinfo=UTC), instance)
    assert [(request.partition_key, request.tags["trigger"]) for request in asked] == [
        ("2026-09-15", "catch-up"),
        ("2026-09-16", "catch-up"),
        ("2026-09-18", "catch-up"),
        ("2026-09-19", "catch-up"),
        ("2026-09-20", "schedule"),
    ]
    # A day that was tried is not tried every morning: its failure was told, and is for a person to mend.
    instance.create_run_for_job(
        defs.resolve_job_def("daily_digest"), tags={"dagster/partition": "2026-09-16"}, status=DagsterRunStatus.FAILURE
    )
    asked = requests(digest, datetime(2026, 9, 21, 6, tzinfo=UTC), instance)
    assert "2026-09-16" not in [request.partition_key for request in asked]


def tick(workspace: WorkspaceProcessContext, moment: datetime) -> list[tuple[str, str | None]]:
    """What a daemon does at a moment; every run that a schedule asked for so far, as (job, day)."""
    with freeze_time(moment):
        list(launch_scheduled_runs(workspace, logging.getLogger("test"), moment, {}))
    records = sorted(workspace.instance.get_run_records(), key=lambda record: record.storage_id)
    records = [record for record in records if "dagster/schedule_name" in record.dagster_run.tags]
    assert {record.dagster_run.status for record in records} <= {DagsterRunStatus.QUEUED}
    return [(record.dagster_run.job_name, record.dagster_run.tags.get("dagster/partition")) for record in records]


@pytest.mark.slow
def test_a_machine_that_slept_a_clock_that_was_ahead_and_two_daemons(instance: DagsterInstance, home: Path):
    """Dagster's scheduler over its own code server: no day is lost and none is asked for twice; readers' own hours are made up for, too."""
    catalog = Catalog.at_home(home)
    catalog.add_feed("https://a.example/feed", datetime(2026, 9, 15, tzinfo=UTC))
    # Built before the machine slept; the hour of its reader, eleven hours behind, came while it did.
    catalog.add_digest_revision(date(2026, 9, 17), 1, "hash", datetime(2026, 9, 18, tzinfo=UTC), ())
    behind = Preferences(timezone="Pacific/Pago_Pago", hour=20)
    SubscriberStore(catalog).add(
        "behind@example.com", behind, state=SubscriberState.ACTIVE, source="operator", now=datetime(2026, 9, 15, tzinfo=UTC)
    )
    catalog.close()
    instance.create_run_for_job(
        defs.resolve_job_def("daily_digest"), tags={"dagster/partition": "2026-09-17"}, status=DagsterRunStatus.SUCCESS
    )
    target = PythonFileTarget(str(ROOT / "orchestration" / "definitions.py"), None, str(ROOT), "top5")
    with create_test_daemon_workspace_context(target, instance) as workspace:
        assert tick(workspace, datetime(2026, 9, 15, 12, tzinfo=UTC)) == []
        # Four nights asleep, then one tick.
        runs = tick(workspace, datetime(2026, 9, 19, 8, 30, tzinfo=UTC))
        days = [("daily_digest", f"2026-09-{day}") for day in (15, 16, 18)]
        assert [run for run in runs if run[0] == "daily_digest"] == days
        assert runs.count(("scan_feeds", None)) == 1
        assert [day for job, day in runs if job == "send_digests"] == ["2026-09-17"]
        # It was not asleep, its clock was wrong: until the right time has come to where it was, nothing happens again.
        assert tick(workspace, datetime(2026, 9, 17, 6, 30, tzinfo=UTC)) == runs
        # A second daemon on the same home knows of the first one only what is in Dagster's storage, as each tick here does.
        morning = datetime(2026, 9, 20, 6, 30, tzinfo=UTC)
        runs = tick(workspace, morning)
        assert [run for run in runs if run[0] == "daily_digest"] == [*days, ("daily_digest", "2026-09-19")]
        assert tick(workspace, morning) == runs
