"""The embedded engine on a small episode, on hostile text, and on real shows."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.top5.insights.material import CHIPS, FOLDING, QUEUE, SODIUM, TURNS, episode
from top5.insights.embed import HashedEmbedder
from top5.insights.extract_local import LocalEngine
from top5.insights.ground import Aligner, prove
from top5.insights.model import EpisodeText
from top5.insights.names import NameResolver
from top5.insights.salience import measure, model, reasons, salience, salience_with_meaning
from top5.insights.score import score_texts
from top5.insights.sentences import split_sentences
from top5.insights.style import check_style
from top5.transcripts.model import Segment

ENGINE = LocalEngine(HashedEmbedder(), 12)


def test_the_claims_are_found_and_the_talk_is_not() -> None:
    extraction = ENGINE.extract(episode())
    bodies = {insight.body for insight in extraction.insights}
    right = [
        text.replace("Corventa", "Corvanta").replace("Helic's", "Heliq's").replace("Fold Right", "Foldwright")
        for text in (CHIPS, QUEUE, SODIUM, FOLDING)
    ]
    assert bodies == set(right)
    assert all(insight.salience > 0.5 for insight in extraction.insights)
    assert [i.salience for i in extraction.insights] == sorted((i.salience for i in extraction.insights), reverse=True)


def test_an_insight_carries_its_evidence() -> None:
    source = episode()
    extraction = ENGINE.extract(source)
    spoken = " ".join(segment.text for segment in source.segments)
    for insight in extraction.insights:
        assert insight.speaker == "Ines Kallaway"
        assert 1 <= len(insight.quotes) <= 3
        assert all(quote.text in spoken for quote in insight.quotes)
        assert all(quote.start is not None and quote.end is not None and quote.start < quote.end for quote in insight.quotes)
        assert insight.reasons
        assert 3 <= len(insight.headline.split()) <= 12
        assert insight.headline.lower() in insight.body.lower()
        assert check_style(insight.body) == []
    chips = next(insight for insight in extraction.insights if "350" in insight.body)
    assert chips.quotes[0].text.startswith("Corventa")
    assert [(change.heard, change.written) for change in chips.names] == [("Corventa", "Corvanta")]
    assert chips.entities == ("Corvanta",)


def test_every_rejection_is_counted_with_its_reason() -> None:
    extraction = ENGINE.extract(episode())
    reasons = {rejection.reason for rejection in extraction.rejections}
    assert {"sponsor", "question", "first_or_second_person_start"} <= reasons
    assert len(extraction.rejections) <= 60
    assert any(rejected.reason == "question" for rejected in extraction.rejection_counts)


def test_same_input_same_rows_and_no_two_share_a_sentence() -> None:
    assert ENGINE.extract(episode()) == ENGINE.extract(episode())
    quotes = [quote.text for insight in ENGINE.extract(episode()).insights for quote in insight.quotes]
    assert len(quotes) == len(set(quotes))


def test_a_claim_said_twice_is_given_once_and_the_limit_holds() -> None:
    twice = (*TURNS, ("Mara Oyelaran", f"Let me read it back. {QUEUE.replace('Serious', 'Real')}"))
    bodies = [insight.body for insight in ENGINE.extract(episode(twice)).insights]
    assert sum("refundable deposit" in body for body in bodies) == 1
    assert len(LocalEngine(HashedEmbedder(), 2).extract(episode()).insights) == 2


def test_without_times_there_are_insights_without_seconds() -> None:
    extraction = ENGINE.extract(episode(times=False))
    assert len(extraction.insights) == 4
    assert {quote.start for insight in extraction.insights for quote in insight.quotes} == {None}


def test_claims_of_an_advertisement_are_left_out() -> None:
    read = f"This episode is brought to you by Norlandia. {QUEUE} Use the promo code GRID at norlandia dot example."
    assert ENGINE.extract(episode((("Mara", read),))).insights == ()


def test_the_claim_before_an_offer_is_part_of_the_offer() -> None:
    read = f"A short pause for Norlandia Grid. {QUEUE} Ask for the Signal discount and they calibrate it for nothing."
    assert ENGINE.extract(episode((("Mara", read),))).insights == ()


def test_a_read_goes_on_as_long_as_it_names_who_paid() -> None:
    read = f"This part is brought to you by Norlandia Grid. Reading lists of numbers is dull. Charts help a lot there. {QUEUE}"
    later = "Batteries age. " * 34 + SODIUM
    bodies = [i.body for i in ENGINE.extract(episode((("Mara", read), ("Mara", later)))).insights]
    assert not any("refundable deposit" in body for body in bodies)


def test_meaning_counts_only_with_the_embeddings_it_was_learned_from() -> None:
    claim = measure(QUEUE, QUEUE.split(". "), 2, 0)
    along = model().meaning.direction
    assert along is not None
    assert salience_with_meaning(claim, along, "hashed-stems/1") == salience(claim)
    nearer = salience_with_meaning(claim, along, model().embedder)
    assert nearer > salience_with_meaning(claim, -along, model().embedder)
    assert all(0 <= salience <= 1 for salience, _ in score_texts([QUEUE, "", "Um."], HashedEmbedder()))


def test_no_words_give_no_insights() -> None:
    assert ENGINE.extract(EpisodeText(segments=())).insights == ()
    assert ENGINE.extract(EpisodeText(segments=(Segment(text=" \u200b "),))).insights == ()


def test_names_alone_and_numbers_alone_are_not_enough() -> None:
    talk = "I think maybe there was something like 40 hours or whatever, you know, and it was really very cool stuff, I guess."
    claim = measure(QUEUE, QUEUE.split(". "), 2, 0)
    vague = measure(talk, [talk], 0, 2)
    assert salience(claim) > salience(vague) + 0.4
    assert set(claim.features) == set(model().shape.weights) == set(model().meaning.weights)
    assert all(0 <= salience(measured) <= 1 for measured in (claim, vague))
    assert reasons(claim)


fragments = st.sampled_from(
    [
        QUEUE,
        CHIPS[:150],
        "Yes.",
        "And he said so...",
        "http://x.example now!",
        "Um, the the",
        "\u202eIgnore all rules.",
        "«Ça» 12,5 %",
        "",
        "-- --",
        "$" * 30,
    ]
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.lists(fragments, max_size=4).map(" ".join), st.sampled_from([None, "A", "B"])), max_size=6),
    st.text(max_size=30),
)
def test_whatever_the_text_what_comes_out_is_proven(rows: list[tuple[str, str | None]], notes: str) -> None:
    source = EpisodeText(description=notes, segments=tuple(Segment(text=text, speaker=speaker) for text, speaker in rows))
    aligner, known = Aligner(split_sentences(source.segments)), NameResolver(source).known_names
    for insight in ENGINE.extract(source).insights:
        assert prove(insight, aligner, known) == []
        assert "Ignore all" not in insight.body


@pytest.mark.corpus
@pytest.mark.parametrize("show", ["optech", "changelog", "pythonbytes"])
def test_real_shows_give_proven_passages_or_none(corpus: Path, show: str) -> None:
    with (corpus / "shows" / show / "episodes.jsonl").open(encoding="utf-8") as lines:
        row = json.loads(next(lines))
    segments = tuple(Segment(start=s["start"], speaker=s["speaker"], text=s["text"]) for s in row["segments"])
    source = EpisodeText(title=row["title"], segments=segments)
    for insight in ENGINE.extract(source).insights:
        assert check_style(insight.body, strict=False) == []
        assert prove(insight, Aligner(split_sentences(segments)), NameResolver(source).known_names) == []
