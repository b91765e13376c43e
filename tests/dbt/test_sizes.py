"""The whole chain of models on days that are out of the ordinary: very many candidates, one show, nothing new, no vectors."""

from datetime import date, timedelta

import numpy as np
import pytest

from tests.dbt.conftest import Workshop
from top5.warehouse import read_candidates, read_picks, read_summary

MODEL = "random"
WORDS = ("battery", "grid", "harvest", "antenna", "password", "insurer", "protein", "warehouse", "tariff", "compiler")


def say(workshop: Workshop, day: date, number: int, *, show: str, vector: list[float] | None, episode: str | None = None) -> None:
    """A claim of its own: other words, another number, another direction."""
    episode = episode or f"{day}-e{number}"
    if not workshop.lake.knows(day, episode):
        workshop.lake.episode(day, episode, show=show)
    words = " ".join(WORDS[(number // 10**place) % 10] for place in range(5))
    embedded = {"embedding": vector, "embedding_model": MODEL} if vector else {}
    workshop.lake.insight(
        day,
        f"{day}-{number:05}",
        episode,
        f"Firm {number} sells {number + 11} {words} units.",
        salience=0.4 + (number % 50) / 100,
        **embedded,
    )


def directions(count: int, seed: int) -> list[list[float]]:
    """Unit vectors of 64 numbers that are near to no other."""
    vectors = np.random.default_rng(seed).standard_normal((count, 64)).astype(np.float32)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).tolist()


@pytest.mark.slow
def test_ten_thousand_candidates_give_five_and_each_has_a_fate(workshop: Workshop) -> None:
    day = date(2033, 1, 1)
    for number, vector in enumerate(directions(10_000, seed=1)):
        say(workshop, day, number, show=f"Show {number % 400}", vector=vector, episode=f"{day}-e{number // 10}")
    workshop.decide(day)
    summary = read_summary(workshop.warehouse, day)
    assert summary is not None
    assert (summary.candidates, summary.picks) == (10_000, 5)
    assert sum(fate.candidates for fate in summary.fates) == 10_000
    assert len({pick.show_title for pick in read_picks(workshop.warehouse, day)}) >= 3
    workshop.lake.remove_day(day)


@pytest.fixture(scope="module")
def one_show(workshop: Workshop) -> date:
    """Six equal claims of one show, on a day of their own."""
    day = date(2034, 1, 1)
    for number, vector in enumerate(directions(6, seed=2)):
        say(workshop, day, number * 50, show="Only Show", vector=vector)
    workshop.decide(day)
    return day


def test_all_from_one_show_fill_two_places(workshop: Workshop, one_show: date) -> None:
    picks = read_picks(workshop.warehouse, one_show)
    assert [pick.insight_id for pick in picks] == ["2034-01-01-00000", "2034-01-01-00050"]
    fates = [row.fate for row in read_candidates(workshop.warehouse, one_show)]
    assert sorted(fates) == ["chosen"] * 2 + ["show_cap"] * 4


def test_all_already_mailed_leave_the_day_empty(workshop: Workshop, one_show: date) -> None:
    day = one_show + timedelta(days=1)
    for number, vector in enumerate(directions(2, seed=2)):
        say(workshop, day, number * 50, show=f"Another {number}", vector=vector)
    workshop.decide(day)
    assert read_picks(workshop.warehouse, day) == ()
    told = read_candidates(workshop.warehouse, day)
    assert {(row.fate, row.nearest_told_on, row.novelty < 0.01, row.is_told_by_same_publisher) for row in told} == {
        ("already_told", one_show, True, False)
    }
    assert [[link.show_title for link in row.also_in] for row in told] == [["Only Show"]] * 2


@pytest.mark.slow
def test_a_topic_a_feed_and_a_weight_change_the_order(workshop: Workshop, one_show: date) -> None:
    day = one_show + timedelta(days=40)
    vectors = directions(3, seed=3)
    for number, show in enumerate(("Plain", "Favoured's", "Topical")):
        say(workshop, day, 50 + number * 100, show=show, vector=vectors[number])
    plain = {"digest_size": 1}
    chosen: list[str] = []
    for variables in (
        plain,
        plain | {"feed_weights": {"favoured's": 2.0}},
        plain | {"topics": [{"name": "energy", "weight": 2.0, "words": ["harvest grid"]}], "weight_topics": 1.0},
        plain | {"topics": [{"name": "energy", "weight": 2.0, "words": ["firm 250"]}], "weight_topics": 1.0},
    ):
        workshop.decide(day, variables=variables)
        chosen += [pick.show_title for pick in read_picks(workshop.warehouse, day)]
    assert chosen == ["Plain", "Favoured's", "Plain", "Topical"]
    assert [row.topics for row in read_candidates(workshop.warehouse, day) if row.show_title == "Topical"] == [("energy",)]


def test_missing_vectors_are_made_up_for_by_words(workshop: Workshop, one_show: date) -> None:
    day = one_show + timedelta(days=80)
    for number in (0, 50):  # said before, with vectors
        say(workshop, day, number, show=f"Late {number}", vector=None)
    workshop.lake.episode(day, f"{day}-new", show="New")
    workshop.lake.insight(
        day, f"{day}-new", f"{day}-new", "Glaciers retreat above hydropower valleys, so turbines meet summer drought."
    )
    workshop.decide(day)
    fates = {row.insight_id: row.fate for row in read_candidates(workshop.warehouse, day)}
    assert fates == {f"{day}-00000": "already_told", f"{day}-00050": "already_told", f"{day}-new": "chosen"}
