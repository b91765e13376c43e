"""The transcription API over a real socket, with the real client."""

import random
import threading
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from tests.fakes.transcription_server import FakeTranscription, Upload, tones
from tests.top5.transcripts.conftest import MakeBeeps
from top5.errors import PermanentError, Top5Error, TransientError
from top5.settings import OpenAISettings, TranscriptSettings
from top5.transcripts.speech_openai import OpenAITranscriber


def engine(server: FakeTranscription, *, model: str = "whisper-1", upload: int = 25_000_000) -> OpenAITranscriber:
    openai = OpenAISettings(api_key=SecretStr("sk-test"), base_url=server.base_url, transcription_model=model, max_retries=0)
    return OpenAITranscriber(openai, TranscriptSettings(max_upload_bytes=upload))


def test_offsets_are_right_over_several_uploads(tmp_path: Path, make_beeps: MakeBeeps) -> None:
    audio, beeps = make_beeps(tmp_path / "a.wav", seconds=70, every=5.0, beep=1.0)
    with FakeTranscription() as server:
        found = engine(server, upload=130_000).transcribe(audio, language="en", hotwords="Ann Roe")
    assert len(server.uploads) > 2
    assert all(upload.size <= 130_000 for upload in server.uploads)
    assert server.uploads[0].fields["prompt"] == ["Ann Roe"]
    assert server.uploads[0].fields["language"] == ["en"]
    assert [segment.text for segment in found.segments] == ["Beep."] * len(beeps)
    for segment, (begin, end) in zip(found.segments, beeps, strict=True):
        assert segment.start == pytest.approx(begin, abs=0.2)
        assert segment.end == pytest.approx(end, abs=0.2)
    assert found.source == "speech:openai/whisper-1"
    assert found.language == "en"
    assert found.decoding is not None
    assert found.decoding.log_probability == pytest.approx(-0.2)


@pytest.mark.slow
def test_offsets_hold_over_ten_minutes_of_irregular_sound(tmp_path: Path) -> None:
    chance = random.Random(7)
    sounds: list[tuple[float, float]] = []
    at = 0.3
    while at < 590:
        sounds.append((at, at + chance.uniform(0.3, 4.0)))
        at = sounds[-1][1] + chance.uniform(0.6, 5.0)
    samples = np.zeros(600 * 16_000)
    for begin, end in sounds:
        first, last = int(begin * 16_000), int(end * 16_000)
        samples[first:last] = 0.4 * np.sin(2 * np.pi * 440 * np.arange(last - first) / 16_000)
    audio = tmp_path / "a.wav"
    with wave.open(str(audio), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    with FakeTranscription() as server:
        found = engine(server, upload=130_000).transcribe(audio, language="en")
    assert len(server.uploads) > 25
    assert max(upload.size for upload in server.uploads) <= 130_000
    # Cut at silence: no sound ends one upload and begins the next.
    assert sum(len(tones(upload.samples)) for upload in server.uploads) == len(sounds)
    assert len(found.segments) == len(sounds)
    for segment, (begin, end) in zip(found.segments, sounds, strict=True):
        assert segment.start == pytest.approx(begin, abs=0.2)
        assert segment.end == pytest.approx(end, abs=0.2)


def test_a_killed_call_pays_no_piece_twice(tmp_path: Path, make_beeps: MakeBeeps) -> None:
    audio, _ = make_beeps(tmp_path / "a.wav", seconds=70, every=5.0, beep=1.0)
    with FakeTranscription() as server:
        good = server.answer

        def breaks(upload: Upload) -> tuple[int, dict[str, Any]]:
            return good(upload) if len(server.uploads) < 3 else (500, {"error": {"message": "down"}})

        server.answer = breaks
        with pytest.raises(Top5Error) as failed:
            engine(server, upload=130_000).transcribe(audio, language="en", checkpoint=tmp_path / "pieces.jsonl")
        assert failed.value.reason == "server_error"
        server.answer, sent = good, len(server.uploads)
        resumed = engine(server, upload=130_000).transcribe(audio, language="en", checkpoint=tmp_path / "pieces.jsonl")
        assert len(server.uploads) - sent < sent
        assert resumed == engine(server, upload=130_000).transcribe(audio, language="en")


def test_a_model_without_times_gets_short_pieces(tmp_path: Path, make_beeps: MakeBeeps) -> None:
    audio, _ = make_beeps(tmp_path / "a.wav", seconds=130, every=5.0, beep=1.0)
    with FakeTranscription(lambda _upload: (200, {"text": "The valve closed. Heat rose."})) as server:
        found = engine(server, model="gpt-4o-transcribe").transcribe(audio, language="en")
    assert len(server.uploads) >= 3
    assert server.uploads[0].fields["response_format"] == ["json"]
    assert found.segments[2].start == pytest.approx(len(server.uploads[0].samples) / 16_000, abs=0.2)


@pytest.mark.parametrize(
    ("status", "code", "reason", "kind"),
    [
        (401, None, "bad_api_key", PermanentError),
        (403, None, "bad_api_key", PermanentError),
        (404, None, "bad_model", PermanentError),
        (429, "insufficient_quota", "quota", PermanentError),
        (429, None, "rate_limited", TransientError),
        (500, None, "server_error", TransientError),
        (503, None, "server_error", TransientError),
        (400, None, "refused", PermanentError),
        (413, None, "refused", PermanentError),
    ],
)
def test_each_failure_has_its_name(
    tmp_path: Path, make_beeps: MakeBeeps, status: int, code: str | None, reason: str, kind: type[Top5Error]
) -> None:
    audio, _ = make_beeps(tmp_path / "a.wav", seconds=3, every=5.0, beep=1.0)
    refusal = {"error": {"message": "no", "code": code}}
    with FakeTranscription(lambda _upload: (status, refusal)) as server, pytest.raises(kind) as failed:
        engine(server).transcribe(audio, language="en")
    assert failed.value.reason == reason
    assert "sk-test" not in failed.value.message


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"<html>gateway</html>", "server_error"),
        (b"", "server_error"),
        (b'{"text": ', "server_error"),
        (b"[1, 2]", "server_error"),
        ({"text": ""}, "no_speech"),
        ({"text": None, "words": None, "segments": None}, "no_speech"),
        ({"words": "many", "segments": 7, "text": "..."}, "no_speech"),
    ],
)
def test_an_answer_without_words(tmp_path: Path, make_beeps: MakeBeeps, answer: dict[str, Any] | bytes, reason: str) -> None:
    audio, _ = make_beeps(tmp_path / "a.wav", seconds=3, every=5.0, beep=1.0)
    with FakeTranscription(lambda _upload: (200, answer)) as server, pytest.raises(Top5Error) as failed:
        engine(server).transcribe(audio, language="en")
    assert failed.value.reason == reason


