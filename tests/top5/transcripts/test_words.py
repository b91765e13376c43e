"""Where sentences end, and words with times joined into them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from top5.transcripts.words import Word, join_words, split_sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["Dr. Roe paid 3.5 million.", "It fell to 2.", "Fine."],
        ["The U.S. Treasury sold bonds.", "Who bought them?", "J. P. Morgan did."],
        ["He left at 6 p.m. on Monday.", "She left at 6 p.m.", "We stayed."],
        ["See no. 5 of the list.", "Did you?", "No.", "Never."],
        ["It is cheap, e.g. Copper is.", "So are ropes, cables, etc.", "But glass is not."],
        ["Acme Inc. Chief Ann Lee resigned.", "She owns Acme Inc.", "The board knew."],
        ["“Why now?” he asked.", "“Because it works.”", "Then he left..."],
        ["Version 3.11.2 shipped.", "Use example.com for tests!", "OK?"],
    ],
)
def test_sentences_survive_abbreviations_and_decimals(sentences: list[str]) -> None:
    assert split_sentences(" ".join(sentences)) == sentences


@given(st.text(alphabet="aA.?! \n\"'(1’", max_size=60))
def test_no_character_is_lost(text: str) -> None:
    assert " ".join(split_sentences(text)) == " ".join(text.split())


def test_words_become_sentences_with_their_own_times() -> None:
    words = [
        Word("Rates", 1.0, 1.4), Word("hit", 1.4, 1.6), Word("3", 1.6, 1.8), Word(".5", 1.8, 2.0, glued=True), Word("percent.", 2.0, 2.6),
        Word("Then", 2.9, 3.1), Word("nothing.", 3.1, 3.9),
    ]  # fmt: skip
    assert [(s.start, s.end, s.text) for s in join_words(words)] == [
        (1.0, 2.6, "Rates hit 3.5 percent."),
        (2.9, 3.9, "Then nothing."),
    ]


def test_silence_speakers_and_length_end_a_segment() -> None:
    words = [Word("so", 0.0, 0.2, "A"), Word("then", 5.0, 5.2, "A"), Word("yes", 5.2, 5.4, "B")]
    assert [(s.speaker, s.text) for s in join_words(words)] == [("A", "so"), ("A", "then"), ("B", "yes")]
    endless = [Word("word", i * 0.1, i * 0.1 + 0.1) for i in range(200)]
    assert [len(s.text.split()) for s in join_words(endless, max_words=80)] == [80, 80, 40]


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "B.", "Mr.", "c?", ".5", "“D"]), st.booleans(), st.sampled_from(["x", "y"])), max_size=40
    )
)
def test_joining_loses_no_word_and_keeps_order(rows: list[tuple[str, bool, str]]) -> None:
    words = [Word(text, float(i), i + 0.5, speaker, glued=glued and i > 0) for i, (text, glued, speaker) in enumerate(rows)]
    segments = join_words(words)
    assert "".join(s.text for s in segments).replace(" ", "") == "".join(text for text, _, _ in rows)
    starts = [s.start for s in segments if s.start is not None]
    assert starts == sorted(starts)
