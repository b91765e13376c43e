"""The warehouse made again from the lake: it holds nothing that the lake does not.

Belongs here: which days can be built, and building them in order, because what an earlier day chose decides what is new on the next.
"""

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import top5
from top5 import warehouse
from top5.settings import Settings
from top5.tables import DAY_TABLES, table_path

DBT_PROJECT = Path(top5.__file__).resolve().parent.parent / "dbt_project"


def buildable_days(lake: Path) -> list[date]:
    """The days of which every table that dbt reads is in the lake, oldest first."""
    first, *others = DAY_TABLES
    days = [date.fromisoformat(path.stem) for path in (lake / first).glob("????-??-??.parquet")]
    return sorted(day for day in days if all(table_path(lake, table, day).is_file() for table in others))


def rebuild_warehouse(settings: Settings, on_day: Callable[[date], None] = lambda _day: None) -> list[date]:
    """Build every day of the lake into a new warehouse, then put it in the place of the old one; returns the days.

    `on_day` is told each day before it is built, which takes seconds. A kill leaves the old warehouse. Raises what
    `top5.warehouse.build` raises.
    """
    days = buildable_days(settings.lake_path)
    # In a folder of its own, because dbt calls the database as its file is called.
    folder = settings.home / "warehouse.rebuilding"
    shutil.rmtree(folder, ignore_errors=True)
    for day in days:
        on_day(day)
        warehouse.build(
            day,
            project_dir=DBT_PROJECT,
            lake=settings.lake_path,
            warehouse=folder / settings.warehouse_path.name,
            target_path=settings.dbt_path,
            variables=warehouse.ranking_variables(settings),
        )
    if days:
        settings.warehouse_path.with_name(f"{settings.warehouse_path.name}.wal").unlink(missing_ok=True)
        (folder / settings.warehouse_path.name).replace(settings.warehouse_path)
    shutil.rmtree(folder, ignore_errors=True)
    return days
