"""One lake and one warehouse for all tests of this folder: every scenario has a year of its own, and dbt parses once."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT
from tests.dbt.small_lake import SmallLake
from top5.warehouse import BuildResult, build

if TYPE_CHECKING:
    from top5.warehouse import OnEvent

PROJECT = ROOT / "dbt_project"


class Workshop:
    """A small lake, its warehouse, and `decide` to build a day of it."""

    def __init__(self, root: Path) -> None:
        self.lake = SmallLake(root / "lake (1)")
        self.warehouse = root / "warehouse.duckdb"
        self.target_path = root / "dbt"

    def decide(
        self, day: date, *, variables: Mapping[str, object] | None = None, on_event: "OnEvent | None" = None
    ) -> BuildResult:
        """Write the lake as it is now and build `day`."""
        return build(
            day,
            project_dir=PROJECT,
            lake=self.lake.write(),
            warehouse=self.warehouse,
            target_path=self.target_path,
            # Every scenario has a year of its own: what another one sent is forgotten.
            variables={"memory_days": 90, **(variables or {})},
            on_event=on_event,
        )


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("workshop"))


EMPTY_DAY = date(2027, 1, 10)


@pytest.fixture(scope="session")
def empty_day(workshop: Workshop) -> date:
    """A day that was decided and on which nothing had happened."""
    workshop.lake.day(EMPTY_DAY)
    workshop.decide(EMPTY_DAY)
    return EMPTY_DAY


@pytest.fixture(scope="session")
def rows(workshop: Workshop) -> Callable[[str], list[tuple[object, ...]]]:
    """Rows of a query on the warehouse, for what has no reader of its own."""

    def query(sql: str) -> list[tuple[object, ...]]:
        import duckdb

        with duckdb.connect(str(workshop.warehouse), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    return query


@pytest.fixture
def writer_elsewhere(workshop: Workshop) -> Iterator[None]:
    """Another process that holds the warehouse open for writing."""
    script = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(workshop.warehouse)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == "held\n"
        yield
        process.stdin.close()
