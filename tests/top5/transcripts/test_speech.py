"""Speech to text: sentences from word times, and the real model on real speech."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from tests.top5.transcripts.conftest import MakeWav
from top5.errors import PermanentError
from top5.transcripts.pieces import Heard, HeardWord
from top5.transcripts.speech import SpeechToText, assemble, doubtful, sentences_of, without_loops, words_of
from top5.weights import ModelFiles, find_speech_model


@dataclass
class SpokenWord:
    word: str
    start: float
    end: float


@dataclass
class Spoken:
    end: float
    words: list[SpokenWord] | None
    avg_logprob: float = -0.25


def heard(text: str, *, every: float = 0.4, begin: float = 0.0) -> list[HeardWord]:
    return [
        HeardWord(text=f" {word}", start=round(begin + number * every, 3), end=round(begin + number * every + 0.3, 3))
        for number, word in enumerate(text.split())
    ]


def test_sentences_cross_the_model_s_own_segments() -> None:
    segments = [
        Spoken(30.0, [SpokenWord(" The", 27.0, 27.2), SpokenWord(" U.S.", 27.2, 27.9), SpokenWord(" rate", 27.9, 28.3),
                      SpokenWord(" is", 28.3, 29.0)]),
        Spoken(31.0, None),
        Spoken(40.0, [SpokenWord(" 3", 29.1, 29.4), SpokenWord(".5%.", 29.4, 30.2), SpokenWord(" Next", 30.9, 31.2),
                      SpokenWord(" one.", 31.2, 30.0)]),
    ]  # fmt: skip
    seen: list[float] = []
    words, log_probability = words_of(segments, seen.append)  # pyright: ignore[reportArgumentType]
    assert [(s.start, s.end, s.text) for s in sentences_of(words)] == [
        (27.0, 30.2, "The U.S. rate is 3.5%."),
        (30.9, 31.2, "Next one."),
    ]
    assert seen == [30.0, 31.0, 40.0]
    assert log_probability == -0.25


def test_loops_and_holes_are_worth_a_second_try() -> None:
    loop = heard("and then we went " * 12)
    after = heard("The valve closed.", begin=60.0)
    voice = [(0.0, 20.0), (30.0, 61.0)]
    spans = doubtful([*loop, *after], voice)
    assert spans == [(0.0, 60.0)]
    kept, cut = without_loops([*loop, *after])
    assert cut == 44
    assert "".join(word.text for word in kept) == " and then we went The valve closed."


def test_pieces_become_one_transcript_with_what_was_missed() -> None:
    first = Heard(
        begin=0, end=160_000, words=tuple(heard("One pump failed.")), voice=((0.0, 2.0),), log_probability=-0.1, language="en"
    )
    second = Heard(
        begin=160_000, end=960_000, words=tuple(heard("Two did.", begin=10.0)), voice=((10.0, 50.0),), log_probability=-0.6
    )
    found = assemble([first, second], source="speech:x/y", language=None, name="a.mp3")
    assert [s.text for s in found.segments] == ["One pump failed.", "Two did."]
    assert found.decoding is not None
    assert (found.decoding.audio, found.decoding.voice) == (60.0, 42.0)
    assert found.decoding.longest_hole == pytest.approx(37.3)
    assert found.decoding.log_probability == pytest.approx(-0.3)
    assert found.language == "en"
    with pytest.raises(PermanentError, match="music"):
        assemble([Heard(begin=0, end=16_000)], source="", language="en", name="a.mp3")


def test_an_english_model_refuses_other_languages(tmp_path: Path, make_wav: MakeWav) -> None:
    engine = SpeechToText(ModelFiles("base.en", tmp_path, "settings", None))
    with pytest.raises(PermanentError) as failed:
        engine.transcribe(make_wav(tmp_path / "a.wav", seconds=1), language="de")
    assert failed.value.reason == "wrong_language"
    assert "'base'" in failed.value.message


def test_bad_audio_is_refused_before_a_model_is_loaded(tmp_path: Path, make_wav: MakeWav) -> None:
    engine = SpeechToText(ModelFiles("base", tmp_path / "no-model", "settings", None))
    page = tmp_path / "page.mp3"
    page.write_bytes(b"<html>sign in</html>" * 50)
    for path in (page, tmp_path / "missing.mp3", make_wav(tmp_path / "zero.wav", seconds=0)):
        with pytest.raises(PermanentError) as failed:
            engine.transcribe(path, language="en")
        assert failed.value.reason == "bad_audio"
    with pytest.raises(PermanentError) as failed:
        engine.transcribe(make_wav(tmp_path / "tone.wav", seconds=1, hertz=440), language="en")
    assert failed.value.reason == "no_speech_model"


def test_the_fingerprint_tells_engines_apart(tmp_path: Path) -> None:
    model = ModelFiles("base", tmp_path, "package", True)
    assert SpeechToText(model).source == "speech:faster-whisper/base"
    kinds = [SpeechToText(model), SpeechToText(model, beam_size=1), SpeechToText(ModelFiles("base", tmp_path, "settings", None))]
    assert len({engine.fingerprint for engine in kinds}) == 3


# The real model


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SpeechToText]:
    try:
        model = find_speech_model("base", path=None, cache_dir=tmp_path_factory.mktemp("models"), allow_download=False)
    except PermanentError as error:
        pytest.skip(error.message)
    yield SpeechToText(model, cpu_threads=2)


def errors(found: str, wanted: str) -> float:
    """Word error rate: Levenshtein distance in words over the reference's length."""
    a, b = (re.sub(r"[^\w\s']", " ", text.lower().replace("’", "'")).split() for text in (found, wanted))
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, start=1):
        above, row[0] = row[0], i
        for j, right in enumerate(b, start=1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (left != right))
    return row[-1] / len(b)


@pytest.mark.slow
@pytest.mark.corpus
@pytest.mark.parametrize(
    "clip",
    ["jfk.flac", "sphinx_sense_and_sensibility_01_austen_64kb-0870.wav", "sphinx_sense_and_sensibility_01_austen_64kb-0930.wav"],
)
def test_real_speech(corpus: Path, engine: SpeechToText, clip: str) -> None:
    transcript = engine.transcribe(corpus / "audio" / clip, language="en-US", hotwords="Austen, Kennedy")
    wanted = (corpus / "audio" / f"{clip}.ref.txt").read_text("utf-8")
    assert errors(" ".join(s.text for s in transcript.segments), wanted) < 0.15
    assert transcript.language == "en"
    assert transcript.format == "speech"
    assert transcript.source == "speech:faster-whisper/base"
    times = [(s.start or 0.0, s.end or 0.0) for s in transcript.segments]
    assert all(start <= end for start, end in times)
    assert all(before[1] <= after[0] + 0.5 for before, after in pairwise(times))


@pytest.mark.slow
@pytest.mark.corpus
def test_another_language(corpus: Path, engine: SpeechToText) -> None:
    transcript = engine.transcribe(corpus / "audio" / "librivox_sonnet_de.mp3", language="de")
    assert transcript.language == "de"
    assert {"der", "die", "und"} & set(" ".join(s.text for s in transcript.segments).lower().split())


@pytest.mark.slow
def test_silence_is_no_speech(tmp_path: Path, engine: SpeechToText, make_wav: MakeWav) -> None:
    with pytest.raises(PermanentError) as failed:
        engine.transcribe(make_wav(tmp_path / "silence.wav", seconds=3), language="en")
    assert failed.value.reason == "no_speech"
