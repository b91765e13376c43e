"""The mart `daily_quality`, copied into the index whenever it can be read: a page must not wait for the warehouse.

Belongs here: the copy. What a column means is told in docs/ranking.md; plots are `charts`.
"""

import json
import sqlite3
from pathlib import Path
from typing import Any, Final

from top5.site.charts import DAYS
from top5.site.index import connect, index_path

_COLUMNS: Final = ("feeds_healthy_share", "transcript_coverage", "grounded_share", "cost_usd", "delivery_share")


def refresh_quality(home: Path, warehouse: Path) -> bool:
    """Copy the mart's last days where the warehouse has changed since; whether it did.

    A warehouse that another process writes, that is not there, or that has no such mart leaves what is known.
    """
    try:
        found = warehouse.stat()
    except OSError:
        return False
    signature = f"{found.st_size}:{found.st_mtime_ns}"
    connection = connect(index_path(home))
    try:
        known = connection.execute("select signature from quality_read").fetchone()
        if known is not None and known[0] == signature:
            return False
        rows = _rows(warehouse)
        if rows is None:
            return False
        _keep(connection, rows, signature)
        return True
    finally:
        connection.close()


def _keep(connection: sqlite3.Connection, rows: list[dict[str, Any]], signature: str) -> None:
    connection.execute("begin immediate")
    try:
        connection.execute("delete from quality")
        connection.executemany("insert into quality values (?, ?)", [(row["day"], json.dumps(row)) for row in rows])
        connection.execute("insert or replace into quality_read values (1, ?)", (signature,))
        connection.execute("update state set version = version + 1")
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise


def _rows(warehouse: Path) -> list[dict[str, Any]] | None:
    """The last days, oldest first; None while the warehouse is written, an empty list where it has no such mart."""
    import duckdb

    try:
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            there = {
                row[0]
                for row in connection.execute(
                    "select column_name from duckdb_columns() where table_name = 'daily_quality'"
                ).fetchall()
            }
            columns = [name for name in _COLUMNS if name in there]
            if "day" not in there or not columns:
                return []
            chosen = ", ".join(f"{name}::double" for name in columns)
            sql = f"select day::varchar, {chosen} from daily_quality order by day desc limit {DAYS}"  # noqa: S608
            rows = connection.execute(sql).fetchall()
    except duckdb.IOException:
        return None
    return [dict(zip(("day", *columns), row, strict=True)) for row in reversed(rows)]
