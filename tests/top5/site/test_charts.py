import re
from datetime import date, timedelta
from pathlib import Path

import duckdb

from tests.top5.site.conftest import EVERYTHING, FACTS
from top5.site.archive import Archive
from top5.site.charts import chart, quality_view
from top5.site.index import synchronise
from top5.site.pages import Pages, render
from top5.site.quality import refresh_quality

FIRST = date(2026, 9, 14)


def _percent(value: float) -> str:
    return f"{value:.0%}"


def test_a_line_goes_up_where_the_value_does_and_stays_inside() -> None:
    drawn = chart(
        "Feeds", "feeds", [(FIRST, 0.0), (FIRST + timedelta(days=1), 1.0), (FIRST + timedelta(days=2), 3.0)], _percent, 1.0
    )
    assert drawn is not None
    points = [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", drawn.path)]
    assert [y for _, y in points] == [90.0, 8.0, 8.0]
    assert points[0][0] < points[1][0] < points[2][0] <= drawn.width


def test_a_day_without_a_value_is_a_gap_and_is_said_to_be_unknown() -> None:
    days = [(FIRST + timedelta(days=number), value) for number, value in enumerate((0.5, None, 0.7))]
    drawn = chart("Feeds", "feeds", days, _percent, 1.0)
    assert drawn is not None
    assert drawn.path.count("M") == 2
    assert drawn.rows[1] == ("15 September", "not known")
    assert (
        drawn.summary
        == "Feeds, 14 September to 16 September: 70% at last, 60% on average, lowest 50% on 14 September, highest 70%."
    )


def test_nothing_known_is_no_chart() -> None:
    assert chart("Feeds", "feeds", [], _percent, 1.0) is None
    assert chart("Feeds", "feeds", [(FIRST, None)], _percent, 1.0) is None
    assert not quality_view([], []).known


def _warehouse(path: Path, rows: int) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "create or replace table daily_quality as select date '2026-09-14' + i::integer as day, 0.9 as feeds_healthy_share, "
            "0.8::decimal(4, 2) as transcript_coverage, null::double as grounded_share, 1.5 as cost_usd, 1.0 as delivery_share "
            f"from range({rows}) t(i)"
        )


def test_the_mart_is_copied_once_and_plotted(tmp_path: Path) -> None:
    synchronise(tmp_path, tmp_path / "lake", EVERYTHING)
    warehouse = tmp_path / "warehouse.duckdb"
    assert not refresh_quality(tmp_path, warehouse)
    _warehouse(warehouse, 100)
    assert refresh_quality(tmp_path, warehouse)
    assert not refresh_quality(tmp_path, warehouse)
    archive = Archive(tmp_path)
    assert len(archive.quality()) == 90
    page = Pages(archive, FACTS).page("/quality/")
    assert page is not None
    html = render(page, FACTS)
    assert html.count("<svg") == 4
    assert "Transcript coverage, 24 September to 22 December: 80 % at last" in html
    assert "Cost <span" in html and "$1.50" in html
    archive.close()


def test_a_warehouse_that_is_written_or_has_no_mart_leaves_what_is_known(tmp_path: Path) -> None:
    synchronise(tmp_path, tmp_path / "lake", EVERYTHING)
    warehouse = tmp_path / "warehouse.duckdb"
    warehouse.write_bytes(b"this is no database at all, but it is there" * 200)
    assert not refresh_quality(tmp_path, warehouse)
    warehouse.unlink()
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create table other (x integer)")
    refresh_quality(tmp_path, warehouse)
    archive = Archive(tmp_path)
    assert archive.quality() == []
    archive.close()
