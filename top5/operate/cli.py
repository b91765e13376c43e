"""`top5 backup`, `top5 restore`: commands over a whole home. `top5 prune` is in `orchestration.cli`, because runs are pruned too."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from top5.settings import load_settings

operate_app = typer.Typer()
ConfigOption = Annotated[Path | None, typer.Option("--config", "-c", help="Settings file; top5.toml by default.")]


@operate_app.command("backup")
def backup_command(
    folder: Annotated[Path, typer.Argument(help="Where the file is written; created where missing.")], config: ConfigOption = None
) -> None:
    """Copy catalog, lake, warehouse, digests and outbox into one file, while everything runs."""
    from top5.operate.backup import back_up

    done = back_up(load_settings(config), folder, datetime.now(UTC))
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{done.path}: {done.files} files, {done.bytes / 1e6:.1f} MB.", markup=False)
    for name, reason in done.left_out.items():
        console.print(f"Without {name}: {reason}.", markup=False)


@operate_app.command("restore")
def restore_command(
    archive: Annotated[Path, typer.Argument(help="A file that `top5 backup` wrote.")],
    replace: Annotated[bool, typer.Option("--replace", help="Set aside what is at home now; it is not deleted.")] = False,
    config: ConfigOption = None,
) -> None:
    """Bring a backup back: verified before anything is replaced. Stop the services first."""
    from top5.operate.restore import restore

    settings, errors = load_settings(config), Console(stderr=True)
    with errors.status("Verifying ...") as status:
        done = restore(
            archive, settings, now=datetime.now(UTC), replace=replace, on_day=lambda day: status.update(f"Ranking {day} ...")
        )
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{settings.home} is as of {done.made_at:%Y-%m-%d %H:%M} UTC ({done.files} files).", markup=False)
    if done.rebuilt_days:
        console.print(f"The warehouse was built again from {len(done.rebuilt_days)} days.")
    if done.set_aside is not None:
        console.print(f"What was there before is in {done.set_aside}.", markup=False)
    console.print("Mails sent since then are not known here: docs/recovery.md says what to do before the next run.")
