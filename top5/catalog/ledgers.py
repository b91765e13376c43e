"""The catalog's ledgers of money and mail as tables of the lake, where the warehouse reads them.

Belongs here: reading those rows and writing them out, one file per day. The addresses stay in the catalog: a recipient leaves it as a
hash. What the marts say of these rows is SQL (`dbt_project`).
"""

import re
from collections import defaultdict
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import select

from top5.catalog.store import Catalog
from top5.catalog.tables import Delivery, Spend
from top5.lake import Lake, content_key

LOOK_BACK: Final = timedelta(days=7)
"""How long before the processed day a ledger may still change: a mail is retried or bounces days later."""

# Mail servers repeat the address in what they answer.
_ADDRESS: Final = re.compile(r"[^\s<>\"']+@[^\s<>\"']+")


def recipient_key(address: str) -> str:
    """The 16 hex digits by which an address is known outside the catalog; the same for any spelling of its case."""
    return content_key("recipient", address.strip().casefold())[:16]


def export_ledgers(catalog: Catalog, lake: Lake, day: date) -> int:
    """Write `spend` and `deliveries` of `day`, and of all days from a week before it, to the lake; returns the rows written.

    A day without rows gets no file. Later days are written too: they are as final as the catalog has them. The file of a day is replaced.
    """
    first = day - LOOK_BACK
    with catalog.transaction() as session:
        spend = session.scalars(select(Spend).where(Spend.day >= first).order_by(Spend.day, Spend.purpose)).all()
        deliveries = session.scalars(
            select(Delivery).where(Delivery.day >= first).order_by(Delivery.day, Delivery.changed_at)
        ).all()
        tables: dict[str, list[dict[str, Any]]] = {
            "spend": [{"day": row.day, "purpose": row.purpose, "usd": row.usd, "requests": row.requests} for row in spend],
            "deliveries": [
                {
                    "day": row.day,
                    "recipient_key": recipient_key(row.recipient),
                    "channel": row.channel,
                    "revision": row.revision,
                    "state": row.state,
                    "reason": _ADDRESS.sub("...@...", row.reason) if row.reason else None,
                    "changed_at": row.changed_at,
                }
                for row in deliveries
            ],
        }
    for table, rows in tables.items():
        by_day: dict[date, list[dict[str, Any]]] = defaultdict(list)
        for row in rows:
            by_day[row["day"]].append(row)
        for written, its_rows in by_day.items():
            lake.write_table(table, written, its_rows)
    return sum(map(len, tables.values()))
