"""What is wrong with a transcript is found, what is right is left alone."""

import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.top5.transcripts import faults
from top5.transcripts.language import language_of
from top5.transcripts.loops import compression_ratio, cut_loops, find_loops
from top5.transcripts.model import Decoding, Segment, Transcript
from top5.transcripts.quality import FLOOR, trust, unheard

SENTENCES = [
    "The pump failed at three in the morning, because its seal had shrunk overnight.",
    "Nobody had replaced that part since the spring of the year before last.",
    "A colder valve closes later, and the pressure behind it rises by a tenth.",
    "Engineers call this the winter curve, although it appears in autumn as well.",
    "What surprised us was the price of waiting another week with the repair.",
    "Insurance pays for the flood and never for the gasket that caused it.",
    "We measured forty stations, and eleven of them had the same small crack.",
    "So the city now buys gaskets in bulk and stores them beside the boilers.",
]


def talk(count: int = 80, *, wpm: float = 150.0) -> tuple[Segment, ...]:
    """Different sentences at an even pace: each names its number, so that none repeats."""
    segments: list[Segment] = []
    clock = 0.0
    for number in range(count):
        words = f"{SENTENCES[number % 8][:-1]}, as station {number * 37 % 101} of district {number} showed.".split()
        random.Random(number).shuffle(words)
        length = len(words) / wpm * 60
        segments.append(Segment(start=round(clock, 2), end=round(clock + length, 2), speaker="ANN", text=" ".join(words)))
        clock += length
    return tuple(segments)


def transcript(segments: tuple[Segment, ...], **more: object) -> Transcript:
    return Transcript.model_validate({"segments": segments, "format": "vtt", **more})


def kinds(found: Transcript, audio: float | None = None, language: str | None = None) -> set[str]:
    return {fault.kind for fault in trust(found, audio, language=language).faults}


def test_a_good_transcript_has_full_trust() -> None:
    good = transcript(talk())
    measured = trust(good, good.duration + 20)
    assert measured.score == 1.0
    assert measured.faults == ()
    assert set(measured.parts) == {"coverage", "loops", "compression", "pace", "confidence", "language", "audible", "length"}


@pytest.mark.parametrize(
    ("phrase", "times"), [("no", 12), ("you know", 8), ("it is what it is and", 6), (" ".join(SENTENCES[:2]), 4)]
)
def test_a_loop_is_found_and_cut_to_one(phrase: str, times: int) -> None:
    before, after = "Nine pumps failed.", "Then the valve closed."
    texts = [before, " ".join([phrase] * times), after]
    (loop,) = find_loops(texts)
    assert (loop.phrase, loop.times) == (phrase, times)
    kept = cut_loops([Segment(text=text) for text in texts], [loop])
    assert [segment.text for segment in kept] == [before, phrase, after]


@pytest.mark.parametrize(
    "text",
    [
        "No no no no, not that.",
        "Ha ha ha ha ha.",
        "We want more, and more, and more, and more of it.",
        "- - - - - - - - - - - - -",
    ],
)
def test_what_people_repeat_is_no_loop(text: str) -> None:
    assert find_loops([*SENTENCES, text]) == []


def test_a_minute_of_loops_is_a_fault_and_half_of_a_file_is_unusable() -> None:
    segments = talk()
    stuck = Segment(start=100.0, end=130.0, text="I am not going to be able to do that. " * 12)
    some = trust(transcript((*segments[:20], stuck, *segments[20:])), None)
    assert "repeat_loop" in {fault.kind for fault in some.faults}
    assert FLOOR <= some.score < 1.0
    much = trust(transcript((*segments[:10], *[stuck] * 10)), None)
    assert much.score < FLOOR
    assert much.worst in ("repeat_loops", "repetitive")


def test_a_lost_half_hour_makes_a_transcript_unusable() -> None:
    segments = talk(600)
    lost = transcript(tuple(s for s in segments if not 1200 <= (s.start or 0) < 3000))
    assert lost.duration > 3600
    measured = trust(lost, None)
    assert measured.score < FLOOR
    assert measured.worst == "low_coverage"
    assert measured.faults[0].kind == "lost_speech"
    assert measured.faults[0].at == pytest.approx(1200, abs=20)


