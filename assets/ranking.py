"""The dbt models as assets: staging, intermediate, marts; their tests as checks.

Belongs here: the mapping of dbt's nodes and events to Dagster's. The SQL is in `dbt_project`, running it in `top5.warehouse`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from dagster import AssetExecutionContext
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage
from dagster_dbt.dbt_manifest import validate_manifest
from google.protobuf import json_format

from assets.workspace import BACKFILL, DAILY, OWNERS, PROJECT, RETRIES, Workspace, days_of, failures_named, progress
from top5 import warehouse
from top5.settings import load_settings

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


@dbt_assets(
    manifest=MANIFEST,
    name="ranking",
    partitions_def=DAILY,
    backfill_policy=BACKFILL,
    dagster_dbt_translator=TRANSLATOR,
    retry_policy=RETRIES,
    pool=POOL,
)
def ranking(context: AssetExecutionContext, workspace: Workspace) -> Iterator[Any]:
    """One dbt build a day, in order: what earlier days chose decides what is new."""
    settings = workspace.settings
    messages: list[dict[str, Any]] = []
    with failures_named():
        try:
            for day in days_of(context):
                messages.clear()
                built = warehouse.build(
                    day,
                    project_dir=DBT_PROJECT,
                    lake=settings.lake_path,
                    warehouse=settings.warehouse_path,
                    target_path=settings.dbt_path,
                    variables={"digest_size": settings.digest.size},
                    on_event=lambda event: messages.append(
                        json_format.MessageToDict(cast(Any, event), preserving_proto_field_name=True)
                    ),
                )
                progress.get()(f"{day}: ranked in {built.seconds:.1f} s")
        finally:
            # Of a range only the last day's events are passed on: Dagster takes one result per asset and check of a step.
            for message in messages:
                yield from _dagster_events(message, context)


def _dagster_events(message: dict[str, Any], context: AssetExecutionContext) -> Iterator[Any]:
    event = DbtCoreCliEventMessage(raw_event=message, event_history_metadata={})
    yield from event.to_default_asset_events(
        manifest=validate_manifest(MANIFEST), dagster_dbt_translator=TRANSLATOR, context=context
    )
