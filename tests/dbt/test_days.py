"""Days decided one after the other: what is chosen, what is remembered, and that an old day never learns of a later one."""

import os
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pytest

from tests.dbt.claims import NEIGHBOURS, REWORDED, TEXTS, entities, vectors
from tests.dbt.conftest import PROJECT, Workshop
from top5.errors import PermanentError, TransientError
from top5.insights.model import Quote
from top5.warehouse import build, read_candidates, read_days, read_ledger, read_picks, read_summary

MONDAY, TUESDAY, WEDNESDAY = date(2026, 9, 14), date(2026, 9, 15), date(2026, 9, 16)
VECTORS = vectors()


def add_claim(workshop: Workshop, day: date, name: str, show: str, *, episode: str | None = None, **insight: object) -> None:
    if episode is None:
        episode = f"e-{name}-{day}"
        workshop.lake.episode(day, episode, show=show)
    known = {"entities": entities(TEXTS[name]), "embedding": VECTORS[name], "embedding_model": "measured"}
    workshop.lake.insight(day, f"{name}-{day}", episode, TEXTS[name], **{**known, **insight})


@pytest.fixture(scope="module")
def three_days(workshop: Workshop) -> Workshop:
    """Three shows say one claim on three days, among other claims; one Monday episode for each way to end."""
    for day, name, show in (
        (MONDAY, "reworded-0", "The Load Curve"),
        (TUESDAY, "reworded-1", "Signal Path"),
        (WEDNESDAY, "reworded-2", "Unit of Account"),
    ):
        add_claim(workshop, day, name, show, salience=0.9)
    for number, name in enumerate(NEIGHBOURS):
        add_claim(workshop, (MONDAY, TUESDAY, WEDNESDAY)[number % 3], name, f"Show {number}", salience=0.4 + number / 100)
    add_claim(workshop, MONDAY, "stated", "Dull Hour", salience=0.1)
    lake = workshop.lake
    for state in ("pending", "rejected", "given_up", "deferred"):
        lake.episode(MONDAY, f"e-{state}", transcript={"state": state, "reason": f"why_{state}", "transcript_key": None})
    lake.episode(MONDAY, "e-spent", extraction={"state": "deferred", "reason": "budget_spent", "detail": "Spent."})
    lake.episode(MONDAY, "e-quiet", show="Quiet Hour")
    lake.episode(
        TUESDAY, "e-late", late=True, available_on=MONDAY, show="Late Show", published=datetime(2026, 9, 14, 4, tzinfo=UTC)
    )
    lake.insight(
        TUESDAY, "late-one", "e-late", "Foldwright folds 12 proteins an hour on a laptop, so labs skip the queue.", salience=0.8
    )
    for day in (MONDAY, TUESDAY, WEDNESDAY):
        workshop.decide(day)
    return workshop


def fates(workshop: Workshop, day: date) -> dict[str, str]:
    return {row.insight_id: row.fate for row in read_candidates(workshop.warehouse, day)}


def test_the_first_to_say_it_is_chosen_and_nobody_after(three_days: Workshop) -> None:
    assert read_picks(three_days.warehouse, MONDAY)[0].insight_id == "reworded-0-2026-09-14"
    assert fates(three_days, TUESDAY)["reworded-1-2026-09-15"] == "already_told"
    assert fates(three_days, WEDNESDAY)["reworded-2-2026-09-16"] == "already_told"


def test_a_candidate_already_told_says_when_and_by_whom(three_days: Workshop) -> None:
    told = next(row for row in read_candidates(three_days.warehouse, WEDNESDAY) if row.fate == "already_told")
    assert (told.nearest_told_on, told.nearest_told_insight_id) == (MONDAY, "reworded-0-2026-09-14")
    assert told.fate_detail == "sent on 2026-09-14, then from The Load Curve"
    assert [(other.show_title, other.day) for other in told.also_in] == [("The Load Curve", MONDAY), ("Signal Path", TUESDAY)]


def test_neighbours_of_a_told_claim_are_chosen(three_days: Workshop) -> None:
    chosen = {pick.insight_id for day in (TUESDAY, WEDNESDAY) for pick in read_picks(three_days.warehouse, day)}
    assert {"neighbour-1-2026-09-15", "neighbour-4-2026-09-15", "neighbour-2-2026-09-16", "neighbour-5-2026-09-16"} <= chosen


