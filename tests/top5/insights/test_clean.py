"""Cleaning: golden sentences, and that every removal can be undone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from top5.insights.clean import clean_passage, clean_sentence, filler_count


@pytest.mark.parametrize(
    ("spoken", "printed"),
    [
        ("So, um, the the grid is, you know, short because, uh, it peaks.", "The grid is short because it peaks."),
        ("And I think, I think it rained, right?", "I think it rained."),
        ("Well, yeah, we sh- we should, I mean, go.", "We should go."),
        ("Yeah, so basically, the price falls.", "The price falls."),
        ("And the colour is yellow [laughter].", "The colour is yellow."),
        ("The price falls...", "The price falls."),
        ("So far nothing happened.", "So far nothing happened."),
        ("I mean that this is what you know.", "I mean that this is what you know."),
        ("He had had enough, and that that is so is well known.", "He had had enough, and that that is so is well known."),
        ("But nobody pays.", "Nobody pays."),
        ("The pre- and post-war prices are like that.", "The pre- and post-war prices are like that."),
        ("iPhone, um, sales fell.", "iPhone sales fell."),
        ("Um.", "Um."),
        ("> The price *always* falls, says **Ann**.", "The price always falls, says Ann."),
        ("And five * three is fifteen.", "Five * three is fifteen."),
        ("To give some background, the price falls.", "The price falls."),
        ("As most of you know, the price falls.", "The price falls."),
        ("As you know him, he pays.", "As you know him, he pays."),
    ],
)
def test_golden_sentences(spoken: str, printed: str) -> None:
    assert clean_sentence(spoken).text == printed


def test_inside_a_passage_joining_words_stay() -> None:
    assert [c.text for c in clean_passage(["So the price falls.", "So, um, buyers wait."])] == [
        "The price falls.",
        "So buyers wait.",
    ]


def test_removals_are_listed() -> None:
    assert clean_sentence("So, um, the the grid is, you know, short.").removed == ("So, um", "the", "you know")
    assert filler_count("It is, you know, um, fine.") == 1
    assert filler_count("It is fine.") == 0


words = st.sampled_from(
    ["um", "uh,", "you know,", "the", "the", "I", "mean,", "grid", "So,", "And", "pays", "--", "...", "sh-", "right?", "No.", "é"]
)


@given(st.lists(words, max_size=14).map(" ".join) | st.text(max_size=40), st.booleans())
def test_edits_lie_in_order_and_content_words_survive(spoken: str, first: bool) -> None:
    cleaned = clean_sentence(spoken, first=first)
    position = 0
    for edit in cleaned.edits:
        assert position <= edit.start < edit.end <= len(spoken)
        position = edit.end
    assert cleaned.original == spoken
    for word in ("grid", "pays"):
        assert cleaned.text.lower().count(word) == spoken.lower().count(word)
