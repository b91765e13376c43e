"""The asset `transcripts`: each episode's words, or the reason why there are none."""

from dagster import AssetExecutionContext, MaterializeResult, asset

from assets.episodes import episodes
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
    run_async,
    tell,
)  # fmt: skip


@asset(
    deps=[episodes],
    partitions_def=DAILY,
    backfill_policy=BACKFILL,
    group_name="extract",
    kinds={"python", "parquet"},
    owners=OWNERS,
    retry_policy=RETRIES,
    check_specs=check_specs("transcripts", "transcripts"),
)
def transcripts(context: AssetExecutionContext, workspace: Workspace) -> MaterializeResult:
    """The publisher's transcript where there is one, speech to text where not; kept under the hash of its source."""
    from top5.engines import transcriber
    from top5.transcripts.day import collect_transcripts
    from top5.transcripts.report import speech_metadata

    settings, landed, size, today = workspace.settings, [], 0, workspace.clock.astimezone(workspace.settings.tz).date()
    with failures_named(), workspace.catalog() as catalog:
        for day in days_of(context):
            work = collect_transcripts(
                catalog.day_episodes(day),
                lake=workspace.lake,
                scan=settings.scan,
                settings=settings.transcripts,
                transcriber=lambda: transcriber(settings),
                late_days=settings.digest.late_days,
                on_row=lambda episode, row: tell(
                    f"{episode.facts.title}: {row['reason'] or row['source']}", episode_id=episode.episode_id
                ),
                usd_spent=catalog.spent(today),
                on_spend=lambda usd: catalog.add_spend(today, "transcripts", usd, 1),
                on_audio=lambda episode, done, total: tell(
                    f"{episode.facts.title}: {done / 60:.0f} of {total / 60:.0f} minutes heard"
                ),
            )
            rows = run_async(work)
            catalog.set_states(day, {row["episode_id"]: (row["state"], row["reason"]) for row in rows})
            size += workspace.lake.write_table("transcripts", day, rows)
            landed += rows
    per_day(context, "dagster/partition_row_count", landed)
    per_day(context, "cost (USD)", [row for row in landed if not row["reused"]], "cost_usd")
    per_day(context, "reused", landed, "reused")
    return MaterializeResult(
        metadata={
            "dagster/partition_row_count": len(landed),
            "states": counts(row["state"] for row in landed),
            "reasons": counts(row["reason"] for row in landed if row["reason"]),
            "formats": counts(row["format"] for row in landed if row.get("format")),
            "reused": sum(row["reused"] for row in landed),
            "words": sum(row["words"] for row in landed),
            "hours of speech": round(sum(row["speech_seconds"] for row in landed) / 3600, 2),
            "bytes written": size,
            **speech_metadata(landed),
        },
        check_results=check_rows(workspace, "transcripts", "transcripts", landed, days_of(context)),
    )
