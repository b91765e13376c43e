"""The catalog's ledgers in the lake: money by day and purpose, mail without addresses."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from top5.catalog.ledgers import export_ledgers, recipient_key
from top5.catalog.store import Catalog
from top5.catalog.tables import Delivery
from top5.lake import Lake

DAY = date(2026, 9, 14)
NOW = datetime(2026, 9, 15, 6, tzinfo=UTC)


def test_rows_of_the_week_are_written_by_day_without_an_address(tmp_path: Path) -> None:
    catalog, lake = Catalog(f"sqlite:///{tmp_path / 'catalog.db'}"), Lake(tmp_path / "lake")
    for day in (DAY - timedelta(days=8), DAY - timedelta(days=1), DAY):
        catalog.add_spend(day, "insights", 0.5, 2)
    with catalog.transaction() as session:
        session.add(
            Delivery(
                day=DAY, recipient="mara@example.org", channel="smtp", revision=1, message_id="<1>", state="failed",
                reason="550 <mara@example.org> unknown", changed_at=NOW,
            )
        )  # fmt: skip
    assert export_ledgers(catalog, lake, DAY) == 3
    catalog.close()
    assert sorted(path.relative_to(lake.root).as_posix() for path in lake.root.rglob("*.parquet")) == [
        "deliveries/2026-09-14.parquet",
        "spend/2026-09-13.parquet",
        "spend/2026-09-14.parquet",
    ]
    assert lake.read_table("spend", DAY) == [{"day": DAY, "purpose": "insights", "usd": 0.5, "requests": 2}]
    (row,) = lake.read_table("deliveries", DAY)
    assert row["recipient_key"] == recipient_key(" Mara@Example.org")
    assert "mara" not in str(row)
    assert (row["state"], row["reason"], row["changed_at"]) == ("failed", "550 <...@...> unknown", NOW)


def test_an_empty_catalog_writes_nothing(tmp_path: Path) -> None:
    catalog = Catalog(f"sqlite:///{tmp_path / 'catalog.db'}")
    assert export_ledgers(catalog, Lake(tmp_path / "lake"), DAY) == 0
    catalog.close()
    assert not (tmp_path / "lake").exists()