def test_a_pick_carries_all_a_reader_needs_to_check_it(three_days: Workshop) -> None:
    pick = read_picks(three_days.warehouse, MONDAY)[0]
    assert (pick.rank, pick.show_title, pick.body) == (1, "The Load Curve", REWORDED["reworded-0"])
    assert pick.quotes == (Quote(text=pick.body, start=61.5, end=75.0, speaker="Sunniva Roe"),)
    assert pick.published_at == datetime(2026, 9, 14, 4, tzinfo=UTC)
    assert (pick.starts_at_seconds, pick.memory) == (61.5, None)
    assert pick.why.startswith("strong claim")


def test_a_late_episode_is_chosen_and_marked(three_days: Workshop) -> None:
    late = [pick for pick in read_picks(three_days.warehouse, TUESDAY) if pick.is_late]
    assert [(pick.insight_id, pick.available_on) for pick in late] == [("late-one", MONDAY)]


def test_every_episode_has_one_state_with_a_reason(three_days: Workshop) -> None:
    ledger = {row.episode_id: (row.state, row.reason) for row in read_ledger(three_days.warehouse, MONDAY)}
    assert ledger == {
        "e-reworded-0-2026-09-14": ("included", "chosen"),
        "e-neighbour-0-2026-09-14": ("included", "chosen"),
        "e-neighbour-3-2026-09-14": ("included", "chosen"),
        "e-neighbour-6-2026-09-14": ("included", "chosen"),
        "e-stated-2026-09-14": ("considered", "below_floor"),
        "e-quiet": ("considered", "no_candidates"),
        "e-pending": ("pending", "why_pending"),
        "e-rejected": ("rejected", "why_rejected"),
        "e-given_up": ("given_up", "why_given_up"),
        "e-deferred": ("deferred", "why_deferred"),
        "e-spent": ("deferred", "budget_spent"),
    }


def test_the_summary_counts_what_the_ledger_says(three_days: Workshop) -> None:
    summary = read_summary(three_days.warehouse, MONDAY)
    assert summary is not None
    assert (summary.episodes, summary.episodes_considered, summary.candidates, summary.picks) == (11, 6, 5, 4)
    assert [(entry.state, entry.reason, entry.episodes) for entry in summary.left_out] == [
        ("considered", "below_floor", 1),
        ("considered", "no_candidates", 1),
        ("deferred", "budget_spent", 1),
        ("deferred", "why_deferred", 1),
        ("given_up", "why_given_up", 1),
        ("pending", "why_pending", 1),
        ("rejected", "why_rejected", 1),
    ]
    assert summary.cost_usd == pytest.approx(0.07)
    assert {MONDAY, TUESDAY, WEDNESDAY} <= set(read_days(three_days.warehouse))


def test_an_old_day_run_again_gives_the_same_rows_whatever_the_order_of_the_lake(three_days: Workshop) -> None:
    """It reads no later day: on Wednesday's lake and warehouse, Tuesday comes out as it did on Tuesday."""
    readers = (read_picks, read_candidates, read_ledger, read_summary)
    before = [reader(three_days.warehouse, TUESDAY) for reader in readers]
    wednesday = read_picks(three_days.warehouse, WEDNESDAY)
    three_days.lake.reverse()
    three_days.decide(TUESDAY)
    assert [reader(three_days.warehouse, TUESDAY) for reader in readers] == before
    assert read_picks(three_days.warehouse, WEDNESDAY) == wednesday


@pytest.mark.slow
def test_a_lost_warehouse_comes_back_with_the_same_rows(three_days: Workshop, tmp_path: Path) -> None:
    """What a full refresh is here: all days in order into a new file. The old one has been through more: days run twice, other years."""
    anew = tmp_path / three_days.warehouse.name
    for day in (MONDAY, TUESDAY, WEDNESDAY):
        build(
            day,
            project_dir=PROJECT,
            lake=three_days.lake.root,
            warehouse=anew,
            target_path=tmp_path / "dbt",
            variables={"memory_days": 90},
        )
    for day in (MONDAY, TUESDAY, WEDNESDAY):
        for reader in (read_picks, read_candidates, read_ledger, read_summary):
            assert reader(anew, day) == reader(three_days.warehouse, day)


