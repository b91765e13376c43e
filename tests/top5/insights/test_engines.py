"""Chunks, the budget, and which engine is chosen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.top5.insights.material import TURNS, episode
from top5.errors import PermanentError, TransientError
from top5.insights.budget import Budget
from top5.insights.chunk import estimate_tokens, lines_of, split_chunks
from top5.insights.embed import HashedEmbedder
from top5.insights.engines import choose_engine
from top5.insights.sentences import split_sentences
from top5.settings import InsightSettings, OpenAISettings


class NoReplies:
    def get(self, key: str) -> bytes | None:
        return None

    def put(self, key: str, body: bytes) -> None:
        return None


def chosen(engine: str, **openai: object) -> str:
    return choose_engine(
        InsightSettings.model_validate({"engine": engine}),
        OpenAISettings.model_validate(openai),
        embedder=HashedEmbedder(),
        replies=NoReplies(),
        budget=Budget(1.0),
    ).fingerprint.split("/")[0]


def test_auto_takes_the_model_where_one_can_be_reached() -> None:
    assert chosen("auto") == "local"
    assert chosen("auto", api_key=SecretStr("x")) == "openai"
    assert chosen("auto", base_url="http://127.0.0.1:1/v1") == "openai"
    assert chosen("local", api_key=SecretStr("x")) == "local"
    with pytest.raises(PermanentError) as caught:
        chosen("openai")
    assert caught.value.reason == "no_api_key"


@given(st.integers(120, 900), st.integers(0, 100), st.integers(1, 4))
def test_chunks_cover_every_line_in_order_and_keep_their_size(tokens: int, overlap: int, times: int) -> None:
    sentences = split_sentences(episode(TURNS * times).segments)
    chunks = split_chunks(sentences, tokens, overlap)
    seen = [line.id for chunk in chunks for line in chunk.lines]
    assert sorted(set(seen)) == [line.id for line in lines_of(sentences)]
    for chunk in chunks:
        assert len(chunk.lines) == 1 or sum(estimate_tokens(line.as_json()) for line in chunk.lines) <= tokens
        assert [line.id for line in chunk.lines] == sorted({line.id for line in chunk.lines})


def test_lines_never_cross_a_turn() -> None:
    sentences = split_sentences(episode().segments)
    for line in lines_of(sentences):
        assert len({s.turn for s in sentences[line.id : line.last + 1]}) == 1
        assert line.last - line.id < 6


def test_a_budget_counts_what_is_under_way() -> None:
    budget = Budget(1.0, spent_usd=0.5)
    budget.reserve(0.4)
    with pytest.raises(TransientError) as caught:
        budget.reserve(0.2)
    assert caught.value.reason == "budget_spent"
    budget.settle(0.4, 0.1)
    budget.reserve(0.2)
    assert budget.spent == pytest.approx(0.6)
