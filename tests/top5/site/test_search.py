from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from top5.insights.embed import HashedEmbedder, Vectors
from top5.site.archive import Archive
from top5.site.search import MAX_QUERY, search


class WordsAsModel:
    """Stands for a model of the name that the stored vectors have."""

    name = "a-model"

    def embed(self, texts: Sequence[str]) -> Vectors:
        return HashedEmbedder().embed(texts)


class Blind:
    name = "a-model"

    def embed(self, texts: Sequence[str]) -> Vectors:
        return np.zeros((len(texts), 384), dtype=np.float32)


def test_words_are_found_in_every_form_and_marked(archive: Archive) -> None:
    found = search(archive, "overload")
    assert found.total == 5
    assert all("<mark>overloaded</mark>" in hit.body for hit in found.hits)
    assert not any(hit.by_meaning for hit in found.hits)


def test_the_last_word_is_a_beginning_and_a_phrase_is_whole(archive: Archive) -> None:
    assert search(archive, "evapor").total == 5
    assert search(archive, '"evaporated water"').total == 5
    assert search(archive, '"water evaporated"').total == 0


def test_all_words_count_and_where_nothing_has_them_all_any_does(archive: Archive) -> None:
    both = search(archive, "wheat tonne")
    assert both.total == 5 and not both.loosened
    loose = search(archive, "wheat bounties")
    assert loose.total == 10 and loose.loosened


def test_meaning_finds_what_words_do_not(archive: Archive) -> None:
    class Opposite(WordsAsModel):
        def embed(self, texts: Sequence[str]) -> Vectors:
            return HashedEmbedder().embed(["overdrying wheat weight buyers tonne water evaporated"])

    found = search(archive, "cereals", embedder=Opposite())
    assert found.with_meaning and found.total >= 5
    assert all("wheat" in hit.insight.body and hit.by_meaning for hit in found.hits)
    assert search(archive, "cereals", embedder=Blind()).total == 0


def test_vectors_of_another_model_are_not_compared(archive: Archive) -> None:
    assert not search(archive, "wheat", embedder=HashedEmbedder()).with_meaning


def test_pages_do_not_overlap_and_stay_in_range(archive: Archive) -> None:
    query = "percent the year of"
    first, second = search(archive, query, page=1), search(archive, query, page=2)
    assert first.total > 20 or first.pages == 1
    assert not {hit.insight.id for hit in first.hits} & ({hit.insight.id for hit in second.hits} if second.page == 2 else set())
    assert search(archive, query, page=9999).page == first.pages


@given(st.text(max_size=300))
def test_no_query_fails_or_writes_markup(home: Path, query: str) -> None:
    archive = Archive(home)
    try:
        found = search(archive, query, embedder=WordsAsModel())
    finally:
        archive.close()
    assert len(found.query) <= MAX_QUERY


def test_operators_of_the_engine_are_words(archive: Archive) -> None:
    for query in (
        "wheat AND",
        "NEAR(wheat, 2)",
        "headline:wheat",
        '"',
        "*",
        "^wheat",
        "wheat -bounties",
        "'; drop table words; --",
    ):
        search(archive, query)
    assert search(archive, "wheat").total == 5
