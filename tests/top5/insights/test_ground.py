"""Proof: quotes are found or refused, numbers, names and directions hold or are named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.top5.insights.material import QUEUE, SODIUM, episode
from top5.insights.ground import Aligner, align, check_direction, check_names, check_numbers
from top5.insights.numbers import numbers
from top5.insights.sentences import split_sentences
from top5.transcripts.model import Segment

SENTENCES = split_sentences(episode().segments)
ALIGNER = Aligner(SENTENCES)


@pytest.mark.parametrize(
    "quote",
    [
        QUEUE,
        "norlandia grid started charging a refundable deposit of 20,000 dollars per megawatt",
        "Norlandia Grid started charging a refundible deposit of 20000 dollars per megawat, and 41 percent",
        "Helic’s sodium cells will not cost less than lithium iron phosphate by 2028",
    ],
)
def test_what_was_said_is_found_in_the_transcripts_own_words(quote: str) -> None:
    found = ALIGNER.align(quote)
    assert found is not None
    assert found.quote.text in QUEUE or found.quote.text in SODIUM
    assert found.similarity >= 0.92
    assert found.quote.speaker == "Ines Kallaway"
    assert found.quote.start is not None
    assert found.quote.end is not None
    holding = SENTENCES[found.first : found.last + 1]
    assert (holding[0].start or 0) <= found.quote.start < found.quote.end <= (holding[-1].end or 0) + 0.001


@pytest.mark.parametrize(
    "quote",
    [
        "Helic's sodium cells will cost less than lithium iron phosphate by 2028",
        "Helic's sodium cells will not cost less than lithium iron phosphate by 2029",
        "Norlandia Grid abolished the whole queue in a single afternoon",
        "It still smells of carpet. And the queue for a grid connection?",
        "Look.",
        "",
    ],
)
def test_what_was_not_said_so_is_not_found(quote: str) -> None:
    assert ALIGNER.align(quote) is None


def test_seconds_are_interpolated_inside_segments() -> None:
    segments = [Segment(start=10.0, end=20.0, speaker="A", text="aaaaa aaaa the long deposit is gone")]
    quote = align("the long deposit is gone", segments)
    assert quote is not None
    assert quote.start == pytest.approx(10 + 10 * 11 / 35, abs=0.01)
    assert quote.end == pytest.approx(20.0, abs=0.01)


def test_without_times_a_quote_has_none() -> None:
    quote = align("cools them with perfectly ordinary fans", split_sentences(episode(times=False).segments))
    assert quote is not None
    assert (quote.start, quote.end) == (None, None)


@given(st.integers(0, len(SENTENCES) - 1), st.integers(0, 3))
def test_every_sentence_long_enough_is_found_whole(index: int, more: int) -> None:
    last = index
    while last < index + more and last + 1 < len(SENTENCES) and SENTENCES[last + 1].turn == SENTENCES[index].turn:
        last += 1
    text = " ".join(s.text for s in SENTENCES[index : last + 1])
    found = ALIGNER.align(text)
    if len(text) > 14:
        assert found is not None
        assert found.quote.text == text


@given(st.text(max_size=60))
def test_any_text_is_answered(quote: str) -> None:
    found = ALIGNER.align(quote)
    assert found is None or found.similarity >= 0.92


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("18 percent", "18%"),
        ("2.4 million dollars", "$2,400,000"),
        ("twenty-three", "23"),
        ("one hundred and twelve", "112"),
        ("twenty twenty-six", "2026"),
        ("three and a half years", "3.5"),
        ("two thirds", "2 thirds"),
        ("a dozen", "12"),
        ("eighteen per cent", "18 percent"),
        ("$3bn", "3 billion dollars"),
        ("two point five", "2.5"),
    ],
)
def test_equal_numbers(one: str, other: str) -> None:
    first, second = numbers(one), numbers(other)
    if other == "2 thirds":
        assert first[0].value == pytest.approx(2 / 3, abs=1e-9) if isinstance(first[0].value, float) else round(first[0].value, 3)
    else:
        assert len(first) == len(second) == 1
        assert first[0].equals(second[0])
        assert check_numbers(f"It was {one}.", [f"so {other} then"]) == []


@pytest.mark.parametrize(
    ("body", "quote"),
    [
        ("It fell by 18 percent.", "It fell by 18 dollars."),
        ("In 2027 it ends.", "In 2028 it ends."),
        ("Forty-two sites.", "Forty sites."),
    ],
)
def test_other_numbers_are_named(body: str, quote: str) -> None:
    assert [problem.split(":")[0] for problem in check_numbers(body, [quote])] == ["number_not_in_quote"]


def test_one_is_a_pronoun() -> None:
    assert numbers("No one said one thing.") == []


@given(st.integers(0, 999_999_999))
def test_digits_with_and_without_separators_are_equal(value: int) -> None:
    assert numbers(f"{value:,}")[0].equals(numbers(str(value))[0])


def test_names_must_be_quoted_or_known() -> None:
    assert check_names("Heliq sells cells. Because Norlandia Grid pays.", ["norlandia grid pays"], ["Heliq"]) == []
    assert check_names("Cells of Tesla fail.", ["cells fail"], ["Heliq"]) == ["name_not_in_quote: 'Tesla'"]


@pytest.mark.parametrize(
    ("body", "quote", "flipped"),
    [
        ("Prices rose by 8 percent.", "Prices fell by 8 percent.", True),
        ("Prices fell by 8 percent.", "Prices dropped by 8 percent.", False),
        ("Sodium cells will cost less than lithium.", "Sodium cells will not cost less than lithium.", True),
        ("Sodium cells will not cost less than lithium.", "Sodium cells won't cost less than lithium.", False),
        ("Heliq needs no cobalt.", "Heliq does not need cobalt.", False),
        ("Insurers never pay for spacing.", "Insurers always pay for spacing.", True),
        ("Tall sheds are cheaper.", "Tall sheds are more expensive.", True),
        ("Tall sheds are cheaper.", "Tall sheds are less expensive.", False),
        ("Tall sheds are cheaper.", "Tall sheds are dearer.", True),
        ("The operator refuses new customers.", "The operator accepts new customers.", True),
        ("Demand grew while prices fell.", "Demand grew a lot, and prices fell.", False),
        ("Demand fell while prices rose.", "Demand grew while prices fell.", True),
    ],
)
def test_direction(body: str, quote: str, flipped: bool) -> None:
    assert bool(check_direction(body, [quote])) is flipped


@given(st.sampled_from([s.text for s in SENTENCES]))
def test_nothing_contradicts_itself(text: str) -> None:
    assert check_numbers(text, [text]) == []
    assert check_names(text, [text], []) == []
    assert check_direction(text, [text]) == []
