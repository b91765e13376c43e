"""`top5 preview` and `top5 deliveries`: looking at a digest before it goes, and at what became of it.

Belongs here: arguments and output. Sending is `day`.
"""

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from top5.errors import PermanentError, Top5Error
from top5.settings import load_settings

if TYPE_CHECKING:
    from top5.deliveries.model import Report

app = typer.Typer(help="What became of a day's mails.", no_args_is_help=True)

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Settings file; top5.toml by default.")]
DateOption = Annotated[str | None, typer.Option("--date", help="YYYY-MM-DD, `today` or `yesterday`.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on one line, for programs.")]


def preview(
    to: Annotated[
        str | None, typer.Option("--to", help="Send it to this address, marked as a preview, in place of showing it.")
    ] = None,
    day: DateOption = None,
    text: Annotated[bool, typer.Option("--text", help="A mail without HTML.")] = False,
    config: ConfigOption = None,
) -> None:
    """Show the latest digest, or send it to yourself, before the list gets it. The ledger is left alone."""
    from top5.cli import parse_day
    from top5.deliveries.day import preview as send_preview
    from top5.digests.day import latest_digest
    from top5.digests.render import render_text, subject
    from top5.lake import Lake

    settings, now = load_settings(config), datetime.now(UTC)
    digest = latest_digest(Lake(settings.lake_path), parse_day(day, settings, now) if day else None)
    if to is None:
        sys.stdout.write(f"Subject: {subject(digest)}\n\n{render_text(digest)}")
        return
    asyncio.run(send_preview(digest, settings, to=to, now=now, format="text" if text else "html"))
    where = f"{settings.delivery.smtp_host}" if settings.delivery.smtp_host else f"{settings.home / 'outbox'}"
    _said(f"The digest of {digest.day}, revision {digest.revision}, went to {to} by {where}.")


