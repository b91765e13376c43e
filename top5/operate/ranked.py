"""Which days of a range need no ranking, because they were ranked from just these rows and rules.

Belongs here: telling that, and remembering it in a file that may be lost. A day is ranked from the project and its variables, the rows of the
lake up to that day, and what earlier days chose. All of it is hashed, and so is what the marts hold of the day: a warehouse that was restored
or built again is never taken for what it was.
"""

import json
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import duckdb

from top5 import nearness
from top5.lake import content_key, write_atomically
from top5.settings import Settings
from top5.tables import DAY_TABLES
from top5.warehouse import PROJECT_DIR, default_variables, ranking_variables, rules_version

_MARTS = ("daily_top_insights", "fct_insights", "fct_episode_ledger", "daily_summary")
_OF_THE_RUN = ("reused", "seconds_taken")
"""Columns that say how a run came by a row, not what it is."""
_HASH = "select coalesce(sum(hash(kept)::hugeint), 0), count(*) from"


class RankedDays:
    """The days of a home that are known to be ranked; kept beside dbt's own caches."""

    def __init__(self, settings: Settings) -> None:
        self._lake, self._warehouse, self._record = settings.lake_path, settings.warehouse_path, settings.dbt_path / "ranked.json"
        rules = (PROJECT_DIR / "dbt_project.yml", Path(nearness.__file__))
        self._rules = content_key(
            rules_version(), *(path.read_bytes() for path in rules), json.dumps(ranking_variables(settings)), duckdb.__version__
        )
        windows = default_variables()
        self._window = timedelta(days=max(int(str(windows[name])) for name in ("corroboration_days", "health_days")))
        self._files: dict[Path, str] = {}
        try:
            self._known: dict[str, str] = json.loads(self._record.read_bytes())
        except (OSError, ValueError):
            self._known = {}

    def holds(self, day: date) -> bool:
        """Whether ranking `day` again would give what the marts have. False where that cannot be told."""
        known = self._known.get(day.isoformat())
        return known is not None and known == self._state(day)

    def note(self, day: date) -> None:
        """Remember that `day` was just ranked."""
        state = self._state(day)
        if state is not None:
            self._known[day.isoformat()] = state
            write_atomically(self._record, json.dumps(self._known, indent=0).encode())

    def _state(self, day: date) -> str | None:
        since, until = str(day - self._window), str(day)
        try:
            with duckdb.connect(str(self._warehouse), read_only=True) as connection:
                held = [
                    connection.execute(f"{_HASH} (from {mart} where day {when} $day) as kept", {"day": day}).fetchall()
                    for mart, when in (("daily_top_insights", "<"), *((mart, "=") for mart in _MARTS))
                ]
                rows = [
                    (path.parent.name, path.name, self._rows(path, connection))
                    for table in DAY_TABLES
                    for path in _files(self._lake / table)
                    if since <= path.stem <= until
                ]
        except duckdb.Error:
            return None
        scans = [path.name for path in _files(self._lake / "scans") if since <= path.stem[:10] <= until]
        return content_key(self._rules, repr((held, rows, scans)))

    def _rows(self, path: Path, connection: duckdb.DuckDBPyConnection) -> str:
        if path not in self._files:
            columns = f"select columns(name -> name not in {_OF_THE_RUN}) from read_parquet($path)"  # noqa: S608  (names of its own)
            self._files[path] = repr(connection.execute(f"{_HASH} ({columns}) as kept", {"path": str(path)}).fetchall())
        return self._files[path]


def _files(folder: Path) -> Iterable[Path]:
    return sorted(folder.glob("*.parquet"))
