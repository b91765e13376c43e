"""Sentences: golden splits, times inside cues, and what holds for any text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from top5.insights.sentences import split_sentences, split_text
from top5.transcripts.model import Segment


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Roe works for the U.S. Navy. It costs 3.5 million.", ["Dr. Roe works for the U.S. Navy.", "It costs 3.5 million."]),
        ("It is sold in the U.S. The rest waits.", ["It is sold in the U.S.", "The rest waits."]),
        ("Grids, e.g. Norlandia, wait at 5 p.m. for No. 5.", ["Grids, e.g. Norlandia, wait at 5 p.m. for No. 5."]),
        ('"Why?" he asked. "Because." Then he left.', ['"Why?" he asked.', '"Because."', "Then he left."]),
        ("J. K. Rowling wrote plan B. We did.", ["J. K. Rowling wrote plan B.", "We did."]),
        ("What?! Yes... no. And so on... But then.", ["What?!", "Yes... no.", "And so on...", "But then."]),
        ("Use node.js 18.2 today. It works.", ["Use node.js 18.2 today.", "It works."]),
        ("So do I. The end.", ["So do I.", "The end."]),
        ("it all runs in lower case. it does. nobody minds.", ["it all runs in lower case. it does. nobody minds."]),
        ("", []),
    ],
)
def test_golden_splits(text: str, expected: list[str]) -> None:
    assert split_text(text) == expected


def test_lower_case_transcripts_are_split_all_the_same() -> None:
    segments = [Segment(text="the grid is short. it is short at peaks. nobody measures it.")]
    assert [s.text for s in split_sentences(segments)] == ["the grid is short.", "it is short at peaks.", "nobody measures it."]


def test_cues_that_cut_sentences_are_joined_and_times_interpolated() -> None:
    cues = [
        Segment(start=0.0, end=4.0, speaker="Ines", text="Hello there. Half of it"),
        Segment(start=4.0, end=8.0, speaker="Ines", text="stays empty on purpose"),
        Segment(start=8.0, end=10.0, speaker="Ines", text="every day. Right."),
        Segment(start=10.0, end=12.0, speaker="Mara", text="No."),
    ]
    sentences = split_sentences(cues)
    assert [s.text for s in sentences] == ["Hello there.", "Half of it stays empty on purpose every day.", "Right.", "No."]
    long = sentences[1]
    assert (long.first_segment, long.last_segment, long.speaker) == (0, 2, "Ines")
    assert long.start == pytest.approx(4.0 * 13 / 23, abs=0.001)
    assert long.end == pytest.approx(8.0 + 2.0 * 10 / 17, abs=0.001)
    assert sentences[3].turn == sentences[2].turn + 1


def test_missing_ends_are_taken_from_the_next_start_and_missing_times_stay_missing() -> None:
    timed = split_sentences([Segment(start=1.0, text="One is here."), Segment(start=3.0, text="Two is here.")])
    assert timed[0].end == pytest.approx(1.0 + 1.5 * 12 / 15)
    assert timed[1].end is not None
    assert 3.0 < timed[1].end < 6.0
    bare = split_sentences([Segment(text="One is here. Two.")])
    assert [(s.start, s.end) for s in bare] == [(None, None), (None, None)]


def test_a_turn_that_breaks_off_is_incomplete() -> None:
    sentences = split_sentences([Segment(speaker="A", text="It works. And then we"), Segment(speaker="B", text="Yes.")])
    assert [s.complete for s in sentences] == [True, False, True]


def test_invisible_characters_are_dropped() -> None:
    assert split_text("A\u202eb\u200bc\x00d.  Ok.") == ["Abcd.", "Ok."]


texts = st.text(alphabet=st.sampled_from("ab A.?! \"'(),\n\u200b1…é"), max_size=80)


@given(st.lists(st.tuples(texts, st.sampled_from([None, "A", "B"]), st.none() | st.floats(0, 100)), max_size=8))
def test_no_word_is_lost_and_indexes_are_in_order(rows: list[tuple[str, str | None, float | None]]) -> None:
    segments = [Segment(text=text, speaker=speaker, start=start) for text, speaker, start in rows]
    sentences = split_sentences(segments)
    said = "".join("".join(s.text.split()) for s in segments).replace("\u200b", "")
    assert "".join("".join(s.text.split()) for s in sentences) == said
    assert [s.index for s in sentences] == list(range(len(sentences)))
    for sentence in sentences:
        assert 0 <= sentence.first_segment <= sentence.last_segment < len(segments)
        assert sentence.text == sentence.text.strip() != ""
        if sentence.start is not None and sentence.end is not None and sentence.first_segment == sentence.last_segment:
            assert sentence.start <= sentence.end
