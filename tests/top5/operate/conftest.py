"""A home of two days, made of small tables: catalog, lake, warehouse and frozen digests."""

import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tests.dbt.small_lake import SmallLake
from top5.catalog.store import Catalog
from top5.digests.day import freeze
from top5.lake import Lake, content_key
from top5.operate.rebuild import rebuild_warehouse
from top5.settings import Settings

NOW = datetime(2026, 9, 20, 12, tzinfo=UTC)
DAYS = (date(2026, 9, 14), date(2026, 9, 15))
WORDS = b'{"words": "kept"}'
BODIES = (
    "Grid operators in Texas cut bills by a tenth because batteries sell at dusk, so gas plants that lived on one hour a day close.",
    "Hospitals that share one pharmacist lose fewer drugs, since orders are pooled each week and returned before they expire unused.",
)


def settings_at(home: Path) -> Settings:
    """Defaults with another home; the environment of the tests names one for all."""
    return Settings().model_copy(update={"home": home})


@dataclass(frozen=True)
class Home:
    """Settings of a home and what is done with it in a test."""

    settings: Settings

    @property
    def path(self) -> Path:
        return self.settings.home

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake_path)

    def catalog(self) -> Catalog:
        return Catalog.at_home(self.path)

    def freeze(self) -> list[bytes]:
        """Freeze each day again; the bytes of the digests."""
        catalog = self.catalog()
        for day in DAYS:
            freeze(day, self.settings, catalog, self.lake, now=NOW)
        catalog.close()
        return [(self.path / "digests" / str(day) / "digest.json").read_bytes() for day in DAYS]


def build_home(path: Path) -> Home:
    """Two days with an insight each."""
    home = Home(settings_at(path))
    lake = SmallLake(home.settings.lake_path)
    for day, body in zip(DAYS, BODIES, strict=True):
        key = content_key(WORDS)
        lake.episode(day, f"e-{day}", transcript={"transcript_key": key})
        lake.insight(day, f"i-{day}", f"e-{day}", body, transcript_key=key)
    lake.write()
    catalog = home.catalog()
    catalog.add_feed("https://a.example/feed?token=s3cret", NOW, title="A")
    catalog.close()
    home.lake.put("transcripts", content_key(WORDS), WORDS)
    home.lake.put("transcripts-by-source", content_key("source"), content_key(WORDS).encode())
    rebuild_warehouse(home.settings)
    home.freeze()
    return home


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return build_home(tmp_path_factory.mktemp("built") / "home")


@pytest.fixture
def home(built: Home, tmp_path: Path) -> Home:
    """A copy of its own for each test."""
    shutil.copytree(built.path, tmp_path / "home")
    return Home(settings_at(tmp_path / "home"))
