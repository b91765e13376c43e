"""What every asset is given: settings, stores and the clock, and the days it works on.

Belongs here: the one resource and the one partitioning that all assets share.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    BackfillPolicy,
    ConfigurableResource,
    DailyPartitionsDefinition,
    Failure,
    MetadataValue,
    RetryPolicy,
)
from pydantic import Field

from top5.errors import PermanentError, Top5Error
from top5.lake import Lake
from top5.settings import Settings, load_settings

if TYPE_CHECKING:
    from top5.catalog.store import Catalog
    from top5.quality import Validation

PROJECT = Path(__file__).resolve().parent.parent
OWNERS = ["team:podcast-data"]
BACKFILL = BackfillPolicy.single_run()
DAY_BY_DAY = BackfillPolicy.multi_run(max_partitions_per_run=1)
"""Of mails, and so of the whole daily job: a run sends the mail of one day."""
RETRIES = RetryPolicy(max_retries=2, delay=20)
T = TypeVar("T")

progress: ContextVar[Callable[[str], None]] = ContextVar("progress", default=lambda _line: None)
"""Where a stage says what it has just done; the command line shows it, the daemon does not listen."""


def daily_partitions(settings: Settings) -> DailyPartitionsDefinition:
    """One partition a day in the settings' time zone; today's can be run before it is over."""
    return DailyPartitionsDefinition(start_date=settings.start_date.isoformat(), timezone=settings.timezone, end_offset=1)


DAILY = daily_partitions(load_settings())


class Workspace(ConfigurableResource[Any]):
    """Settings, catalog, lake and clock. `now` fixes the clock, for rebuilding a past day as if it were then."""

    now: str | None = Field(
        default=None, description="ISO time with zone that this run takes for now; empty: the machine's clock."
    )

    @cached_property
    def settings(self) -> Settings:
        """The project's settings."""
        return load_settings()

    @property
    def clock(self) -> datetime:
        """Now, UTC."""
        return datetime.fromisoformat(self.now).astimezone(UTC) if self.now else datetime.now(UTC)

    @property
    def lake(self) -> Lake:
        """The lake under the settings' home."""
        return Lake(self.settings.lake_path)

    @contextmanager
    def catalog(self) -> "Generator[Catalog, None, None]":
        """The catalog, open for the length of the block."""
        from top5.catalog.store import Catalog

        catalog = Catalog.of(self.settings)
        try:
            yield catalog
        finally:
            catalog.close()


def days_of(context: AssetExecutionContext) -> list[date]:
    """The days of this run, oldest first: one, or a range in a backfill."""
    return sorted(date.fromisoformat(key) for key in context.partition_keys)


@contextmanager
def failures_named() -> Generator[None, None, None]:
    """A failure of the whole stage as Dagster understands it: permanent ones are not retried, and the sentence is what is shown.

    What the stage does is told to logs, traces and metrics where the settings ask for them, and its `seconds`, of a range those of a day
    in the mean, to the asset's plots; the models of dbt have each their own.
    """
    from top5.observe.stage import stage

    context, started = AssetExecutionContext.get(), monotonic()
    alone = len(context.assets_def.keys) == 1
    if alone and context.assets_def.check_specs:
        from top5.quality import apart

        # Its rows are checked at the end of the stage: what that takes to import passes meanwhile. A run that only mails needs none of it.
        apart.begin()
    days = "..".join(dict.fromkeys(context.partition_keys[at] for at in (0, -1))) if context.has_partition_key_range else ""
    try:
        with stage(load_settings(), context.op_execution_context.op_def.name, run_id=context.run.run_id, days=days):
            yield
    except Top5Error as error:
        raise Failure(
            description=error.message, metadata={"reason": error.reason}, allow_retries=not isinstance(error, PermanentError)
        ) from error
    if alone:
        parts = len(context.partition_keys) if context.has_partition_key_range else 1
        context.add_asset_metadata({"seconds": round((monotonic() - started) / parts, 3)})


