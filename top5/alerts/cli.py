"""`top5 alerts`: what is wrong, and whether messages arrive.

Belongs here: arguments and output. Everything is imported inside the commands.
"""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from top5.cli import ConfigOption, JsonOption, open_catalog, print_json
from top5.settings import load_settings

alerts_app = typer.Typer(help="What is wrong, and who is told.", no_args_is_help=True)


@alerts_app.command("list")
def alerts_list(
    everything: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """What is wrong now, as far as the last look saw; latest first."""
    from top5.catalog.alerts import kept_alerts

    settings = load_settings(config)
    with open_catalog(settings) as catalog:
        alerts = kept_alerts(catalog, open_only=not everything)
    if as_json:
        print_json([alert.model_dump(mode="json") for alert in alerts], compact=True)
        return
    console = Console()
    for alert in alerts:
        state = f"over {alert.closed_at:%Y-%m-%d %H:%M}" if alert.closed_at else "open"
        told = f"told {alert.told_at:%Y-%m-%d %H:%M}" if alert.told_at else "not told yet"
        console.print(
            f"{alert.opened_at:%Y-%m-%d %H:%M}  {alert.kind}  {state}, {told}", markup=False, highlight=False, soft_wrap=True
        )
        for line in (alert.what, alert.why, alert.todo, alert.link or ""):
            if line:
                console.print(f"    {line}", markup=False, highlight=False, soft_wrap=True)
    if not alerts:
        console.print("Nothing is wrong.")


@alerts_app.command("test")
def alerts_test(config: ConfigOption = None) -> None:
    """Send one message by every way that the settings name, quiet hours or not; exit 1 where one does not take it."""
    from top5.alerts.send import mail_to, trial_message, ways

    settings = load_settings(config)
    message, now = trial_message(settings), datetime.now(UTC)
    found = ways(settings)
    for way in found:
        way.send(message, now)
    console = Console()
    if settings.alerts.mail:
        where = (
            f"by {settings.delivery.smtp_host}" if settings.delivery.smtp_host else f"as a file in {settings.home}/outbox/alerts"
        )
        console.print(f"Mail to {', '.join(mail_to(settings))}, {where}.", markup=False, highlight=False, soft_wrap=True)
    if settings.alerts.urls:
        console.print(f"{len(settings.alerts.urls)} Apprise URLs took it.", highlight=False)
    if not found:
        console.print("Nobody is told: mail is off and urls is empty in [alerts].")
