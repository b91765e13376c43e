"""`make demo`: five days of the sample podcasts, end to end, and the last day's five. `python -m demo 3` builds only the third."""

import json
import os
import sys
import time
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from demo.publish import opml, publish
from demo.script import read_shows
from demo.server import PodcastServer
from top5.cli import guarded
from top5.digests.day import digest_folder, latest_digest
from top5.digests.render import render_text
from top5.errors import PermanentError
from top5.lake import Lake, write_atomically
from top5.settings import Settings, load_settings

DAYS = 5
EVENING = clock_time(20, 0, tzinfo=UTC)


def build(settings: Settings, days: list[int], console: Console) -> dict[date, float]:
    """Publish and build the given days (1 to 5) in order; returns the seconds that each took. Raises PermanentError."""
    first_day, _ = read_shows()
    root = settings.home / "www"
    seconds: dict[date, float] = {}
    write_atomically(settings.home / "feeds.opml", opml())
    count = TextColumn("{task.completed}/{task.total} days")
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20), count, TimeElapsedColumn())
    with PodcastServer(root) as server, Progress(*columns, console=console, refresh_per_second=4) as progress:
        task = progress.add_task("Starting Dagster", total=len(days))
        # The samples live under invented names; this is the one address that the SSRF guard lets through for them.
        os.environ["TOP5_SCAN__ALLOW_PRIVATE"] = json.dumps([server.address])
        os.environ["TOP5_SCAN__CONNECT_TO"] = json.dumps({".example": server.address})
        from orchestration.run import run_day

        for number in days:
            day = first_day + timedelta(days=number - 1)
            started = time.monotonic()
            publish(root, number)

            def show(line: str, day: date = day) -> None:
                progress.update(task, description=f"{day:%a %d %b}  {line[:60]:60}")

            show("scanning")
            outcome = run_day(day, settings, now=datetime.combine(day, EVENING), on_progress=show)
            if not outcome.success:
                raise PermanentError("demo_failed", f"{day} could not be built: {outcome.trouble}")
            seconds[day] = time.monotonic() - started
            progress.advance(task)
        progress.update(task, description="Done")
    return seconds


def days_asked(arguments: list[str]) -> list[int]:
    """The days named on the command line, in order; all of them by default. Raises PermanentError."""
    numbers = [int(argument) if argument.isdecimal() else 0 for argument in arguments]
    if any(not 1 <= number <= DAYS for number in numbers):
        raise PermanentError("bad_day", f"The samples have days 1 to {DAYS}; give some of these numbers or none.")
    return sorted(set(numbers)) or list(range(1, DAYS + 1))


def main() -> None:
    """Build the days and show the last one's digest."""
    days = days_asked(sys.argv[1:])
    console = Console(stderr=True)
    os.environ.setdefault("TOP5_CONFIG", str(Path(__file__).parent / "top5.toml"))
    settings = load_settings()
    os.environ.setdefault("TOP5_HOME", str(settings.home))
    os.environ["TOP5_FEEDS_FILE"] = str(settings.home / "feeds.opml")
    settings.home.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    try:
        with FileLock(settings.home / "demo.lock", timeout=0):
            seconds = build(settings, days, console)
    except Timeout as error:
        raise PermanentError("busy", f"Another demo is running in {settings.home}; wait for it or stop it.") from error
    last = max(seconds)
    sys.stdout.write(render_text(latest_digest(Lake(settings.lake_path), last)))
    folder = digest_folder(settings.home, last)
    console.print()
    console.print(
        f"Built in {time.monotonic() - started:.0f} s. The digest lies in", markup=False, highlight=False, soft_wrap=True
    )
    for name in sorted(path.name for path in folder.iterdir()):
        console.print(f"  {folder / name}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"  {settings.home / 'outbox'} (the mails)", markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"See the runs: TOP5_CONFIG=demo/top5.toml TOP5_HOME={settings.home} make up",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


if __name__ == "__main__":
    sys.exit(guarded(main))
