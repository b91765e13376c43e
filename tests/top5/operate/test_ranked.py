"""A day is passed over only where nothing that it was ranked from, and nothing that came of it, has changed."""

from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from tests.top5.operate.conftest import DAYS, Home
from top5.operate.ranked import RankedDays
from top5.settings import RankingSettings


def held(home: Home) -> list[bool]:
    ranked = RankedDays(home.settings)
    return [ranked.holds(day) for day in DAYS]


@pytest.fixture
def noted(home: Home) -> Home:
    assert held(home) == [False, False]
    ranked = RankedDays(home.settings)
    for day in DAYS:
        ranked.note(day)
    assert held(home) == [True, True]
    return home


def change(table: str, number: int, **values: Any) -> Callable[[Home], None]:
    def apply(home: Home) -> None:
        rows = home.lake.read_table(table, DAYS[number])
        home.lake.write_table(table, DAYS[number], [{**row, **values} for row in rows])

    return apply


def turn_back(home: Home) -> None:
    with duckdb.connect(str(home.settings.warehouse_path)) as connection:
        connection.execute("update fct_insights set score = 0 where day = $day", {"day": DAYS[1]})


def forget(home: Home) -> None:
    with duckdb.connect(str(home.settings.warehouse_path)) as connection:
        connection.execute("delete from daily_top_insights where day = $day", {"day": DAYS[0]})


@pytest.mark.parametrize(
    ("happens", "expected"),
    [
        (change("transcripts", 0, reused=True, seconds_taken=9.0), [True, True]),  # written again by a run that reused it
        (change("insights", 1, salience=0.4), [True, False]),
        (change("insights", 0, salience=0.4), [False, False]),  # the second day remembers the first
        (turn_back, [True, False]),
        (forget, [False, False]),
        (lambda home: (home.settings.dbt_path / "ranked.json").write_text("{broken"), [False, False]),
        (lambda home: home.settings.warehouse_path.unlink(), [False, False]),
    ],
)
def test_what_a_day_depends_on(noted: Home, happens: Callable[[Home], None], expected: list[bool]):
    happens(noted)
    assert held(noted) == expected


def test_other_weights_rank_anew(noted: Home):
    weighed = noted.settings.model_copy(update={"ranking": RankingSettings(weights={"salience": 5.0})})
    assert not RankedDays(weighed).holds(DAYS[0])
