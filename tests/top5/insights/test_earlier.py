from datetime import date
from pathlib import Path
from typing import Any

from top5.insights.earlier import deferred_by_budget, keep_earlier
from top5.lake import Lake

DAY = date(2026, 9, 16)
WORDS = {"e1": {"transcript_key": "k1"}, "e2": {"transcript_key": "k2"}}


def insight(episode: str, body: str = "Old", key: str = "k1") -> dict[str, Any]:
    return {
        "day": DAY, "insight_id": f"{episode}-{body}", "episode_id": episode, "position": 1, "headline": "H", "body": body,
        "speaker": None, "claim_type": "finding", "salience": 0.5, "reasons": [], "entities": [], "quotes": [], "names": [], "words": 45,
        "embedding": None, "embedding_model": None, "engine": "local", "model": "m", "prompt_version": "1", "transcript_key": key,
    }  # fmt: skip


def extraction(episode: str, state: str = "considered", reason: str = "") -> dict[str, Any]:
    return {
        "day": DAY, "episode_id": episode, "state": state, "reason": reason, "detail": None, "engine": "local", "model": "m",
        "prompt_version": "1", "candidates": 1, "rejections": 0, "rejection_reasons": [], "input_tokens": 0, "output_tokens": 0,
        "cost_usd": 0.5, "seconds_taken": 1.0, "reused": False,
    }  # fmt: skip


def test_a_budget_never_makes_a_day_poorer(tmp_path: Path):
    lake = Lake(tmp_path)
    lake.write_table("insights", DAY, [insight("e1"), insight("e2", key="k2")])
    lake.write_table("extractions", DAY, [extraction("e1"), extraction("e2")])
    new = [insight("e1", "New")]
    told = [extraction("e1"), extraction("e2", "deferred", "budget_spent")]
    assert deferred_by_budget(told) == 1
    found, rows, kept = keep_earlier(lake, DAY, new, told, WORDS)
    assert kept == 1
    assert [(row["episode_id"], row["body"]) for row in found] == [("e1", "New"), ("e2", "Old")]
    assert [(row["episode_id"], row["state"], row["cost_usd"], row["reused"]) for row in rows] == [
        ("e1", "considered", 0.5, False),
        ("e2", "considered", 0.0, True),
    ]
    lake.write_table("insights", DAY, found)


def test_what_was_never_read_or_read_from_other_words_stays_put_off(tmp_path: Path):
    lake = Lake(tmp_path)
    told = [extraction("e2", "deferred", "budget_spent")]
    assert keep_earlier(lake, DAY, [], told, WORDS) == ([], told, 0)
    lake.write_table("extractions", DAY, [extraction("e2", "deferred", "budget_spent")])
    lake.write_table("insights", DAY, [])
    assert keep_earlier(lake, DAY, [], told, WORDS) == ([], told, 0)
    lake.write_table("extractions", DAY, [extraction("e2")])
    lake.write_table("insights", DAY, [insight("e2", key="other words")])
    assert keep_earlier(lake, DAY, [], told, WORDS) == ([], told, 0)
    lake.table_path("insights", DAY).write_bytes(b"PAR1 nonsense")
    assert keep_earlier(lake, DAY, [], told, WORDS) == ([], told, 0)
