"""Dagster's history of runs over years: runs whose process is gone, and runs that are old.

Belongs here: what has to be asked of Dagster's own storage. Files are in `top5.operate`.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.instance import prepare_home
from top5.operate.repair import Damage
from top5.settings import Settings

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

PARTITION_TAGS = ("dagster/partition", "dagster/asset_partition_range_start")


def dead_runs(settings: Settings, _now: datetime) -> list[Damage]:
    """Runs that are called running and have no process on this machine: they show as at work and hold their place in a pool."""
    with _instance(settings) as instance:
        found = [] if instance is None else [run for run in _unfinished(instance) if not _is_alive(instance, run)]

    def mend(run_id: str) -> str:
        with _instance(settings) as instance:
            assert instance is not None
            run = instance.get_run_by_id(run_id)
            assert run is not None
            instance.report_run_failed(run, "The process of this run is gone.")
            instance.event_log_storage.free_concurrency_slots_for_run(run_id)
        return f"Run {run_id[:8]} is recorded as failed; what it had finished is kept and reused when its day is run again."

    return [
        Damage("Runs", f"Run {run.run_id[:8]} of {run.job_name} is called running but its process is gone.",
               lambda run_id=run.run_id: mend(run_id))
        for run in found
    ]  # fmt: skip


def old_runs(settings: Settings, now: datetime) -> list[str]:
    """Ids of finished runs of scans and suggestions older than `retention.runs_days`.

    A run of a day is never among them: with it the UI would forget that the day was built.
    """
    from dagster import DagsterRunStatus, RunsFilter

    before = now - timedelta(days=settings.retention.runs_days)
    finished = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
    with _instance(settings) as instance:
        if instance is None:
            return []
        runs = instance.get_runs(RunsFilter(statuses=finished, created_before=before))
        return [run.run_id for run in runs if not any(tag in run.tags for tag in PARTITION_TAGS)]


def forget_runs(settings: Settings, run_ids: list[str]) -> None:
    """Delete runs with their events and captured output."""
    import shutil

    with _instance(settings) as instance:
        if instance is None:
            return
        for run_id in run_ids:
            instance.delete_run(run_id)
            shutil.rmtree(Path(instance.storage_directory()) / run_id, ignore_errors=True)


@contextmanager
def _instance(settings: Settings) -> "Generator[DagsterInstance | None, None, None]":
    if not (settings.home / "dagster" / "dagster.yaml").exists():
        yield None
        return
    from dagster import DagsterInstance

    prepare_home(settings.home)
    with DagsterInstance.get() as instance:
        yield instance


def _unfinished(instance: "DagsterInstance") -> "list[DagsterRun]":
    from dagster import DagsterRunStatus, RunsFilter

    statuses = [DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    return list(instance.get_runs(RunsFilter(statuses=statuses)))


def _is_alive(instance: "DagsterInstance", run: "DagsterRun") -> bool:
    """Whether the process that the run's events name last is a Python process of this machine."""
    pids = [entry.dagster_event.pid for entry in instance.all_logs(run.run_id) if entry.dagster_event and entry.dagster_event.pid]
    if not pids:
        return False
    try:
        os.kill(pids[-1], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # Process numbers are used again: after a restart of the machine this one may be something else.
    command = Path(f"/proc/{pids[-1]}/cmdline")
    return not command.exists() or b"python" in command.read_bytes() or b"top5" in command.read_bytes()
