import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dagster import DagsterEvent, DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus

from orchestration.history import dead_runs, forget_runs, old_runs
from orchestration.instance import prepare_home
from top5.settings import Settings

NOW = datetime.now(UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    prepare_home(tmp_path)
    return Settings().model_copy(update={"home": tmp_path})


@pytest.fixture
def instance(settings: Settings) -> Iterator[DagsterInstance]:
    with DagsterInstance.get() as instance:
        yield instance


def started(instance: DagsterInstance, pid: int) -> DagsterRun:
    """A run that says it is at work in a process."""
    run = instance.create_run(
        job_name="scan_feeds", run_id=None, run_config={}, status=None, tags={}, root_run_id=None, parent_run_id=None,
        step_keys_to_execute=None, execution_plan_snapshot=None, job_snapshot=None, parent_job_snapshot=None,
        asset_selection=None, asset_check_selection=None, resolved_op_selection=None, op_selection=None,
        remote_job_origin=None, job_code_origin=None, asset_graph=None,
    )  # fmt: skip
    event = DagsterEvent(DagsterEventType.RUN_START.value, "scan_feeds", message="started", pid=pid)
    instance.report_dagster_event(event, run.run_id)
    return run


def gone() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_a_run_whose_process_is_gone_is_found_recorded_as_failed_and_gives_its_place_back(
    instance: DagsterInstance, settings: Settings
):
    run = started(instance, gone())
    storage = instance.event_log_storage
    storage.initialize_concurrency_limit_to_default("warehouse")
    assert storage.claim_concurrency_slot("warehouse", run.run_id, "ranking").is_claimed
    (damage,) = dead_runs(settings, NOW)
    assert run.run_id[:8] in damage.message
    assert damage.mend is not None
    assert "failed" in damage.mend()
    dead = instance.get_run_by_id(run.run_id)
    assert dead is not None
    assert dead.status == DagsterRunStatus.FAILURE
    assert storage.get_concurrency_info("warehouse").active_slot_count == 0
    assert dead_runs(settings, NOW) == []


def test_a_run_at_work_is_left_alone(instance: DagsterInstance, settings: Settings):
    started(instance, os.getpid())
    assert dead_runs(settings, NOW) == []


def test_a_home_without_dagster_has_no_runs(tmp_path: Path):
    settings = Settings().model_copy(update={"home": tmp_path / "new"})
    assert dead_runs(settings, NOW) == []
    assert old_runs(settings, NOW) == []
    assert not (tmp_path / "new").exists()


def test_old_scans_are_forgotten_and_runs_of_days_never(instance: DagsterInstance, settings: Settings):
    scan, day = started(instance, gone()), started(instance, gone())
    instance.add_run_tags(day.run_id, {"dagster/partition": "2026-09-14"})
    for run in (scan, day):
        instance.report_run_failed(run)
    assert old_runs(settings, NOW) == []
    later = NOW + timedelta(days=settings.retention.runs_days + 1)
    assert old_runs(settings, later) == [scan.run_id]
    forget_runs(settings, old_runs(settings, later))
    assert [run.run_id for run in instance.get_runs()] == [day.run_id]
