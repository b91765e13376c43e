"""One stage of a run, told as it begins, ends or fails: to the log, as a span, as metrics.

Belongs here: what is the same for every stage. The clock is handed in by nobody: durations are of the machine's monotonic one.
"""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from top5.errors import PermanentError, Top5Error
from top5.observe import log
from top5.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider


@contextmanager
def stage(settings: Settings, name: str, *, run_id: str, days: str) -> Generator[None, None, None]:
    """Tell of the block as the stage `name` of a run; costs nothing where [observe] is off.

    `days` is a day or a range. Raises PermanentError `observe_missing` where the extra `observe` is needed and not installed.
    """
    wanted = settings.observe
    if wanted.log == "off" and not wanted.traces_url and wanted.metrics_folder is None:
        yield
        return
    log.configure(settings)
    started, failure = monotonic(), ""
    with log.bound(run_id=run_id, stage=name, days=days), _span(settings, name, run_id=run_id, days=days):
        log.event("stage started")
        try:
            yield
        except BaseException as error:
            failure = error.reason if isinstance(error, Top5Error) else type(error).__name__
            raise
        finally:
            seconds = round(monotonic() - started, 3)
            if failure:
                log.failure("stage failed", seconds=seconds, reason=failure)
            else:
                log.event("stage finished", seconds=seconds)
            if wanted.metrics_folder is not None:
                write_metrics(wanted.metrics_folder, name, seconds=seconds, ok=not failure, now=datetime.now(UTC))


def write_metrics(folder: Path, name: str, *, seconds: float, ok: bool, now: datetime) -> None:
    """Write `folder`/top5_<stage>.prom for the textfile collector of Prometheus' node exporter, replaced whole.

    A run is over before anybody could scrape it; a file a stage lets each process write only of what it has done.
    """
    try:
        from prometheus_client import CollectorRegistry, Gauge, write_to_textfile
    except ImportError as error:
        raise _missing("metrics_folder") from error
    registry = CollectorRegistry()
    values = {
        "top5_stage_duration_seconds": ("How long the stage took last time.", seconds),
        "top5_stage_success": ("1 where the stage ended well last time.", float(ok)),
        "top5_stage_last_run_timestamp_seconds": ("When the stage ended last time.", now.timestamp()),
    }
    for metric, (text, value) in values.items():
        Gauge(metric, text, ["stage"], registry=registry).labels(name).set(value)
    folder.mkdir(parents=True, exist_ok=True)
    write_to_textfile(str(folder / f"top5_{name}.prom"), registry)


def _span(settings: Settings, name: str, **attributes: str) -> AbstractContextManager[object]:
    if not settings.observe.traces_url:
        return nullcontext()
    provider = _provider(settings.observe.traces_url)
    return provider.get_tracer("top5").start_as_current_span(name, attributes={f"top5.{key}": v for key, v in attributes.items()})


@lru_cache(maxsize=1)
def _provider(url: str) -> "TracerProvider":
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise _missing("traces_url") from error
    # The provider flushes when the process ends; a collector that is away delays nothing but that, and that by its timeout.
    provider = TracerProvider(resource=Resource.create({"service.name": "top5"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url, timeout=5)))
    return provider


def _missing(setting: str) -> PermanentError:
    return PermanentError(
        "observe_missing", f"observe.{setting} needs the extra `observe`; install it or leave the setting away."
    )
