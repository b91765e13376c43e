"""The asset `deliveries`: each recipient gets the day's digest once."""

from dagster import AssetExecutionContext, Config, MaterializeResult, asset
from pydantic import Field

from assets.digests import digests
from assets.workspace import BACKFILL, DAILY, OWNERS, RETRIES, Workspace, counts, days_of, failures_named, run_async
from top5.digests.day import send


class DeliveryConfig(Config):
    """What a person may ask for in the launchpad."""

    resend: bool = Field(default=False, description="Send again to those who have the day's digest already.")
    send_old: bool = Field(default=False, description="Send a digest of an older day too; by default a backfill mails nothing.")


@asset(
    deps=[digests],
    partitions_def=DAILY,
    backfill_policy=BACKFILL,
    group_name="deliver",
    kinds={"python", "smtp"},
    owners=OWNERS,
    retry_policy=RETRIES,
)
def deliveries(context: AssetExecutionContext, workspace: Workspace, config: DeliveryConfig) -> MaterializeResult:
    """The digest mailed, or written to the outbox where no mail server is configured; each attempt is recorded before it is made."""
    with failures_named(), workspace.catalog() as catalog:
        outcomes = [
            outcome
            for day in days_of(context)
            for outcome in run_async(
                send(
                    day,
                    workspace.settings,
                    catalog,
                    workspace.lake,
                    now=workspace.clock,
                    resend=config.resend,
                    send_old=config.send_old,
                )
            )
        ]
    return MaterializeResult(
        metadata={
            "dagster/partition_row_count": len(outcomes),
            "states": counts(outcome.state for outcome in outcomes),
            "sent now": sum(outcome.attempted for outcome in outcomes),
            "reasons": counts(outcome.reason for outcome in outcomes if outcome.reason),
        }
    )
