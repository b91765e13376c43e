"""The asset `deliveries`: each reader gets the day's digest once."""

from typing import TYPE_CHECKING

from dagster import AssetExecutionContext, AssetKey, Backoff, Config, Failure, MaterializeResult, RetryPolicy, asset
from pydantic import Field

from assets.digests import digests
from assets.workspace import DAILY, DAY_BY_DAY, OWNERS, Workspace, counts, days_of, failures_named
from top5.errors import PermanentError, Top5Error

if TYPE_CHECKING:
    from top5.deliveries.model import Report

_NOBODY_ASKED = ("dagster/schedule_name", "dagster/sensor_name", "dagster/backfill", "dagster/from_automation_condition")


class DeliveryConfig(Config):
    """What a person may ask for in the launchpad."""

    resend: bool = Field(default=False, description="Send again to those who have the day's digest already, once per run.")
    resend_unknown: bool = Field(
        default=False, description="Send again what an earlier run may or may not have sent; some get it twice."
    )
    retry_failed: bool = Field(default=False, description="Try again what a server refused.")
    send_old: bool = Field(default=False, description="Send a digest of an older day too; by default a backfill mails nothing.")


@asset(
    deps=[digests],
    partitions_def=DAILY,
    backfill_policy=DAY_BY_DAY,
    group_name="deliver",
    kinds={"python", "smtp"},
    owners=OWNERS,
    # Five minutes in all: a warehouse that is being written, a mail server that starts anew.
    retry_policy=RetryPolicy(max_retries=4, delay=20, backoff=Backoff.EXPONENTIAL),
)
def deliveries(context: AssetExecutionContext, workspace: Workspace, config: DeliveryConfig) -> MaterializeResult:
    """The digest to all whose hour has come, by mail, chat or outbox; each attempt is recorded before it is made.

    Materialized by hand and alone it is the approval that `delivery.approval` asks for.
    """
    from top5.deliveries.bounces import read_bounces
    from top5.deliveries.day import Wanted, deliver

    wanted = Wanted(
        resend=(context.run.root_run_id or context.run_id) if config.resend else None,
        resend_unknown=config.resend_unknown,
        retry_failed=config.retry_failed,
        send_old=config.send_old,
        approve=_by_hand_and_alone(context),
        backfill="dagster/backfill" in context.run.tags,
    )
    with failures_named(), workspace.catalog() as catalog:
        try:
            bounces = read_bounces(workspace.settings, catalog, now=workspace.clock)
        except Top5Error as error:
            # A mailbox that cannot be read keeps nobody from their digest.
            bounces = [error.reason]
            context.log.error(error.message)
        reports = deliver(days_of(context), workspace.settings, catalog, workspace.lake, now=workspace.clock, wanted=wanted)
    for report in reports:
        _tell(context, report)
    return MaterializeResult(
        metadata={
            "dagster/partition_row_count": sum(sum(report.states.values()) for report in reports),
            "states": counts(state for report in reports for state, number in report.states.items() for _ in range(number)),
            "sent now": sum(report.attempted for report in reports),
            "reasons": counts(reason for report in reports for reason, number in report.reasons.items() for _ in range(number)),
            "held": ", ".join(sorted({report.held for report in reports if report.held})) or "no",
            "nothing fits their wishes": sum(report.nothing_for for report in reports),
            "bounces": counts(bounces),
        }
    )


def _tell(context: AssetExecutionContext, report: "Report") -> None:
    """Log what an operator should know of a day; a channel that was shut fails the run, and is tried again unless a person must mend it."""
    for trouble in report.troubles:
        context.log.warning("%s by %s: %s", trouble.recipient, trouble.channel, trouble.message)
    if report.unknown:
        sentence = "%s mails of %s may or may not have arrived; see `top5 deliveries list --date %s`."
        context.log.error(sentence, report.unknown, report.day, report.day)
    if report.stopped is not None:
        raise Failure(
            description=report.stopped.message,
            metadata={"reason": report.stopped.reason, "sent": report.sent},
            allow_retries=not isinstance(report.stopped, PermanentError),
        )


def _by_hand_and_alone(context: AssetExecutionContext) -> bool:
    return not set(_NOBODY_ASKED) & set(context.run.tags) and set(context.selected_asset_keys) == {AssetKey("deliveries")}
