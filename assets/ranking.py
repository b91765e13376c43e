"""The dbt models as assets: staging, intermediate, marts; their tests as checks.

Belongs here: the mapping of dbt's nodes and events to Dagster's. The SQL is in `dbt_project`, running it in `top5.warehouse`.
"""

import gc
from collections.abc import Iterator, Mapping
from typing import Any

from dagster import AssetCheckResult, AssetCheckSpec, AssetExecutionContext, AssetSpec, multi_asset
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage
from dagster_dbt.dbt_manifest import validate_manifest
from google.protobuf import json_format

from assets.workspace import BACKFILL, DAILY, OWNERS, PROJECT, RETRIES, Workspace, days_of, failures_named, tell
from top5 import warehouse
from top5.settings import load_settings

# What Dagster and dbt have imported by now stays: a collector that looks through it all again takes a quarter of the time that loading takes.
gc.freeze()

DBT_PROJECT = PROJECT / "dbt_project"
POOL = "warehouse"
"""A DuckDB file takes one writer; the instance limits every pool to 1."""


class Translator(DagsterDbtTranslator):
    """Groups by layer, so that the graph reads extract -> staging -> intermediate -> marts."""

    def __init__(self) -> None:
        # The asset `insights` lands two tables, so two dbt sources are one asset. Source tests as checks would keep our own
        # blocking checks on the same assets from blocking.
        settings = DagsterDbtTranslatorSettings(
            enable_asset_checks=True, enable_source_tests_as_checks=False, enable_duplicate_source_asset_keys=True
        )
        super().__init__(settings)

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The folder under models/."""
        return dbt_resource_props["fqn"][1] if len(dbt_resource_props["fqn"]) > 2 else None

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        """One team owns all."""
        return OWNERS


TRANSLATOR = Translator()
_settings = load_settings()
MANIFEST = warehouse.manifest(
    DBT_PROJECT, lake=_settings.lake_path, warehouse=_settings.warehouse_path, target_path=_settings.dbt_path
)


def dbt_specs(manifest: Mapping[str, Any]) -> tuple[list[AssetSpec], list[AssetCheckSpec]]:
    """The models as assets and their tests as checks, as `dagster_dbt.dbt_assets` has them where everything is selected.

    Its way there asks dbt's graph library which nodes that is, and importing that costs every process two seconds.
    """
    nodes = manifest["nodes"]
    specs = {
        unique_id: TRANSLATOR.get_asset_spec(manifest, unique_id, None)
        for unique_id, node in nodes.items()
        if node["resource_type"] in {"model", "seed", "snapshot"} and node["config"]["materialized"] != "ephemeral"
    }
    checks = [
        TRANSLATOR.get_asset_check_spec(asset_spec=specs[parent], manifest=manifest, unique_id=unique_id, project=None)
        for unique_id, node in nodes.items()
        if node["resource_type"] == "test"
        for parent in node["depends_on"]["nodes"]
        if parent in specs
    ]
    return list(specs.values()), list({check.key: check for check in checks if check}.values())


_specs, _checks = dbt_specs(validate_manifest(MANIFEST))
_KEYS = {spec.metadata["dagster_dbt/unique_id"]: spec.key for spec in _specs}
_RESULTS = frozenset({"LogModelResult", "LogSeedResult", "LogSnapshotResult", "LogTestResult"})
"""dbt's events that say what became of a node; of the others there are a hundred to each."""

# Written by the step `ranking` itself before dbt starts: as outputs of the assets that fill the catalog they would close a circle.
LEDGERS = [
    AssetSpec(
        ["lake", table],
        description=f"The catalog's {table} as dbt reads them, one file a day, exported at the head of `ranking`.",
        group_name="staging",
        kinds={"parquet"},
        owners=OWNERS,
        partitions_def=DAILY,
    )
    for table in ("spend", "deliveries")
]


@multi_asset(
    name="ranking",
    specs=_specs,
    check_specs=_checks,
    can_subset=True,
    partitions_def=DAILY,
    backfill_policy=BACKFILL,
    retry_policy=RETRIES,
    pool=POOL,
)
def ranking(context: AssetExecutionContext, workspace: Workspace) -> Iterator[Any]:
    """One dbt build a day, in order: what earlier days chose decides what is new.

    Of a range, days of which nothing has changed are passed over; the last is always built, for its tests and the marts of all days.
    """
    from top5.catalog.ledgers import export_ledgers
    from top5.operate.ranked import RankedDays

    settings = workspace.settings
    results: list[Any] = []
    days, ranked = days_of(context), 0
    with failures_named():
        try:
            with workspace.catalog() as catalog:
                export_ledgers(catalog, workspace.lake, days[0])
            kept = RankedDays(settings)
            for day in days:
                if day == days[-1] or not kept.holds(day):
                    results.clear()
                    built = warehouse.build(
                        day,
                        project_dir=DBT_PROJECT,
                        lake=settings.lake_path,
                        warehouse=settings.warehouse_path,
                        target_path=settings.dbt_path,
                        variables=warehouse.ranking_variables(settings),
                        on_event=lambda event: results.append(event) if event.info.name in _RESULTS else None,
                    )
                    kept.note(day)
                    _measure(built, context)
                    tell(f"{day}: ranked in {built.seconds:.1f} s")
                ranked += 1
        finally:
            # Of a range only the last day's events are passed on: Dagster takes one result per asset and check of a step. A model's
            # event stands for the whole range, so one that stopped half way gives only what its tests said.
            whole = ranked == len(days) or len(days) == 1
            for result in results:
                yield from (found for found in _dagster_events(result, context) if whole or isinstance(found, AssetCheckResult))


def _measure(built: warehouse.BuildResult, context: AssetExecutionContext) -> None:
    """Give each model of a day its seconds and, of a mart, its rows, by the names that all assets have for them."""
    for node in built.nodes:
        key = _KEYS.get(node.unique_id)
        if key in context.selected_asset_keys:
            rows = {} if node.rows is None else {"dagster/partition_row_count": node.rows}
            context.add_asset_metadata({"seconds": round(node.seconds, 3), **rows}, key, built.day.isoformat())


def _dagster_events(result: Any, context: AssetExecutionContext) -> Iterator[Any]:
    message = json_format.MessageToDict(result, preserving_proto_field_name=True)
    event = DbtCoreCliEventMessage(raw_event=message, event_history_metadata={})
    yield from event.to_default_asset_events(
        manifest=validate_manifest(MANIFEST), dagster_dbt_translator=TRANSLATOR, context=context
    )
