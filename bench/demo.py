"""`make demo` cold (no state) and warm (run again), and the seconds of each stage.

python -m bench.demo
"""

import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

AIM = 120


def run(home: Path) -> float:
    """Wall seconds of one demo with its state in `home`."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "demo"], check=True, env={**os.environ, "TOP5_HOME": str(home)}, capture_output=True)
    return time.monotonic() - started


def stages(home: Path) -> dict[str, list[float]]:
    """Seconds of each step, by run, oldest run first, from Dagster's own event log."""
    os.environ["DAGSTER_HOME"] = str((home / "dagster").resolve())
    from dagster import DagsterEventType, DagsterInstance

    found: dict[str, list[float]] = defaultdict(list)
    with DagsterInstance.get() as instance:
        for record in reversed(instance.get_run_records()):
            for entry in instance.all_logs(record.dagster_run.run_id, of_type=DagsterEventType.STEP_SUCCESS):
                event = entry.get_dagster_event()
                found[event.step_key or ""].append(event.step_success_data.duration_ms / 1000)
    return found


def main() -> None:
    """Print both times and a row per stage."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        cold, warm = run(home), run(home)
        print(f"\nmake demo, five days, environment installed (aim, warm: at most {AIM} s)")
        print(f"  cold (no state)   {cold:6.1f} s\n  warm (run again)  {warm:6.1f} s")
        print(f"\n  {'seconds per stage':<20} {'cold, 5 days':>14} {'warm, 5 days':>14}")
        for step, seconds in stages(home).items():
            half = len(seconds) // 2
            print(f"  {step:<20} {sum(seconds[:half]):14.2f} {sum(seconds[half:]):14.2f}")


if __name__ == "__main__":
    main()
