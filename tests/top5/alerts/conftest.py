"""A catalog with feeds and digests, a clock, and ways that remember what they were given."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from top5.alerts.send import Message
from top5.catalog.store import Catalog
from top5.errors import TransientError
from top5.settings import AlertSettings, Settings

NOON = datetime(2026, 9, 17, 12, tzinfo=UTC)
YESTERDAY = date(2026, 9, 16)


class Remembering:
    """A way that takes every message, or none."""

    def __init__(self, *, works: bool = True) -> None:
        self.messages: list[Message] = []
        self.works = works

    def send(self, message: Message, now: datetime) -> None:
        if not self.works:
            raise TransientError("not_told", "The server is down.")
        self.messages.append(message)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog.at_home(tmp_path)
    yield catalog
    catalog.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    # Copied, because the environment of the tests wins over arguments.
    return Settings().model_copy(update={"home": tmp_path, "alerts": AlertSettings(low_disk_gb=0)})


def with_alerts(settings: Settings, **values: object) -> Settings:
    return settings.model_copy(update={"alerts": settings.alerts.model_copy(update=values)})


def build(catalog: Catalog, *days: date) -> None:
    for day in days:
        catalog.add_digest_revision(day, 1, "hash", datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1), ())


def follow(catalog: Catalog, *, days_ago: int = 30) -> str:
    feed_id, _ = catalog.add_feed(
        "https://a.example/feed?token=abc123secret", NOON - timedelta(days=days_ago), title="The Load Curve"
    )
    return feed_id
