"""Ranges of days, as the UI launches them: the same jobs and tags, on a real instance with real stores."""

from datetime import date, timedelta
from typing import Any

import pytest
from dagster import AssetKey, AssetRecordsFilter, DagsterInstance, ExecuteInProcessResult

from assets import ranking as ranking_asset
from orchestration.definitions import defs
from tests.assets.conftest import DAY, NOW, Sample
from top5.catalog.store import Catalog
from top5.digests.day import latest_digest
from top5.errors import PermanentError
from top5.lake import Lake

BEFORE = DAY - timedelta(days=1)
DAYS = {BEFORE.isoformat(), DAY.isoformat()}


def backfill(job: str, config: dict[str, Any] | None = None) -> ExecuteInProcessResult:
    """One run over both days: a range is two tags, whoever launches it."""
    clock = {"workspace": {"config": {"now": NOW.isoformat()}}}
    quiet = {"console": {"config": {"log_level": "CRITICAL"}}}
    with DagsterInstance.get() as instance:
        return defs.resolve_job_def(job).execute_in_process(
            instance=instance,
            raise_on_error=False,
            tags={
                "dagster/asset_partition_range_start": BEFORE.isoformat(),
                "dagster/asset_partition_range_end": DAY.isoformat(),
            },
            run_config={"resources": clock, "loggers": quiet, **(config or {})},
        )


def built(asset: str) -> set[str]:
    with DagsterInstance.get() as instance:
        return set(instance.get_materialized_partitions(AssetKey(asset)))


def metadata(asset: str, day: date) -> dict[str, Any]:
    wanted = AssetRecordsFilter(asset_key=AssetKey(asset), asset_partitions=[day.isoformat()])
    with DagsterInstance.get() as instance:
        event = instance.fetch_materializations(wanted, limit=1).records[0].asset_materialization
    assert event is not None
    return {name: value.value for name, value in event.metadata.items()}


def test_how_the_jobs_split_a_range():
    assert defs.resolve_job_def("daily_digest").backfill_policy.max_partitions_per_run == 1
    assert defs.resolve_job_def("rebuild_days").backfill_policy.max_partitions_per_run is None
    assert defs.resolve_job_def("reread_days").backfill_policy.max_partitions_per_run is None


@pytest.mark.slow
def test_a_range_that_stops_half_way_claims_no_day(sample: Sample, monkeypatch: pytest.MonkeyPatch):
    assert built("daily_top_insights") == {DAY.isoformat()}
    good = ranking_asset.warehouse.build

    def once(day: Any, **named: Any) -> Any:
        outcome = good(day, **named)
        if day == DAY:
            raise PermanentError("dbt_failed", "The model daily_top_insights failed.")
        return outcome

    monkeypatch.setattr(ranking_asset.warehouse, "build", once)
    assert not backfill("rebuild_days").success
    assert built("daily_top_insights") == {DAY.isoformat()}
    assert built("digests") == {DAY.isoformat()}
    assert built("insights") == DAYS


@pytest.mark.slow
def test_a_range_is_one_run_that_reuses_what_is_kept_and_mails_nothing(sample: Sample, monkeypatch: pytest.MonkeyPatch):
    outbox = {path.name for path in (sample.home / "outbox").glob("*.eml")}
    before = latest_digest(Lake(sample.home / "lake"), DAY)
    done = backfill("rebuild_days")
    assert done.success
    steps = {event.step_key for event in done.all_events if event.is_step_success}
    assert steps == {"episodes", "transcripts", "insights", "ranking", "digests"}
    for asset in ("episodes", "transcripts", "insights", "daily_top_insights", "digests"):
        assert built(asset) == DAYS, asset
    assert built("deliveries") == {DAY.isoformat()}
    assert {path.name for path in (sample.home / "outbox").glob("*.eml")} == outbox
    assert latest_digest(Lake(sample.home / "lake"), BEFORE).insights
    assert latest_digest(Lake(sample.home / "lake"), DAY).day == before.day
    # Each day has its own number of rows and its own preview, not the sum or the last one's.
    lake = Lake(sample.home / "lake")
    for day in (BEFORE, DAY):
        told = metadata("digests", day)
        assert told["dagster/partition_row_count"] == len(latest_digest(lake, day).insights)
        assert latest_digest(lake, day).insights[0].headline in told["preview"]
        assert metadata("episodes", day)["dagster/partition_row_count"] == len(lake.read_table("episodes", day))
    built_again: list[date] = []
    good = ranking_asset.warehouse.build
    monkeypatch.setattr(ranking_asset.warehouse, "build", lambda day, **named: (built_again.append(day), good(day, **named))[1])
    again = backfill("rebuild_days")
    assert again.success
    assert built_again == [DAY]  # the day before would come out as it is
    assert latest_digest(lake, BEFORE).revision == 1
    told = metadata("insights", DAY)
    assert told["reused"] == len(lake.read_table("extractions", DAY))
    assert told["cost (USD)"] == 0


@pytest.mark.slow
def test_from_the_insights_on_with_another_engine(sample: Sample):
    done = backfill("reread_days", {"ops": {"insights": {"config": {"engine": "local", "model": "gpt-5"}}}})
    assert done.success
    assert {event.step_key for event in done.all_events if event.is_step_success} == {"insights", "ranking", "digests"}
    assert metadata("insights", DAY)["engines"].keys() == {"local"}
    catalog = Catalog.at_home(sample.home)
    assert all(state != "deferred" for state in (episode.state for episode in catalog.day_episodes(DAY)))
    catalog.close()
