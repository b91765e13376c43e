"""What every row must keep: planted faults are found, sound rows are not."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.top5.quality.test_drift import DAY, transcript
from top5.quality import validate

BODY = (
    "Norlandia Grid started charging a refundable deposit of 20,000 dollars per megawatt, and 41 percent of the queue withdrew."
)
INSIGHT: dict[str, Any] = {
    "day": DAY, "insight_id": "i1", "episode_id": "e1", "position": 1, "headline": "Deposits shorten the queue", "body": (BODY + " ") * 2 + BODY[:60],
    "claim_type": "finding", "salience": 0.7, "reasons": ["a number"], "entities": [], "quotes": [{"text": BODY}], "names": [], "words": 45,
    "engine": "local", "model": "m", "prompt_version": "1", "transcript_key": "k",
}  # fmt: skip
SCAN: dict[str, Any] = {
    "scanned_at": datetime(2026, 9, 30, tzinfo=UTC), "feed_id": "f1", "title": "Show", "url": "https://a.example/feed?token=***", "ok": True,
    "reason": "ok", "bytes": 10, "seconds": 0.1, "items": 1, "new": 1, "changed": 0,
}  # fmt: skip


def broken(table: str, row: dict[str, Any], **values: object) -> list[tuple[str, int, str]]:
    outcome = validate(table, [{**row, **values}])
    return [(failure.column, failure.rows, failure.severity) for failure in outcome.failures]


def test_sound_rows_pass():
    assert broken("insights", INSIGHT) == []
    assert broken("transcripts", transcript(1)) == []
    assert broken("scans", SCAN) == []
    assert validate("episodes", []).passed


@pytest.mark.parametrize(
    ("table", "row", "values", "expected"),
    [
        ("insights", INSIGHT, {"salience": 1.2}, [("salience", 1, "block")]),
        ("insights", INSIGHT, {"body": INSIGHT["body"] + " See https://a.example"}, [("body", 1, "block")]),
        ("insights", INSIGHT, {"quotes": []}, [("quotes", 1, "block")]),
        ("insights", INSIGHT, {"words": 30}, [("words", 1, "warn")]),
        ("insights", INSIGHT, {"words": 80}, [("words", 1, "block"), ("words", 1, "warn")]),
        ("transcripts", transcript(1), {"trust": 1.5}, [("trust", 1, "block")]),
        ("transcripts", transcript(1), {"transcript_key": None}, [("transcript_key", 1, "block")]),
        ("transcripts", transcript(1), {"state": "lost"}, [("state", 1, "block")]),
        ("scans", SCAN, {"url": "https://a.example/feed?token=abc"}, [("url", 1, "block")]),
        ("scans", SCAN, {"url": "https://me:pw@a.example/feed"}, [("url", 1, "block")]),
    ],
)
def test_a_planted_fault_is_found(table: str, row: dict[str, Any], values: dict[str, Any], expected: list[tuple[str, int, str]]):
    assert broken(table, row, **values) == expected


def test_twins_are_found_with_how_many_and_examples():
    outcome = validate("transcripts", [transcript(1), transcript(1), transcript(2)])
    (failure,) = outcome.failures
    assert (failure.column, failure.rows, failure.examples) == ("day and episode_id", 2, (f"{DAY} e1", f"{DAY} e1"))
    assert outcome.blocks


def test_the_outcome_is_a_page_of_data_docs(tmp_path: Path):
    outcome = validate("transcripts", [transcript(1, trust=1.5)], home=tmp_path, part=str(DAY))
    assert outcome.page is not None
    page = outcome.page.read_text("utf-8")
    assert "trust" in page
    assert "1.5" in page


def test_an_episode_may_come_again_on_a_later_day():
    rows = [transcript(1), transcript(1, day=date(2026, 10, 1))]
    assert validate("transcripts", rows).passed
