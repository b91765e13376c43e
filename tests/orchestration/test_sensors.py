"""Who is told of what: real runs on a real instance, seen by the real sensors."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    Definitions,
    MaterializeResult,
    RetryPolicy,
    SensorDefinition,
    asset,
    build_sensor_context,
    define_asset_job,
)
from dagster._core.test_utils import create_run_for_test
from dagster._daemon.types import DaemonHeartbeat

from assets.workspace import DAILY, RETRIES, check_result, failures_named
from orchestration import sensors
from orchestration.deadman import check
from orchestration.instance import prepare_home
from orchestration.sensors import stuck_runs, tell_failed_checks, tell_failed_runs, watch
from tests.fakes.inbox import Inbox, open_inbox
from top5.catalog.alerts import kept_alerts
from top5.catalog.store import Catalog
from top5.errors import PermanentError, Top5Error, TransientError
from top5.quality import Failure, Validation
from top5.settings import Settings, load_settings

DAY = "2026-09-16"
RANGE = {"dagster/asset_partition_range_start": "2026-09-14", "dagster/asset_partition_range_end": "2026-09-18"}
SOUND = Validation(table="rows", rows=20, expectations=5, failures=())
NOON = datetime(2026, 9, 17, 12, tzinfo=UTC)


@dataclass
class Desk:
    """A home whose operator is told over HTTP, and the instance in it."""

    instance: DagsterInstance
    inbox: Inbox
    home: Path
    trouble: Top5Error | None = None
    validation: Validation = SOUND
    attempts: int = 0

    def run(self, job_name: str = "daily_digest") -> DagsterRunStatus:
        """A run of a job of that name: one asset that may fail, with one check."""

        @asset(
            partitions_def=DAILY,
            retry_policy=RetryPolicy(max_retries=RETRIES.max_retries),
            check_specs=[AssetCheckSpec("rows_are_sound", asset="rows", blocking=True)],
        )
        def rows() -> MaterializeResult:
            self.attempts += 1
            with failures_named():
                if self.trouble:
                    raise self.trouble
            return MaterializeResult(check_results=[check_result("rows", "rows_are_sound", self.validation)])

        job = define_asset_job(job_name, selection="*", tags={"trigger": "test"})
        defs = Definitions(assets=[rows], jobs=[job])
        done = defs.resolve_job_def(job_name).execute_in_process(
            instance=self.instance,
            partition_key=DAY,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        return DagsterRunStatus.SUCCESS if done.success else DagsterRunStatus.FAILURE

    def evaluate(self) -> list[str]:
        """One tick of both run sensors; the titles of what it brought."""
        before = len(self.inbox.messages)
        for each in (tell_failed_runs, tell_failed_checks):
            self._cursors[each.name] = _tick(each, self.instance, self._cursors.get(each.name))
        return self.inbox.titles[before:]

    def __post_init__(self) -> None:
        self._cursors: dict[str, str | None] = {}
        self.evaluate()  # the first tick only notes where it begins

    @property
    def settings(self) -> Settings:
        return load_settings()


def _tick(sensor: SensorDefinition, instance: DagsterInstance, cursor: str | None) -> str | None:
    return sensor.evaluate_tick(build_sensor_context(instance, cursor=cursor, sensor_name=sensor.name)).cursor


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with open_inbox() as inbox:
        address = f"127.0.0.1:{inbox.server_port}"
        monkeypatch.setenv("TOP5_HOME", str(tmp_path))
        monkeypatch.setenv("TOP5_ALERTS__MAIL", "false")
        monkeypatch.setenv("TOP5_ALERTS__URLS", json.dumps([f"json://{address}/"]))
        monkeypatch.setenv("TOP5_ALERTS__PING_URL", f"http://{address}/ping")
        monkeypatch.setenv("TOP5_ALERTS__UI_URL", "http://ui.example:3000")
        monkeypatch.setenv("TOP5_ALERTS__LOW_DISK_GB", "0")
        monkeypatch.setattr(sensors, "_now", lambda: NOON)
        prepare_home(tmp_path)
        with DagsterInstance.get() as instance:
            yield Desk(instance, inbox, tmp_path)


def opened(desk: Desk) -> list[str]:
    catalog = Catalog.at_home(desk.home)
    causes = [alert.cause for alert in kept_alerts(catalog, open_only=True)]
    catalog.close()
    return causes


def test_what_cannot_be_mended_by_trying_again_is_not_tried_again(desk: Desk):
    desk.trouble = PermanentError("no_api_key", "There is no key; set OPENAI_API_KEY.")
    assert desk.run() == DagsterRunStatus.FAILURE
    assert desk.attempts == 1


def test_what_may_pass_is_tried_again(desk: Desk):
    desk.trouble = TransientError("timeout", "The server does not answer; try later.")
    assert desk.run() == DagsterRunStatus.FAILURE
    assert desk.attempts == 1 + RETRIES.max_retries


def test_a_failed_run_is_told_once_with_its_reason_and_link_and_when_it_is_mended(desk: Desk):
    desk.trouble = PermanentError("no_api_key", "There is no key; set OPENAI_API_KEY.")
    desk.run()
    assert desk.evaluate() == [f"top5: The run daily_digest of {DAY} failed."]
    body = desk.inbox.messages[0]["message"]
    (run,) = desk.instance.get_runs()
    assert "rows: There is no key; set OPENAI_API_KEY." in body
    assert f"Run: http://ui.example:3000/runs/{run.run_id}" in body
    desk.run()
    assert desk.evaluate() == []
    desk.trouble = None
    desk.run()
    assert desk.evaluate() == [f"top5: Over: The run daily_digest of {DAY} failed."]
    assert opened(desk) == []


def test_a_failed_check_of_a_run_that_succeeded_is_told_with_rows_and_examples(desk: Desk):
    failure = Failure(expectation="words_in_range", column="words", rows=3, examples=("80", "91", "7"), severity="warn")
    desk.validation = Validation(table="rows", rows=20, expectations=5, failures=(failure,))
    assert desk.run() == DagsterRunStatus.SUCCESS
    assert desk.evaluate() == [f"top5: The check rows_are_sound of rows failed on {DAY}."]
    body = desk.inbox.messages[0]["message"]
    assert "words: words_in_range broken by 3 rows. Examples: 80; 91; 7." in body
    assert "The digest went on." in body
    desk.validation = SOUND
    desk.run()
    assert desk.evaluate() == [f"top5: Over: The check rows_are_sound of rows failed on {DAY}."]


def test_a_blocking_check_fails_the_run_and_both_are_told(desk: Desk):
    failure = Failure(expectation="unique", column="id", rows=2, examples=("a",))
    desk.validation = Validation(table="rows", rows=20, expectations=5, failures=(failure,))
    assert desk.run() == DagsterRunStatus.FAILURE
    assert desk.attempts == 1
    assert sorted(desk.evaluate()) == [
        f"top5: The check rows_are_sound of rows failed on {DAY}.",
        f"top5: The run daily_digest of {DAY} failed.",
    ]


def test_severity_decides_whether_a_check_blocks():
    def severity(*kinds: str) -> AssetCheckSeverity:
        failures = tuple(Failure(expectation="e", column="c", rows=1, examples=(), severity=kind) for kind in kinds)  # pyright: ignore[reportArgumentType]
        result: AssetCheckResult = check_result("a", "c", Validation(table="t", rows=1, expectations=2, failures=failures))
        return result.severity

    assert severity("warn") == AssetCheckSeverity.WARN
    assert severity("warn", "block") == AssetCheckSeverity.ERROR


def test_a_good_daily_run_is_pinged_and_no_other(desk: Desk):
    desk.run("scan_feeds")
    desk.evaluate()
    assert desk.inbox.asked == []
    desk.run()
    desk.evaluate()
    assert desk.inbox.asked == ["/ping"]


def test_the_watch_tells_of_what_is_no_run_and_starts_nothing(desk: Desk):
    catalog = Catalog.at_home(desk.home)
    catalog.add_feed("https://a.example/feed", NOON - timedelta(days=2))
    catalog.close()
    result = watch.evaluate_tick(build_sensor_context(desk.instance))
    assert not result.run_requests
    assert result.skip_message == "1 open, 1 messages sent, 0 held for the end of the quiet hours."
    assert desk.inbox.titles == [f"top5: The digest of {DAY} is not out."]


@pytest.mark.parametrize(
    ("job", "tags", "cause", "mends"),
    [
        ("daily_digest", {"dagster/partition": DAY}, f"run-failed:daily_digest:{DAY}", True),
        ("rebuild_days", {"dagster/partition": DAY}, f"run-failed:daily_digest:{DAY}", True),
        ("reread_days", {"dagster/partition": DAY}, f"run-failed:daily_digest:{DAY}", False),
        ("daily_digest", {"dagster/partition": "2026-09-17"}, f"run-failed:daily_digest:{DAY}", False),
        ("rebuild_days", RANGE, f"run-failed:daily_digest:{DAY}", True),
        ("rebuild_days", RANGE, "run-failed:rebuild_days:2026-09-14 to 2026-09-18", True),
        ("rebuild_days", RANGE, "run-failed:rebuild_days:2026-09-14 to 2026-09-19", False),
        ("scan_feeds", {}, "run-failed:scan_feeds:", True),
        ("daily_digest", {"dagster/partition": DAY}, "run-failed:scan_feeds:", False),
        ("daily_digest", {"dagster/partition": DAY}, "disk-low", False),
    ],
)
def test_which_runs_make_up_for_which(job: str, tags: dict[str, str], cause: str, mends: bool):
    assert sensors._mends(DagsterRun(job_name=job, run_id="r", tags=tags), cause) is mends  # pyright: ignore[reportPrivateUsage]


def test_a_run_that_hangs_is_told(desk: Desk):
    create_run_for_test(desk.instance, job_name="daily_digest", status=DagsterRunStatus.STARTED, tags={"dagster/partition": DAY})
    assert stuck_runs(desk.instance, desk.settings, datetime.now(UTC) + timedelta(hours=5)) == []
    (alert,) = stuck_runs(desk.instance, desk.settings, datetime.now(UTC) + timedelta(hours=7))
    assert alert.what == f"The run daily_digest of {DAY} has not ended for 7 hours."


def beat(desk: Desk, moment: datetime) -> None:
    for kind in desk.instance.get_required_daemon_types():
        desk.instance.add_daemon_heartbeat(DaemonHeartbeat(moment.timestamp(), kind, "id", []))


def test_a_dead_man_is_found_and_told_once(desk: Desk):
    beat(desk, NOON)
    check(desk.settings, NOON + timedelta(minutes=9))
    assert desk.inbox.asked == ["/ping"]
    for minutes in (11, 16):
        with pytest.raises(PermanentError, match=f"daemon does not run. No heartbeat for {minutes} minutes"):
            check(desk.settings, NOON + timedelta(minutes=minutes))
    assert desk.inbox.titles == ["top5: Dagster's daemon does not run."]
    beat(desk, NOON + timedelta(minutes=20))
    check(desk.settings, NOON + timedelta(minutes=21))
    assert desk.inbox.titles[1:] == ["top5: Over: Dagster's daemon does not run."]


def test_without_a_daemon_only_the_digest_counts(desk: Desk):
    check(desk.settings, NOON, daemon=False)
    catalog = Catalog.at_home(desk.home)
    catalog.add_feed("https://a.example/feed", NOON - timedelta(days=2))
    catalog.close()
    with pytest.raises(PermanentError, match=f"The digest of {DAY} is not out"):
        check(desk.settings, NOON, daemon=False)
    catalog = Catalog.at_home(desk.home)
    catalog.add_digest_revision(date.fromisoformat(DAY), 1, "hash", NOON, ())
    catalog.close()
    check(desk.settings, NOON, daemon=False)


def test_a_catalog_that_cannot_be_opened_is_told_all_the_same(desk: Desk):
    for file in desk.home.glob("catalog.db*"):
        file.unlink()
    (desk.home / "catalog.db").mkdir()
    with pytest.raises(PermanentError, match="The catalog cannot be looked at"):
        check(desk.settings, NOON, daemon=False)
    assert desk.inbox.titles == ["top5: The catalog cannot be looked at (catalog)."]
