"""Dagster's own home: where runs and events are kept.

Belongs here: making DAGSTER_HOME ready before anything of Dagster starts; `python -m orchestration.instance` does it for services.
"""

import os
import sys
from pathlib import Path

from top5.lake import write_atomically

CONFIG = """\
# Written by top5 when it starts. Storage is SQLite in this folder; see docs/architecture.md for Postgres.
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  runs:
    tag_concurrency_limits:
      # Days are built one after the other: what one chose decides what is new on the next.
      - key: line
        value: digest
        limit: 1
  pools:
    # A DuckDB file takes one writer: every pool is a queue.
    default_limit: 1
run_retries:
  enabled: true
  max_retries: 0
  # Steps have a retry policy of their own; a run is not repeated because one of its checks failed.
  retry_on_asset_or_op_failure: false
run_monitoring:
  # A run whose process died gives its place in a pool back.
  enabled: true
  free_slots_after_run_end_seconds: 60
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
scheduler:
  module: dagster.core.scheduler
  class: DagsterDaemonScheduler
  config:
    # A tick that meets a locked catalog is tried again, or that morning would have no digest.
    max_tick_retries: 3
retention:
  # A tick is a row; sensors have thousands a day.
  schedule:
    purge_after_days: {skipped: 30, success: 90, failure: 90, started: 90}
  sensor:
    purge_after_days: {skipped: 2, success: 30, failure: 30, started: 30}
python_logs:
  python_log_level: WARNING
"""


def prepare_home(home: Path) -> Path:
    """Make `home`/dagster a DAGSTER_HOME and point the environment at it; returns the folder."""
    folder = (home / "dagster").resolve()
    config = folder / "dagster.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    # A file of the operator's own (Postgres, other executors) is left alone.
    if not config.exists() or config.read_text("utf-8").startswith(CONFIG.splitlines()[0]):
        write_atomically(config, CONFIG.encode())
    os.environ["DAGSTER_HOME"] = str(folder)
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    return folder


if __name__ == "__main__":
    from top5.settings import load_settings

    sys.stdout.write(f"{prepare_home(load_settings().home)}\n")
