"""One sample day materialized by the real job on a real Dagster instance, for the tests that look at it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from demo.publish import opml, publish
from demo.server import PodcastServer
from orchestration.run import RunOutcome, run_day
from top5.settings import Settings, load_settings

DAY = date(2026, 9, 15)
NOW = datetime(2026, 9, 15, 20, tzinfo=UTC)


@dataclass
class Sample:
    """A home with the thin second day of the samples, and how to run it again."""

    home: Path
    first: RunOutcome

    @property
    def settings(self) -> Settings:
        return load_settings()

    def run(self) -> RunOutcome:
        return run_day(DAY, self.settings, now=NOW)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    home = tmp_path_factory.mktemp("a home with spaces")
    publish(home / "www", 2)
    (home / "feeds.opml").write_bytes(opml())
    with PodcastServer(home / "www") as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOP5_HOME", str(home))
        patch.setenv("TOP5_FEEDS_FILE", str(home / "feeds.opml"))
        patch.setenv("TOP5_SCAN__ALLOW_PRIVATE", json.dumps([server.address]))
        patch.setenv("TOP5_SCAN__CONNECT_TO", json.dumps({".example": server.address}))
        yield Sample(home, run_day(DAY, load_settings(), now=NOW))
