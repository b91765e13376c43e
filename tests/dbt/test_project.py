"""The dbt project itself: its unit tests pass, and every model keeps the house rules."""

from pathlib import Path

import pytest
import yaml

from tests.dbt.conftest import EMPTY_DAY, PROJECT, Workshop
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


@pytest.mark.usefixtures("empty_day")
def test_the_age_of_what_was_extracted_can_be_asked(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOP5_LAKE", str(workshop.lake.root))
    monkeypatch.setenv("TOP5_WAREHOUSE", str(workshop.warehouse))
    folders = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target-path", str(workshop.target_path)]
    folders += ["--log-path", str(workshop.target_path / "logs"), "--vars", "{day: 2027-01-10}"]
    outcome = run_dbt(["--log-level", "none", "source", "freshness", "--select", "source:lake.episodes", *folders])
    (asked,) = outcome.result.results
    assert asked.status in {"pass", "warn", "error"}  # dbt measures by today's clock; what cannot be asked is a runtime error
    assert asked.max_loaded_at.date() >= EMPTY_DAY


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