def tell(line: str, **ids: str) -> None:
    """Say what was just done: to who waits at the command line, and to the log, there with the ids of what it was done to."""
    from top5.observe import log

    progress.get()(line)
    log.event(line, **ids)


def run_async(work: Any) -> Any:
    """Run a coroutine to its end; assets are synchronous."""
    return asyncio.run(work)


def counts(reasons: Iterable[str]) -> dict[str, int]:
    """How many rows per reason, most first."""
    return dict(sorted(Counter(reasons).items(), key=lambda item: (-item[1], item[0])))


def per_day(context: AssetExecutionContext, name: str, rows: Iterable[Mapping[str, Any]], column: str | None = None) -> None:
    """Give each day of a range its own value of a metadata entry: the number of its rows, or the sum of a column.

    Otherwise every day would show the sum over the range, and the UI's plots would lie.
    """
    values: Counter[str] = Counter()
    for row in rows:
        values[str(row["day"])] += (row.get(column) or 0) if column else 1
    for key in context.partition_keys:
        context.add_asset_metadata({name: values[key]}, partition_key=key)


def check_specs(asset: str, *tables: str) -> list[AssetCheckSpec]:
    """Two checks of every lake table that an asset lands: its rows are sound, and the day is like the days before.

    Both may stop what comes after; the second does so only where `quality.drift` says `block`.
    """
    names = [
        name
        for table in tables
        for name in (check_name(table), usual_name(table))
        if table != "scans" or name == check_name(table)
    ]
    return [
        AssetCheckSpec(name, asset=asset, blocking=True, description=_DESCRIPTIONS[name.rpartition("_")[2]]) for name in names
    ]


def check_rows(
    workspace: Workspace, asset: str, table: str, rows: Sequence[Mapping[str, Any]], days: Sequence[date] = ()
) -> list[AssetCheckResult]:
    """The Great Expectations suites of a lake table on what an asset landed of it, as results of its checks.

    All rows are looked at; with the days before, only those of the last day of a range are compared.
    """
    from top5.quality import compare_with_history, validate

    settings = workspace.settings
    part = f"{days[0]}_to_{days[-1]}" if len(days) > 1 else str(days[0]) if days else "latest"
    sound = validate(table, rows, home=settings.home, part=part)
    results = [check_result(asset, check_name(table), sound)]
    if sound.page:
        # Beside the check's own page, the list of all of them on the asset.
        AssetExecutionContext.get().add_asset_metadata(
            {"data docs": MetadataValue.path(str(sound.page.parent.parent / "index.html"))}
        )
    if days:
        last = [row for row in rows if row["day"] == days[-1]]
        compared = compare_with_history(table, days[-1], last, workspace.lake, settings.quality, home=settings.home)
        results.append(check_result(asset, usual_name(table), compared))
    return results


def check_result(asset: str, name: str, validation: "Validation") -> AssetCheckResult:
    """A validation in Dagster's terms: which expectation, how many rows, examples, and the page that shows all of it."""
    return AssetCheckResult(
        asset_key=AssetKey(asset),
        check_name=name,
        passed=validation.passed,
        severity=AssetCheckSeverity.ERROR if validation.blocks else AssetCheckSeverity.WARN,
        description="; ".join(failure.sentence for failure in validation.failures) or None,
        metadata={
            "rows": validation.rows,
            "expectations": validation.expectations,
            "failures": [failure.model_dump() for failure in validation.failures],
            **({"data docs": MetadataValue.path(str(validation.page))} if validation.page else {}),
        },
    )


def check_name(table: str) -> str:
    """Name of the check that a lake table's rows are sound."""
    return f"{table}_meet_expectations"


def usual_name(table: str) -> str:
    """Name of the check that a day of a lake table is like the days before."""
    return f"{table}_as_usual"


_DESCRIPTIONS = {
    "expectations": "Every row keeps what is written in top5/quality/suites.py.",
    "usual": "The day is like those before it: top5/quality/drift.py; silent with little history.",
}
