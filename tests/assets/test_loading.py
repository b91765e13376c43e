import subprocess
import sys

from dagster_dbt.asset_utils import build_dbt_specs
from dagster_dbt.dbt_manifest import validate_manifest

from assets.ranking import MANIFEST, TRANSLATOR, dbt_specs
from tests.conftest import ROOT

ONLY_A_STAGE_NEEDS = {
    "sqlalchemy",
    "aiohttp",
    "pyarrow",
    "pandas",
    "networkx",
    "great_expectations",
    "openai",
    "onnxruntime",
    "duckdb",
}


def test_models_and_tests_are_those_that_dagster_dbt_would_select():
    manifest = validate_manifest(MANIFEST)
    specs, checks = dbt_specs(manifest)
    wanted, wanted_checks = build_dbt_specs(
        translator=TRANSLATOR, manifest=manifest, select="fqn:*", exclude="", selector="", io_manager_key=None, project=None
    )
    assert {spec.key: spec for spec in specs} == {spec.key: spec for spec in wanted}
    assert {check.key: check for check in checks} == {check.key: check for check in wanted_checks}


def test_the_code_location_imports_nothing_that_only_a_stage_needs():
    code = "import sys, orchestration.definitions; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ONLY_A_STAGE_NEEDS.isdisjoint(loaded.stdout.split())
