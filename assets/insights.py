"""The asset `insights`: every candidate paragraph of the day's transcripts, proven."""

from enum import StrEnum

from dagster import AssetExecutionContext, Config, MaterializeResult, asset
from pydantic import Field

from assets.transcripts import transcripts
from assets.workspace import (
    BACKFILL,
    DAILY,
    OWNERS,
    RETRIES,
    Workspace,
    check_rows,
    check_specs,
    counts,
    days_of,
    failures_named,
    per_day,
    tell,
)  # fmt: skip
from top5.settings import Settings


class Engine(StrEnum):
    """The choices of the launchpad, which shows and takes the names of the members."""

    settings = "settings"
    auto = "auto"
    local = "local"
    openai = "openai"


class InsightConfig(Config):
    """What a person may ask for in the launchpad, for this run only."""

    engine: Engine = Field(
        default=Engine.settings,
        description="Who reads: `local` is embedded and free, `openai` any server of that kind, `settings` what top5.toml says.",
    )
    model: str = Field(default="", description="Model of the OpenAI engine, such as gpt-5; empty: openai.model of top5.toml.")

    def applied_to(self, settings: Settings) -> Settings:
        """The settings as this run wants them. Budget and key stay those of the settings."""
        reading, api = settings.insights, settings.openai
        if self.engine != Engine.settings:
            reading = reading.model_copy(update={"engine": self.engine.value})
        if self.model:
            api = api.model_copy(update={"model": self.model})
        return settings.model_copy(update={"insights": reading, "openai": api})


@asset(
    deps=[transcripts],
    partitions_def=DAILY,
    backfill_policy=BACKFILL,
    group_name="extract",
    kinds={"python", "parquet"},
    owners=OWNERS,
    retry_policy=RETRIES,
    check_specs=check_specs("insights", "insights", "extractions"),
)
def insights(context: AssetExecutionContext, workspace: Workspace, config: InsightConfig) -> MaterializeResult:
    """What the engine found in each transcript: headline, body, quotes aligned to the words, salience with its reasons."""
    from top5.engines import insight_tools
    from top5.insights.day import extract_insights
    from top5.insights.earlier import deferred_by_budget, keep_earlier

    settings = config.applied_to(workspace.settings)
    candidates, landed, size, put_off, stayed = [], [], 0, 0, 0
    with failures_named(), workspace.catalog() as catalog:
        for day in days_of(context):
            words = {row["episode_id"]: row for row in workspace.lake.read_table("transcripts", day)}
            tools = insight_tools(settings, workspace.lake, catalog, workspace.clock.date())
            found, rows = extract_insights(
                catalog.day_episodes(day),
                words,
                engine=tools.engine,
                embedder=tools.embedder,
                lake=workspace.lake,
                at_once=tools.at_once,
                on_row=lambda episode, row: tell(
                    f"{episode.facts.title}: {row['candidates']} candidates", episode_id=episode.episode_id
                ),
            )
            put_off += deferred_by_budget(rows)
            found, rows, kept = keep_earlier(workspace.lake, day, found, rows, words)
            stayed += kept
            catalog.set_states(day, {row["episode_id"]: (row["state"], row["reason"]) for row in rows})
            size += workspace.lake.write_table("insights", day, found) + workspace.lake.write_table("extractions", day, rows)
            candidates += found
            landed += rows
    per_day(context, "dagster/partition_row_count", candidates)
    per_day(context, "cost (USD)", landed, "cost_usd")
    per_day(context, "reused", landed, "reused")
    return MaterializeResult(
        metadata={
            "dagster/partition_row_count": len(candidates),
            "states": counts(row["state"] for row in landed),
            "rejected candidates": counts(
                r["reason"] for row in landed for r in row["rejection_reasons"] for _ in range(r["count"])
            ),
            "engines": counts(row["engine"] for row in landed),
            "reused": sum(row["reused"] for row in landed),
            "put off, budget spent": put_off,
            "kept from an earlier build, budget spent": stayed,
            "tokens": sum(row["input_tokens"] + row["output_tokens"] for row in landed),
            "cost (USD)": sum(row["cost_usd"] for row in landed),
            "bytes written": size,
        },
        check_results=[
            *check_rows(workspace, "insights", "insights", candidates, days_of(context)),
            *check_rows(workspace, "insights", "extractions", landed, days_of(context)),
        ],
    )
