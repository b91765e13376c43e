"""Running the main job in this process, for the command line and the samples.

Belongs here: one run of `daily_digest` on one day and its outcome. The daemon's runs need nothing of this.
"""

from collections.abc import Callable
from datetime import date, datetime

from pydantic import BaseModel, ConfigDict

from orchestration.instance import prepare_home
from top5.errors import PermanentError
from top5.settings import Settings


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
    """Materialize everything for one day. Never raises for a failure inside the run: that is an outcome.

    `now` fixes the run's clock (UTC); `on_progress` is given one line for each thing that was done.
    """
    prepare_home(settings.home)
    from dagster import DagsterEventType, DagsterInstance

    from assets.workspace import progress
    from orchestration.definitions import defs

    resources = {"workspace": {"config": {"now": now.isoformat()}}} if now else {}
    token = progress.set(on_progress)
    try:
        with DagsterInstance.get() as instance:
            job = defs.resolve_job_def("daily_digest")
            if not job.partitions_def or not job.partitions_def.has_partition_key(day.isoformat()):
                raise PermanentError("bad_date", f"{day} cannot be built; it lies before start_date or in the future.")
            result = job.execute_in_process(
                instance=instance,
                partition_key=day.isoformat(),
                run_config={"resources": resources, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                raise_on_error=False,
                tags={"trigger": "command line"},
            )
    finally:
        progress.reset(token)
    failures: list[tuple[str, str]] = []
    checks: list[str] = []
    seconds: dict[str, float] = {}
    for event in result.all_events:
        if event.event_type == DagsterEventType.STEP_FAILURE:
            data = event.step_failure_data
            described = data.user_failure_data.description if data.user_failure_data else None
            cause = data.error.cause.message if data.error and data.error.cause else data.error.message if data.error else ""
            failures.append((event.step_key or "", (described or cause or "").strip()))
        elif event.event_type == DagsterEventType.STEP_SUCCESS and event.step_key:
            seconds[event.step_key] = event.step_success_data.duration_ms / 1000
        elif event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            if not evaluation.passed:
                checks.append(
                    f"{evaluation.asset_key.to_user_string()}: {evaluation.check_name}: {evaluation.description or 'failed'}"
                )
    return RunOutcome(
        run_id=result.run_id,
        success=result.success,
        failures=tuple(failures),
        failed_checks=tuple(checks),
        seconds_per_step=seconds,
    )
