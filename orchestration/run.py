"""Running the main job in this process, for the command line and the samples.

Belongs here: one run of `daily_digest` on one day and its outcome. The daemon's runs need nothing of this.
"""

import gc
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import SQLAlchemyError

from orchestration.instance import prepare_home
from top5.errors import PermanentError, TransientError
from top5.settings import Settings

if TYPE_CHECKING:
    from dagster import DagsterEvent, DagsterInstance


TRIGGER = "command line"


class RunOutcome(BaseModel):
    """What became of a run; `failures` are (step, sentence)."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    success: bool
    failures: tuple[tuple[str, str], ...]
    failed_checks: tuple[str, ...]
    seconds_per_step: dict[str, float]

    @property
    def trouble(self) -> str:
        """What went wrong in one line: failed checks before steps, which fail because of them."""
        return "; ".join(self.failed_checks) or "; ".join(f"{step}: {sentence}" for step, sentence in self.failures)


def run_day(
    day: date, settings: Settings, *, now: datetime | None = None, on_progress: Callable[[str], None] = lambda _line: None
) -> RunOutcome:
    """Materialize everything for one day. A failure inside the run is an outcome.

    `now` fixes the run's clock (UTC); `on_progress` is given one line for each thing that was done. One run from a command line at a
    time per home. Raises PermanentError `busy` or `bad_date`, TransientError `run_storage` where Dagster cannot write.
    """
    try:
        prepare_home(settings.home)
        with FileLock(settings.home / "run.lock", timeout=0):
            return _run(day, now, on_progress)
    except Timeout as error:
        raise PermanentError("busy", f"Another run is at work in {settings.home}; wait for it or stop it.") from error
    except (OSError, SQLAlchemyError) as error:
        cause = getattr(error, "orig", None) or error
        raise TransientError(
            "run_storage", f"Dagster's storage under {settings.home} cannot be used ({cause}); free some space and run again."
        ) from error


def _run(day: date, now: datetime | None, on_progress: Callable[[str], None]) -> RunOutcome:
    from top5.quality import apart

    # Before Dagster is imported, which takes as long.
    apart.begin()
    # What imports make stays: a collector that looks through it after every 700 objects costs a twentieth of the run.
    gc.set_threshold(100_000, 20, 20)
    from dagster import DagsterInstance

    from assets.workspace import progress
    from orchestration.definitions import defs

    resources = {"workspace": {"config": {"now": now.isoformat()}}} if now else {}
    token = progress.set(on_progress)
    try:
        with DagsterInstance.get() as instance:
            _bury_the_dead(instance)
            job = defs.resolve_job_def("daily_digest")
            if not job.partitions_def or not job.partitions_def.has_partition_key(day.isoformat()):
                raise PermanentError("bad_date", f"{day} cannot be built; it lies before start_date or in the future.")
            result = job.execute_in_process(
                instance=instance,
                partition_key=day.isoformat(),
                run_config={"resources": resources, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                raise_on_error=False,
                tags={"day": day.isoformat(), "trigger": TRIGGER},
            )
    finally:
        progress.reset(token)
    return outcome_of(result.run_id, result.success, result.all_events)


def outcome_of(run_id: str, success: bool, events: "Iterable[DagsterEvent]") -> RunOutcome:
    """What a run's events say became of it."""
    from dagster import AssetCheckSeverity, DagsterEventType

    failures: list[tuple[str, str]] = []
    checks: list[str] = []
    seconds: dict[str, float] = {}
    for event in events:
        if event.event_type == DagsterEventType.STEP_FAILURE:
            data = event.step_failure_data
            described = data.user_failure_data.description if data.user_failure_data else None
            cause = data.error.cause.message if data.error and data.error.cause else data.error.message if data.error else ""
            failures.append((event.step_key or "", (described or cause or "").strip()))
        elif event.event_type == DagsterEventType.STEP_SUCCESS and event.step_key:
            seconds[event.step_key] = event.step_success_data.duration_ms / 1000
        elif event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            if not evaluation.passed and evaluation.severity == AssetCheckSeverity.ERROR:
                checks.append(
                    f"{evaluation.asset_key.to_user_string()}: {evaluation.check_name}: {evaluation.description or 'failed'}"
                )
    return RunOutcome(
        run_id=run_id,
        success=success,
        failures=tuple(failures),
        failed_checks=tuple(checks),
        seconds_per_step=seconds,
    )


def _bury_the_dead(instance: "DagsterInstance") -> None:
    """Runs of the command line that are still called running were killed: whoever holds the lock is the only one alive.

    They would hold their place in the warehouse's pool for ever (tests/orchestration/test_when.py), and the UI would show them at work.
    """
    from dagster import DagsterRunStatus, RunsFilter

    unfinished = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
    for run in instance.get_runs(RunsFilter(statuses=unfinished, tags={"trigger": TRIGGER})):
        instance.report_run_failed(run, "The process of this run was killed.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
