"""A home for each test of sending."""

from pathlib import Path

import pytest

from tests.top5.deliveries.helpers import Clock, Home
from top5.catalog.store import Catalog


@pytest.fixture
def home(tmp_path: Path, catalog: Catalog) -> Home:
    made = Home(tmp_path / "home", catalog)
    made.freeze()
    return made


@pytest.fixture
def clock() -> Clock:
    return Clock()
