"""The entry point `top5`: the domain's commands and, of the runs, `top5 run`.

Belongs here: commands that start a run. Everything else is in `top5.cli`; Dagster is imported only when a run starts.
"""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from top5.alerts.cli import alerts_app
from top5.cli import ConfigOption, DateOption, app, damage_searches, guarded, parse_day
from top5.errors import PermanentError
from top5.operate.cli import operate_app
from top5.settings import Settings, load_settings, remember_config
from top5.site.cli import serve, site_app

if TYPE_CHECKING:
    from top5.operate.repair import Damage

app.add_typer(alerts_app, name="alerts")
app.add_typer(site_app, name="site")
app.command("serve")(serve)
app.add_typer(operate_app)


def _dead_runs(settings: Settings, now: datetime) -> "list[Damage]":
    from orchestration.history import dead_runs

    return dead_runs(settings, now)


damage_searches.append(_dead_runs)


@app.command("run")
def run_command(day: DateOption = None, config: ConfigOption = None) -> None:
    """Scan, read, choose, freeze and deliver one day; yesterday by default, the last day that is over."""
    remember_config(config)
    settings = load_settings(config)
    wanted = parse_day(day, settings, datetime.now(UTC))
    console = Console(stderr=True)
    with console.status(f"Building {wanted} ...") as status:
        from orchestration.run import run_day

        outcome = run_day(wanted, settings, on_progress=lambda line: status.update(line[:100]))
    if not outcome.success:
        raise PermanentError("run_failed", f"{outcome.trouble} (run {outcome.run_id}; `make up` shows it)")
    from top5.digests.day import digest_folder, latest_digest
    from top5.digests.render import render_text
    from top5.lake import Lake

    sys.stdout.write(render_text(latest_digest(Lake(settings.lake_path), wanted)))
    console.print(f"Digest: {digest_folder(settings.home, wanted)}", markup=False, highlight=False, soft_wrap=True)


@app.command("deadman")
def deadman_command(
    daemon: Annotated[bool, typer.Option(help="Look at Dagster's daemon too; --no-daemon where cron runs `top5 run`.")] = True,
    config: ConfigOption = None,
) -> None:
    """For cron: is yesterday's digest out, and does the daemon beat? Exit 1 and an alert where not, else the health-check ping."""
    remember_config(config)
    settings = load_settings(config)
    from orchestration.deadman import check

    check(settings, datetime.now(UTC), daemon=daemon)
    Console().print("The daemon beats and the last digest is out." if daemon else "The last digest is out.")


@app.command("prune")
def prune_command(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be deleted, delete nothing.")] = False,
    config: ConfigOption = None,
) -> None:
    """Delete what is older than the settings under "retention" allow and nothing needs; days, digests and what they cite are never touched."""
    settings, now = load_settings(config), datetime.now(UTC)
    from orchestration.history import forget_runs, old_runs
    from top5.operate.prune import plan, prune

    old, runs = plan(settings, now), old_runs(settings, now)
    console = Console(soft_wrap=True, highlight=False)
    for kind in old:
        console.print(f"{len(kind.paths):6}  {kind.bytes / 1e6:8.1f} MB  {kind.kind}, older than {kind.days} days")
    if runs:
        console.print(f"{len(runs):6}               runs of scans, older than {settings.retention.runs_days} days")
    if not old and not runs:
        console.print("Nothing is old enough to go.")
    elif dry_run:
        console.print("Nothing was deleted; leave --dry-run away to delete this.")
    else:
        forget_runs(settings, runs)
        console.print(f"{prune(old) / 1e6:.1f} MB freed.")


def main() -> None:
    """Entry point; exits 0, 1 (a named failure) or 2 (usage)."""
    sys.exit(guarded(app))