@app.command("send")
def send(
    day: DateOption = None,
    resend_unknown: Annotated[
        bool, typer.Option("--resend-unknown", help="Send again what may have arrived; some get it twice.")
    ] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try again what a server refused.")] = False,
    send_old: Annotated[bool, typer.Option("--send-old", help="Send a day older than yesterday too.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Send a day's digest to all whose hour has come and who lack it; without --date every day that somebody waits for. For cron, without Dagster."""
    from top5.cli import open_catalog, parse_day
    from top5.deliveries.bounces import read_bounces
    from top5.deliveries.day import Wanted, days_due, deliver
    from top5.lake import Lake

    settings, now = load_settings(config), datetime.now(UTC)
    wanted = Wanted(resend_unknown=resend_unknown, retry_failed=retry_failed, send_old=send_old)
    with open_catalog(settings) as catalog:
        try:
            read_bounces(settings, catalog, now=now)
        except Top5Error as error:
            Console(stderr=True).print(error.message, style="yellow", markup=False, highlight=False, soft_wrap=True)
        days = [parse_day(day, settings, now)] if day else days_due(settings, catalog, now=now)
        reports = deliver(days, settings, catalog, Lake(settings.lake_path), now=now, wanted=wanted)
    if as_json:
        sys.stdout.write(json.dumps([_facts(report) for report in reports]) + "\n")
    else:
        for report in reports:
            _said(_line(report))
            for trouble in report.troubles:
                _said(f"  {trouble.recipient}: {trouble.message}")
        if not reports:
            _said("Nobody waits for a digest.")
    stopped = next((report.stopped for report in reports if report.stopped is not None), None)
    if stopped is not None:
        raise stopped


@app.command("list")
def list_(
    day: DateOption = None,
    state: Annotated[str | None, typer.Option(help="planned, sending, sent, failed or unknown; all by default.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """The ledger of a day, yesterday's by default, with masked addresses."""
    from rich.markup import escape
    from rich.table import Table

    from top5.catalog.deliveries import entries
    from top5.cli import open_catalog, parse_day
    from top5.subscribers.address import mask_address

    settings = load_settings(config)
    with open_catalog(settings) as catalog:
        rows = entries(catalog, parse_day(day, settings, datetime.now(UTC)), *([state] if state else []))
    if as_json:
        sys.stdout.write(
            json.dumps(
                [
                    {
                        "recipient": mask_address(row.recipient),
                        "subscriber_id": row.subscriber_id,
                        "channel": row.channel,
                        "state": row.state,
                        "reason": row.reason,
                        "attempts": row.attempts,
                        "next_attempt": row.next_attempt.isoformat() if row.next_attempt else None,
                        "at": row.changed_at.isoformat(),
                    }
                    for row in rows
                ]
            )
            + "\n"
        )
        return
    table = Table("recipient", "channel", "state", "reason", "attempts", "at (UTC)")
    for row in rows:
        cells = (
            mask_address(row.recipient),
            row.channel,
            row.state,
            row.reason or "",
            str(row.attempts),
            f"{row.changed_at:%m-%d %H:%M}",
        )
        table.add_row(*(escape(cell) for cell in cells))
    Console().print(table if rows else "The ledger has no such row.")


@app.command("resolve")
def resolve(
    day: Annotated[str, typer.Argument(help="YYYY-MM-DD, `today` or `yesterday`.")],
    sent: Annotated[
        bool | None, typer.Option("--sent/--resend", help="They arrived; or send them again with the next run.")
    ] = None,
    recipient: Annotated[str | None, typer.Option("--to", help="Only this address.")] = None,
    config: ConfigOption = None,
) -> None:
    """Decide what is to become of mails that may or may not have arrived (state `unknown`)."""
    from top5.catalog import deliveries as ledger
    from top5.cli import open_catalog, parse_day
    from top5.subscribers.address import address_key

    if sent is None:
        raise PermanentError("bad_arguments", "Say what you found: --sent where they arrived, --resend where they did not.")
    settings, now = load_settings(config), datetime.now(UTC)
    with open_catalog(settings) as catalog:
        wanted = address_key(recipient) if recipient else None
        number = ledger.resolve(catalog, parse_day(day, settings, now), "sent" if sent else "planned", now, wanted)
    _said(f"{number} mails are {'taken as sent' if sent else 'planned again'}.")


@app.command("approve")
def approve(day: DateOption = None, config: ConfigOption = None) -> None:
    """Let the latest revision of a digest go to the list, where delivery.approval holds it; the next run sends it."""
    from top5.catalog import deliveries as ledger
    from top5.cli import open_catalog, parse_day
    from top5.digests.day import latest_digest
    from top5.lake import Lake

    settings, now = load_settings(config), datetime.now(UTC)
    digest = latest_digest(Lake(settings.lake_path), parse_day(day, settings, now) if day else None)
    with open_catalog(settings) as catalog:
        ledger.approve(catalog, digest.day, digest.revision, now)
    _said(f"Revision {digest.revision} of {digest.day} is approved; `top5 deliveries send --date {digest.day}` sends it now.")


def _line(report: "Report") -> str:
    if report.held is not None:
        why = {"approval": "it waits for approval", "old": "it is older than yesterday", "backfill": "it was rebuilt"}
        return f"{report.day}: nothing was sent, for {why.get(report.held, report.held)}."
    states = ", ".join(f"{number} {state}" for state, number in report.states.items()) or "nobody is due"
    return f"{report.day}: {report.sent} sent now; in all {states}."


def _facts(report: "Report") -> dict[str, object]:
    return {
        "date": report.day.isoformat(),
        "sent": report.sent,
        "attempted": report.attempted,
        "states": dict(report.states),
        "reasons": dict(report.reasons),
        "held": report.held,
        "nothing_for": report.nothing_for,
        "stopped": report.stopped.reason if report.stopped is not None else None,
    }


def _said(line: str) -> None:
    Console().print(line, markup=False, highlight=False, soft_wrap=True)
