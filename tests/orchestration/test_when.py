from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from dagster import DagsterInstance, DagsterRunStatus
from filelock import FileLock

from assets.workspace import daily_partitions
from orchestration.definitions import defs
from orchestration.instance import prepare_home
from orchestration.run import TRIGGER, _bury_the_dead, run_day
from top5.errors import PermanentError, TransientError
from top5.settings import load_settings


def test_today_can_be_built_before_it_is_over():
    settings = load_settings()
    keys = daily_partitions(settings).get_partition_keys(current_time=datetime(2026, 9, 17, 6, tzinfo=ZoneInfo("UTC")))
    assert keys[-1] == "2026-09-17"
    assert keys[0] == settings.start_date.isoformat()


def test_the_instance_lets_one_writer_into_the_warehouse_and_sends_no_telemetry(tmp_path: Path):
    prepare_home(tmp_path)
    with DagsterInstance.get() as instance:
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1
        assert instance.telemetry_enabled is False
        assert instance.run_retries_enabled
        assert instance.run_retries_max_retries == 0


def test_an_operators_own_instance_settings_are_left_alone(tmp_path: Path):
    folder = prepare_home(tmp_path)
    (folder / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    prepare_home(tmp_path)
    assert (folder / "dagster.yaml").read_text() == "telemetry:\n  enabled: false\n"


def test_a_run_that_was_killed_frees_its_place_in_the_pool(tmp_path: Path):
    prepare_home(tmp_path)
    with DagsterInstance.get() as instance:
        job = defs.resolve_job_def("daily_digest")
        dead = instance.create_run_for_job(job, tags={"trigger": TRIGGER}, status=DagsterRunStatus.STARTED)
        storage = instance.event_log_storage
        storage.initialize_concurrency_limit_to_default("warehouse")
        assert storage.claim_concurrency_slot("warehouse", dead.run_id, "ranking").is_claimed
        assert not storage.claim_concurrency_slot("warehouse", "another", "ranking").is_claimed
        _bury_the_dead(instance)
        (buried,) = instance.get_runs()
        assert buried.status == DagsterRunStatus.FAILURE
        assert storage.get_concurrency_info("warehouse").active_slot_count == 0


def test_one_run_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOP5_HOME", str(tmp_path))
    with FileLock(tmp_path / "run.lock"), pytest.raises(PermanentError, match="Another run is at work"):
        run_day(date(2026, 9, 15), load_settings())


def test_storage_that_cannot_be_written_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    home = tmp_path / "home"
    monkeypatch.setenv("TOP5_HOME", str(home))
    prepare_home(home)
    (home / "dagster" / "history").write_bytes(b"in the way")
    with pytest.raises(TransientError, match="free some space and run again"):
        run_day(date(2026, 9, 15), load_settings())


def test_a_day_before_the_start_cannot_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOP5_HOME", str(tmp_path))
    with pytest.raises(PermanentError, match="cannot be built"):
        run_day(date(2020, 1, 1), load_settings())