def test_times_that_make_no_sense_stay_inside_the_piece(tmp_path: Path, make_beeps: MakeBeeps) -> None:
    audio, _ = make_beeps(tmp_path / "a.wav", seconds=30, every=5.0, beep=1.0)
    odd = [("one", -4.0, 1e9), ("two", "x", None), ("three", 5.0, 2.0), ("four", True, 3.0)]
    words = [{"word": word, "start": start, "end": end} for word, start, end in odd]
    with FakeTranscription(lambda _upload: (200, {"text": "", "words": words, "segments": []})) as server:
        found = engine(server).transcribe(audio, language="en")
    assert " ".join(segment.text for segment in found.segments) == "one two three four"
    assert all(0 <= (segment.start or 0.0) <= (segment.end or 31.0) <= 31.0 for segment in found.segments)


def test_a_server_that_is_silent_or_gone(tmp_path: Path, make_beeps: MakeBeeps) -> None:
    from openai import OpenAI

    audio, _ = make_beeps(tmp_path / "a.wav", seconds=3, every=5.0, beep=1.0)
    answered = threading.Event()

    def waits(_upload: Upload) -> tuple[int, dict[str, Any]]:
        answered.wait(20)
        return 200, {"text": "late"}

    with FakeTranscription(waits) as server:
        settings = OpenAISettings(api_key=SecretStr("sk-test"), base_url=server.base_url)
        impatient = OpenAI(api_key="sk-test", base_url=server.base_url, timeout=0.2, max_retries=0)
        with pytest.raises(TransientError) as failed:
            OpenAITranscriber(settings, TranscriptSettings(), client=lambda: impatient).transcribe(audio, language="en")
        assert failed.value.reason == "timeout"
        answered.set()
    gone = engine(server)
    with pytest.raises(TransientError) as failed:
        gone.transcribe(audio, language="en")
    assert failed.value.reason == "connection"


def test_another_language_is_refused_after_the_first_piece(tmp_path: Path, make_beeps: MakeBeeps) -> None:
    audio, _ = make_beeps(tmp_path / "a.wav", seconds=70, every=5.0, beep=1.0)
    answer = {"text": "Ja.", "language": "german", "segments": []}
    with FakeTranscription(lambda _upload: (200, answer)) as server, pytest.raises(PermanentError) as failed:
        engine(server, upload=130_000).transcribe(audio, language="en", check_language=True)
    assert failed.value.reason == "wrong_language"
    assert len(server.uploads) == 1


def test_without_a_key_there_is_one_sentence(tmp_path: Path, make_beeps: MakeBeeps) -> None:
    audio, _ = make_beeps(tmp_path / "a.wav", seconds=3, every=5.0, beep=1.0)
    with pytest.raises(PermanentError) as failed:
        OpenAITranscriber(OpenAISettings(), TranscriptSettings()).transcribe(audio, language="en")
    assert failed.value.reason == "no_api_key"
