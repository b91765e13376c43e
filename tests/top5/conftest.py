"""Catalogs for tests of the domain: in SQLite, and again in Postgres where there is one (slow)."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.postgres import Postgres, running_postgres
from top5.catalog.store import Catalog


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real server; the test skips where there is none."""
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def empty_catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrated once, copied for each test."""
    home = tmp_path_factory.mktemp("empty")
    Catalog.at_home(home).close()
    return home / "catalog.db"


@pytest.fixture(scope="session")
def empty_database(postgres: Postgres) -> str:
    """Migrated once, the template of each test's own."""
    url = postgres.database()
    Catalog(url).close()
    return url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def catalog_url(request: pytest.FixtureRequest, tmp_path: Path, empty_catalog: Path) -> Iterator[str]:
    """The URL of an empty catalog of this test's own."""
    if request.param == "sqlite":
        shutil.copy(empty_catalog, tmp_path / "catalog.db")
        yield f"sqlite:///{tmp_path / 'catalog.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.database(template=request.getfixturevalue("empty_database"))
    yield url
    server.drop(url)


@pytest.fixture
def catalog(catalog_url: str) -> Iterator[Catalog]:
    """An empty catalog of this test's own."""
    opened = Catalog(catalog_url)
    yield opened
    opened.close()