def test_a_result_names_every_model_and_hands_over_every_event(three_days: Workshop) -> None:
    names: list[str] = []
    result = three_days.decide(MONDAY, variables={"digest_size": 2}, on_event=lambda event: names.append(event.info.name))
    marts = {node.name: node.rows for node in result.nodes if node.rows is not None}
    by_day = {"daily_top_insights": 2, "fct_insights": 5, "fct_episode_ledger": 11, "daily_summary": 1}
    assert {name: marts[name] for name in by_day} == by_day
    assert set(marts) == {*by_day, "daily_quality", "dim_podcasts", "feed_health", "fct_spend", "fct_deliveries"}
    assert {node.status for node in result.nodes} == {"success", "pass"}
    assert "unit_test" not in {node.resource_type for node in result.nodes}
    assert {"NodeFinished", "LogTestResult"} <= set(names)
    assert "TOP5_LAKE" not in os.environ


def test_a_day_on_which_nothing_happened_has_a_summary_and_no_picks(workshop: Workshop, empty_day: date) -> None:
    summary = read_summary(workshop.warehouse, empty_day)
    assert summary is not None
    assert (summary.episodes, summary.picks, summary.left_out) == (0, 0, ())
    assert read_picks(workshop.warehouse, empty_day) == read_ledger(workshop.warehouse, empty_day) == ()
    assert read_summary(workshop.warehouse, date(2027, 1, 11)) is None


def test_a_day_that_became_empty_keeps_no_row_of_before(workshop: Workshop) -> None:
    day = date(2027, 3, 1)
    add_claim(workshop, day, "stated", "Alpha")
    workshop.decide(day)
    assert [pick.insight_id for pick in read_picks(workshop.warehouse, day)] == ["stated-2027-03-01"]
    workshop.lake.remove_day(day)
    workshop.decide(day)
    assert read_picks(workshop.warehouse, day) == read_candidates(workshop.warehouse, day) == ()


def test_a_repeated_row_in_the_lake_fails_by_the_name_of_its_test(workshop: Workshop) -> None:
    day = date(2028, 1, 1)
    for _ in range(2):
        workshop.lake.episode(day, "e-twice", transcript={"state": "rejected", "reason": "too_short"})
    with pytest.raises(
        PermanentError, match=r"The dbt test one_row_per_fct_episode_ledger_\w+ failed for 2028-01-01: .*dbt\.log\.$"
    ) as failure:
        workshop.decide(day)
    assert failure.value.reason == "dbt_failed"
    workshop.lake.remove_day(day)


def test_a_missing_file_of_the_day_is_named(workshop: Workshop) -> None:
    with pytest.raises(PermanentError, match=r"episodes/1999-01-01\.parquet is missing; materialize episodes") as failure:
        workshop.decide(date(1999, 1, 1))
    assert failure.value.reason == "lake_incomplete"


def test_a_path_that_dbt_would_misread_is_refused(workshop: Workshop) -> None:
    lake = workshop.lake.root / "it's {here}"
    with pytest.raises(PermanentError, match=r"has ' \{ \} in it") as failure:
        build(MONDAY, project_dir=PROJECT, lake=lake, warehouse=workshop.warehouse, target_path=workshop.target_path)
    assert failure.value.reason == "bad_path"


def test_readers_say_what_to_do_without_a_warehouse(workshop: Workshop) -> None:
    missing = workshop.lake.root / "none.duckdb"
    with pytest.raises(PermanentError, match=r"none\.duckdb does not exist; run a day first"):
        read_picks(missing, MONDAY)
    duckdb.connect(str(missing)).close()
    with pytest.raises(PermanentError, match="holds no decided day; run a day first"):
        read_summary(missing, MONDAY)


def test_a_warehouse_that_somebody_writes_is_busy(workshop: Workshop, writer_elsewhere: None) -> None:
    with pytest.raises(TransientError, match="cannot be read now") as reading:
        read_days(workshop.warehouse)
    workshop.lake.day(MONDAY)
    with pytest.raises(TransientError, match="in use by another process") as writing:
        workshop.decide(MONDAY)
    assert reading.value.reason == writing.value.reason == "warehouse_busy"
