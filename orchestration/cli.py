"""The entry point `top5`: the domain's commands and, of the runs, `top5 run`.

Belongs here: commands that start a run. Everything else is in `top5.cli`; Dagster is imported only when a run starts.
"""

import sys
from datetime import UTC, datetime

from rich.console import Console

from top5.cli import ConfigOption, DateOption, app, guarded, parse_day
from top5.errors import PermanentError
from top5.settings import load_settings, remember_config


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


def main() -> None:
    """Entry point; exits 0, 1 (a named failure) or 2 (usage)."""
    sys.exit(guarded(app))