def test_words_that_end_long_before_the_audio() -> None:
    segments = talk(200)
    end = segments[-1].end or 0.0
    assert kinds(transcript(segments), end + 60) == set()
    assert kinds(transcript(segments), 2 * end) == {"lost_speech"}
    assert trust(transcript(segments), 2 * end).score < FLOOR


def test_speech_to_text_is_measured_by_voice_activity() -> None:
    segments = talk()
    whole = Decoding(audio=800, voice=700, unheard=3, longest_hole=2, log_probability=-0.2)
    assert trust(transcript(segments, decoding=whole), 800).score == 1.0
    holed = whole.model_copy(update={"unheard": 15.0, "longest_hole": 15.0})
    assert kinds(transcript(segments, decoding=holed), 800) == {"lost_speech"}
    lost = whole.model_copy(update={"unheard": 300.0, "longest_hole": 200.0})
    assert trust(transcript(segments, decoding=lost), 800).score < FLOOR
    unsure = whole.model_copy(update={"log_probability": -1.3})
    assert trust(transcript(segments, decoding=unsure), 800).worst == "low_confidence"


def test_unheard_stretches() -> None:
    assert unheard([(0, 10), (20, 60)], [(1, 9), (21, 25), (50, 58)]) == [(27, 48)]
    assert unheard([(0, 5)], []) == [(0, 5)]
    assert unheard([], [(0, 5)]) == []


def test_inaudible_words_and_pace() -> None:
    segments = tuple(s.model_copy(update={"text": f"{s.text} [inaudible] [crosstalk 00:12]"}) for s in talk())
    assert "inaudible" in kinds(transcript(segments))
    assert kinds(transcript(talk(wpm=30))) >= {"odd_pace"}
    assert trust(transcript(talk(3)), None).worst == "too_short"


def test_another_language_is_not_the_wanted_one() -> None:
    german = "Und das ist nicht die Frage, die wir uns mit dem neuen Gesetz für alle auch noch stellen, aber wie sich das zeigt, ist klar. "
    more = "Ich bin, wie du siehst, auf dem Weg und das ist ein guter Weg für eine Reise, die ich mit dir machen will. "
    found = transcript((Segment(text=german + more + german),))
    assert language_of(" ".join(s.text for s in found.segments)) == "de"
    assert trust(found, None, language="en").worst == "wrong_language"
    assert trust(found, None, language="de-AT").language == 1.0
    assert language_of("こんにちは、これはポッドキャストの文字起こしです。" * 4) == "ja"
    assert language_of("Heat is the limit.") is None


@given(st.lists(st.text(max_size=60), max_size=30))
def test_any_words_can_be_measured(texts: list[str]) -> None:
    measured = trust(transcript(tuple(Segment(text=text) for text in texts)), 60.0, language="en")
    assert 0.0 <= measured.score <= 1.0
    assert compression_ratio(texts) >= 0.0


# Faults put into good transcripts


def test_injected_faults_are_found() -> None:
    found = faults.injected([transcript(talk(300))], rounds=20)
    assert found.share("repeat_loop") >= 0.95
    assert found.share("lost_speech") >= 0.95


@pytest.mark.corpus
@pytest.mark.slow
def test_injected_faults_in_real_transcripts_and_no_false_alarm(corpus: Path) -> None:
    good, alarms, judged = faults.corpus_transcripts(corpus)
    assert alarms <= 0.01 * judged
    found = faults.injected([item for item in good if faults.has_times(item)][:40], rounds=2)
    assert found.share("repeat_loop") >= 0.95
    assert found.share("lost_speech") >= 0.95


@pytest.mark.corpus
def test_a_loop_that_a_publisher_published_is_found(corpus: Path) -> None:
    with (corpus / "shows/pythonbytes/episodes.jsonl").open(encoding="utf-8") as lines:
        episode = next(item for item in map(json.loads, lines) if item["id"] == "pb421")
    (loop,) = find_loops([segment["text"] for segment in episode["segments"]])
    assert loop.times == 17
