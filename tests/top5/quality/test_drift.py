"""What is usual, and how far a day may be from it."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from top5.lake import Lake
from top5.quality.drift import usual
from top5.quality.history import days_before, measures, score_distance
from top5.quality.validate import compare_with_history
from top5.settings import QualitySettings

DAY = date(2026, 9, 30)
WEEKDAYS = [40.0, 42.0, 41.0, 38.0, 40.0, 12.0, 10.0]


@pytest.mark.parametrize(
    ("history", "value", "told"),
    [
        ([30.0] * 28, 16, False),  # a day may have half as many episodes
        ([30.0] * 28, 14, True),
        ([30.0] * 28, 46, True),
        (WEEKDAYS * 4, 11, False),  # a weekend
        (WEEKDAYS * 4, 3, True),
        ([30.0] * 27 + [0.0], 2, True),  # one broken day among the days before does not make the next one usual
        ([2.0] * 28, 5, False),  # few episodes: a handful more is nothing
    ],
)
def test_episodes_a_day(history: list[float], value: float, told: bool):
    bounds = usual(history, "episodes")
    assert (not bounds.low <= value <= bounds.high) is told


def test_cost_is_told_upwards_only():
    bounds = usual([1.0] * 28, "cost_usd")
    assert bounds.low == float("-inf")
    assert 1.4 < bounds.high < 2


@given(st.lists(st.floats(0, 1), min_size=10, max_size=28), st.randoms())
def test_the_middle_is_always_usual_and_order_does_not_matter(history: list[float], random: Any):
    bounds = usual(history, "transcript_share")
    assert bounds.low <= sorted(history)[len(history) // 2] <= bounds.high
    shuffled = history[:]
    random.shuffle(shuffled)
    assert usual(shuffled, "transcript_share") == bounds


@given(st.lists(st.floats(0, 1), min_size=20, max_size=60), st.lists(st.floats(0, 1), min_size=20, max_size=60))
def test_the_distance_of_scores_is_that_of_two_samples(one: list[float], other: list[float]):
    distance = score_distance(one, sorted(other))
    assert distance is not None
    assert 0 <= distance <= 1
    assert score_distance(other, sorted(one)) == pytest.approx(distance)
    assert score_distance(one, sorted(one)) == 0


def test_the_distance_of_scores_of_known_samples():
    low, high = [number / 100 for number in range(40)], [number / 100 for number in range(20, 60)]
    assert score_distance(low, high) == pytest.approx(0.5)
    assert score_distance(low, [2.0] * 40) == 1
    assert score_distance(low[:19], high) is None


def transcript(number: int, state: str = "ready", day: date = DAY, **values: object) -> dict[str, Any]:
    row = {
        "day": day, "episode_id": f"e{number}", "state": state, "reason": "" if state == "ready" else "no_transcript",
        "transcript_key": "k" if state == "ready" else None, "segments": 10, "words": 5000, "speech_seconds": 1800.0, "has_times": True,
        "has_speakers": False, "trust": 0.9, "bytes": 10, "seconds_taken": 0.1, "reused": False,
    }  # fmt: skip
    return {**row, **values}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Twelve days, on each of which nine of ten episodes had words."""
    lake = Lake(tmp_path)
    for back in range(1, 13):
        day = DAY - timedelta(days=back)
        lake.write_table("transcripts", day, [transcript(n, "ready" if n else "pending", day) for n in range(10)])
    return lake


def test_a_usual_day_is_not_told(lake: Lake):
    rows = [transcript(n, "ready" if n > 1 else "pending") for n in range(10)]
    outcome = compare_with_history("transcripts", DAY, rows, lake, QualitySettings())
    assert outcome.passed
    assert outcome.expectations == 4


def test_a_day_unlike_the_others_names_the_measure_and_what_is_usual(lake: Lake, tmp_path: Path):
    rows = [transcript(n, "ready" if n > 6 else "pending", words=200) for n in range(10)]
    outcome = compare_with_history("transcripts", DAY, rows, lake, QualitySettings(), home=tmp_path)
    assert [failure.sentence for failure in outcome.failures] == [
        "transcript_share is 0.3, usual is 0.7 to 1",
        "words_per_episode is 200, usual is 2500 to 7500",
    ]
    assert not outcome.blocks
    assert outcome.page is not None
    assert outcome.page == (tmp_path / "data_docs" / "transcripts_as_usual" / f"{DAY}.html").resolve()
    assert "transcript_share" in outcome.page.read_text("utf-8")
    assert f"{DAY}.html" in (tmp_path / "data_docs" / "index.html").read_text("utf-8")


def test_drift_blocks_where_the_settings_say_so(lake: Lake):
    rows = [transcript(n, "pending") for n in range(10)]
    assert compare_with_history("transcripts", DAY, rows, lake, QualitySettings(drift="block")).blocks


def test_little_history_and_few_rows_are_silent(lake: Lake):
    worst = [transcript(n, "pending") for n in range(10)]
    assert compare_with_history("transcripts", DAY, worst, lake, QualitySettings(min_history_days=13)).expectations == 0
    assert compare_with_history("transcripts", DAY, [transcript(1, "pending")], lake, QualitySettings()).passed
    assert compare_with_history("transcripts", DAY, [], lake, QualitySettings()).expectations == 0
    assert compare_with_history("insights", DAY, [], lake, QualitySettings()).expectations == 0


def test_a_broken_file_of_a_day_before_is_left_out(lake: Lake):
    lake.table_path("transcripts", DAY - timedelta(days=1)).write_bytes(b"PAR1 nonsense")
    lake.table_path("transcripts", DAY - timedelta(days=2)).unlink()
    assert len(days_before(lake, "transcripts", DAY, 28)) == 10


def test_a_rebuilt_day_is_measured_again(lake: Lake):
    before = days_before(lake, "transcripts", DAY, 1)
    lake.write_table("transcripts", DAY - timedelta(days=1), [transcript(n, "pending") for n in range(10)])
    assert (before[0]["transcript_share"], days_before(lake, "transcripts", DAY, 1)[0]["transcript_share"]) == (0.9, 0.0)


def test_style_is_words_and_characters():
    body = "x" * 300
    good = {"words": 45, "body": body, "episode_id": "e1", "salience": 0.7, "quotes": [1, 2]}
    rows = [good, {**good, "words": 39}, {**good, "body": "x" * 361}, {**good, "episode_id": "e2"}]
    measured = measures("insights", rows)
    assert measured["style_share"] == 0.5
    assert measured["quotes_per_insight"] == 2
    assert "insights_per_episode" not in measured  # of two episodes: says nothing
