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
from typing import Any, TypeVar

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetExecutionContext,
    AssetKey,
    BackfillPolicy,
    ConfigurableResource,
    DailyPartitionsDefinition,
    Failure,
    RetryPolicy,
)
from pydantic import Field

from top5.catalog import Catalog
from top5.errors import PermanentError, Top5Error
from top5.lake import Lake
from top5.quality import Validation, validate
from top5.settings import Settings, load_settings

PROJECT = Path(__file__).resolve().parent.parent
OWNERS = ["team:podcast-data"]
BACKFILL = BackfillPolicy.single_run()
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
    def catalog(self) -> Generator[Catalog, None, None]:
        """The catalog, open for the length of the block."""
        url = self.settings.catalog_url
        catalog = Catalog.at_home(self.settings.home, url.get_secret_value() if url else None)
        try:
            yield catalog
        finally:
            catalog.close()


def days_of(context: AssetExecutionContext) -> list[date]:
    """The days of this run, oldest first: one, or a range in a backfill."""
    return sorted(date.fromisoformat(key) for key in context.partition_keys)


@contextmanager
def failures_named() -> Generator[None, None, None]:
    """A failure of the whole stage as Dagster understands it: permanent ones are not retried, and the sentence is what is shown."""
    try:
        yield
    except Top5Error as error:
        raise Failure(
            description=error.message, metadata={"reason": error.reason}, allow_retries=not isinstance(error, PermanentError)
        ) from error


def run_async(work: Any) -> Any:
    """Run a coroutine to its end; assets are synchronous."""
    return asyncio.run(work)


def counts(reasons: Iterable[str]) -> dict[str, int]:
    """How many rows per reason, most first."""
    return dict(sorted(Counter(reasons).items(), key=lambda item: (-item[1], item[0])))


def check_rows(asset: str, table: str, rows: Sequence[Mapping[str, Any]]) -> AssetCheckResult:
    """The Great Expectations suite of a lake table as a blocking check of the asset that landed it."""
    return check_result(asset, table, validate(table, rows))


def check_result(asset: str, table: str, validation: Validation) -> AssetCheckResult:
    """A validation in Dagster's terms: which expectation, how many rows, examples."""
    return AssetCheckResult(
        asset_key=AssetKey(asset),
        check_name=check_name(table),
        passed=validation.passed,
        severity=AssetCheckSeverity.ERROR,
        description="; ".join(f"{f.column}: {f.expectation} broken by {f.rows} rows" for f in validation.failures) or None,
        metadata={
            "rows": validation.rows,
            "expectations": validation.expectations,
            "failures": [failure.model_dump() for failure in validation.failures],
        },
    )


def check_name(table: str) -> str:
    """Name of the check on a lake table."""
    return f"{table}_meet_expectations"
