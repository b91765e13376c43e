"""The dbt project itself: its unit tests pass, and every model keeps the house rules."""

from datetime import date
from pathlib import Path

import pytest
import yaml

from tests.dbt.conftest import PROJECT, Workshop
from tests.dbt.small_lake import SmallLake
from top5.warehouse import run_dbt

MODELS = sorted(path for path in (PROJECT / "models").rglob("*") if path.suffix in {".sql", ".py"})


@pytest.mark.usefixtures("empty_day")
def test_all_unit_tests_pass(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOP5_LAKE", str(workshop.lake.root))
    monkeypatch.setenv("TOP5_WAREHOUSE", str(workshop.warehouse))
    folders = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target-path", str(workshop.target_path)]
    folders += ["--log-path", str(workshop.target_path / "logs")]
    outcome = run_dbt(["--log-level", "none", "test", "--select", "test_type:unit", *folders])
    assert outcome.exception is None
    assert {result.node.name: result.message for result in outcome.result if result.status != "pass"} == {}
    assert len(outcome.result) >= 35


def test_what_was_extracted_long_ago_is_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, day = SmallLake(tmp_path / "lake"), date(2020, 1, 1)
    lake.episode(day, "old")
    monkeypatch.setenv("TOP5_LAKE", str(lake.write()))
    monkeypatch.setenv("TOP5_WAREHOUSE", str(tmp_path / "warehouse.duckdb"))
    folders = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target-path", str(tmp_path)]
    folders += ["--log-path", str(tmp_path), "--select", "source:lake.episodes", "--vars", f"{{day: {day}}}"]
    (asked,) = run_dbt(["--log-level", "none", "source", "freshness", *folders]).result.results
    assert (asked.status, asked.max_loaded_at.date()) == ("error", day)


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_a_model_has_its_own_yml_and_follows_the_layers(model: Path) -> None:
    properties = yaml.safe_load(model.with_suffix(".yml").read_text())
    (described,) = properties["models"]
    assert described["name"] == model.stem
    assert described["description"].startswith("One ")
    prefix = {"staging": "stg_", "intermediate": "int_", "marts": ("fct_", "daily_", "dim_", "feed_")}[model.parent.name]
    assert model.stem.startswith(prefix)
    if model.parent.name == "marts":
        assert all({"data_type", "description"} <= set(column) for column in described["columns"])


def test_every_variable_is_used() -> None:
    """A knob that turns nothing is worse than none."""
    variables = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"]
    code = "".join(path.read_text() for path in [*PROJECT.glob("models/**/*.sql"), *PROJECT.glob("macros/*.sql")])
    assert [name for name in variables if f'"{name}"' not in code] == []
