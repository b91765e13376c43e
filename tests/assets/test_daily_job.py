from pathlib import Path
from typing import Any

import pytest
from dagster import AssetKey, DagsterEventType, DagsterInstance

from orchestration.definitions import defs
from tests.assets.conftest import DAY, Sample
from top5.catalog.store import Catalog
from top5.digests.day import latest_digest
from top5.lake import Lake

PYTHON_ASSETS = ["feeds", "episodes", "transcripts", "insights", "digests", "deliveries"]


def metadata(sample: Sample, asset: str) -> dict[str, Any]:
    with DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(AssetKey(asset))
    assert event is not None and event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}


def test_the_day_is_built(sample: Sample):
    assert sample.first.success, sample.first.trouble
    digest = latest_digest(Lake(sample.home / "lake"), DAY)
    assert digest.insights
    assert digest.short_because
    assert [path.name for path in (sample.home / "outbox").iterdir()] == [f"{DAY}-you@localhost.eml"]


def test_one_step_each_and_one_dbt_step(sample: Sample):
    assert sorted(sample.first.seconds_per_step) == sorted([*PYTHON_ASSETS, "ranking"])


@pytest.mark.parametrize(
    ("asset", "expected"),
    [
        ("feeds", {"dagster/row_count", "new episodes", "reasons", "failing feeds", "bytes received"}),
        ("episodes", {"dagster/partition_row_count", "late", "shows", "with transcript links"}),
        ("transcripts", {"dagster/partition_row_count", "states", "reasons", "formats", "reused", "hours of speech"}),
        ("insights", {"dagster/partition_row_count", "states", "rejected candidates", "tokens", "cost (USD)"}),
        ("digests", {"preview", "episodes considered", "short because", "left out", "revision", "changes"}),
        ("deliveries", {"states", "sent now"}),
    ],
)
def test_an_operator_sees_what_matters(sample: Sample, asset: str, expected: set[str]):
    assert expected <= set(metadata(sample, asset))


@pytest.mark.parametrize("asset", [*PYTHON_ASSETS, "daily_top_insights", "stg_insights"])
def test_numbers_that_the_ui_plots_have_one_name_on_every_asset(sample: Sample, asset: str):
    told = metadata(sample, asset)
    assert told["seconds"] >= 0
    if not asset.startswith("stg_"):
        assert told["dagster/row_count" if asset == "feeds" else "dagster/partition_row_count"] >= 1
    if asset in ("transcripts", "insights"):
        assert told["cost (USD)"] == 0


def test_the_run_and_its_pages_are_found(sample: Sample):
    with DagsterInstance.get() as instance:
        run = instance.get_run_by_id(sample.first.run_id)
    assert run is not None
    assert {"day": str(DAY), "trigger": "command line"}.items() <= run.tags.items()
    pages = Path(metadata(sample, "transcripts")["data docs"])
    assert f"transcripts/{DAY}.html" in pages.read_text()


def test_failing_feeds_are_named_with_what_to_do(sample: Sample):
    failing = {entry["reason"]: entry["message"] for entry in metadata(sample, "feeds")["failing feeds"]}
    assert "unsubscribe" in failing["gone"]
    assert "web page" in failing["not_a_feed"]


def test_the_preview_shows_the_days_insights(sample: Sample):
    preview = metadata(sample, "digests")["preview"]
    assert all(insight.headline in preview for insight in latest_digest(Lake(sample.home / "lake"), DAY).insights)


def test_checks_of_both_kinds_were_evaluated_and_passed(sample: Sample):
    with DagsterInstance.get() as instance:
        entries = instance.all_logs(sample.first.run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION)
    evaluations = [entry.get_dagster_event().asset_check_evaluation_data for entry in entries]
    assert all(evaluation.passed for evaluation in evaluations)
    by_asset = {evaluation.asset_key.to_user_string() for evaluation in evaluations}
    assert {"feeds", "episodes", "transcripts", "insights", "daily_top_insights"} <= by_asset


def test_the_same_day_again_changes_nothing_and_sends_nothing(sample: Sample):
    digest = sample.home / "digests" / str(DAY) / "digest.json"
    before, sent = digest.read_bytes(), files(sample.home / "outbox")
    again = sample.run()
    assert again.success, again.trouble
    assert digest.read_bytes() == before
    assert files(sample.home / "outbox") == sent
    assert metadata(sample, "transcripts")["reused"] == 2
    assert metadata(sample, "insights")["reused"] == 2
    assert metadata(sample, "deliveries")["sent now"] == 0


def test_a_failing_blocking_check_stops_everything_after_it(sample: Sample, monkeypatch: pytest.MonkeyPatch):
    from top5.transcripts import day as transcripts

    good = transcripts.collect_transcripts

    async def too_trusting(*args: Any, **named: Any) -> list[dict[str, Any]]:
        return [{**row, "trust": 1.5} for row in await good(*args, **named)]

    catalog = Catalog.at_home(sample.home)
    sent, deliveries = files(sample.home / "outbox"), catalog.deliveries(DAY)
    monkeypatch.setattr(transcripts, "collect_transcripts", too_trusting)
    outcome = sample.run()
    assert not outcome.success
    assert "trust: expect_column_values_to_be_between broken by 2 rows" in outcome.trouble
    assert set(outcome.seconds_per_step) <= {"feeds", "episodes", "transcripts"}
    assert files(sample.home / "outbox") == sent
    assert catalog.deliveries(DAY) == deliveries
    catalog.close()
    monkeypatch.undo()


def test_every_asset_says_what_it_is_and_whose():
    for spec in defs.resolve_all_asset_specs():
        assert spec.description, spec.key
        assert spec.owners, spec.key
        assert spec.group_name, spec.key
        assert spec.kinds, spec.key


def test_the_partitioned_assets_share_one_partitioning():
    partitions = {
        spec.partitions_def
        for spec in defs.resolve_all_asset_specs()
        if spec.key not in (AssetKey("feeds"), AssetKey("suggestions"))
    }
    assert len(partitions) == 1
