"""Names are heard again, and nothing but names is taken from it."""

from hypothesis import given
from hypothesis import strategies as st

from tests.top5.transcripts.test_speech import heard
from top5.transcripts.hotwords import misheard, with_names
from top5.transcripts.pieces import HeardWord

NAMES = "Ines Calloway, Cerebras, OpenAI"


def text(words: list[str]) -> str:
    return " ".join(words)


def test_only_what_may_be_a_name_is_heard_again() -> None:
    plain = heard("the pump failed because its seal had shrunk in winter and nobody saw it")
    assert misheard(plain, NAMES) == []
    assert misheard(heard("Cerebras and OpenAI agree"), NAMES) == []
    (span,) = misheard([*plain, *heard("Cerebrus failed so", begin=60.0)], NAMES)
    assert span == (57.0, 63.3)
    # "Callaway" and "Cerebrus" lie close together: one stretch.
    assert len(misheard(heard("Kallaway met Cerebrus"), NAMES)) == 1
    # Two words for one name.
    assert misheard(heard("we asked Cere Bras"), NAMES)


def test_everyday_words_are_no_mishearing() -> None:
    assert misheard(heard("Reed aloud, and then reed again"), "Read Aloud") == []
    assert misheard(heard("I read it aloud"), "Reads Aloud") == []


def test_names_are_put_in_the_place_of_words_that_sound_alike() -> None:
    first = heard("Ines Kallaway says that Cerebrus's chip failed.")
    again = [*heard("Ines Calloway said"), *heard("Cerebras's ship failed.", begin=1.7)]
    found = with_names(first, again, NAMES)
    assert "".join(word.text for word in found) == " Ines Calloway says that Cerebras's chip failed."
    assert [(word.start, word.end) for word in found] == [(word.start, word.end) for word in first]


def test_two_words_become_one_name_with_the_times_of_both() -> None:
    first, again = heard("we asked Cere Bras."), [HeardWord(text=" Cerebras.", start=0.9, end=1.4)]
    found = with_names(first, again, NAMES)
    assert [word.text for word in found] == [" we", " asked", " Cerebras."]
    assert (found[-1].start, found[-1].end) == (first[2].start, first[3].end)


def test_a_second_hearing_that_lost_or_invented_words_changes_nothing() -> None:
    first = heard("The valve stuck and the pump ran dry for nine hours.")
    for again in ("", "Cerebras, OpenAI, Ines Calloway.", "The valve OpenAI and Cerebras", "OpenAI " * 20):
        assert with_names(first, heard(again), NAMES) == first


WORDS = st.lists(
    st.sampled_from(["Cerebrus", "Cerebras", "the", "Kallaway", "open", "AI", "pump.", "OpenAI", "-", "Calloway's"]), max_size=12
)


@given(WORDS, WORDS)
def test_no_time_is_lost(first: list[str], again: list[str]) -> None:
    words = heard(text(first))
    found = with_names(words, heard(text(again)), NAMES)
    assert len(words) - len(found) <= len(words) // 2
    starts, ends = {word.start for word in words}, {word.end for word in words}
    assert {word.start for word in found} <= starts
    assert {word.end for word in found} <= ends
    if words:
        assert (found[0].start, found[-1].end) == (words[0].start, words[-1].end)
