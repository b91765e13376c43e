"""The transcription API over a real socket, with the real client."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from tests.fakes.transcription_server import FakeTranscription, Upload
from tests.top5.transcripts.conftest import MakeBeeps
from top5.errors import PermanentError, Top5Error
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
    ("status", "code", "reason"),
    [(401, None, "bad_api_key"), (404, None, "bad_model"), (429, "insufficient_quota", "quota"), (429, None, "rate_limited"),
     (500, None, "server_error"), (400, None, "refused")],
)  # fmt: skip
def test_each_failure_has_its_name(tmp_path: Path, make_beeps: MakeBeeps, status: int, code: str | None, reason: str) -> None:
    audio, _ = make_beeps(tmp_path / "a.wav", seconds=3, every=5.0, beep=1.0)
    refusal = {"error": {"message": "no", "code": code}}
    with FakeTranscription(lambda _upload: (status, refusal)) as server, pytest.raises(Top5Error) as failed:
        engine(server).transcribe(audio, language="en")
    assert failed.value.reason == reason
    assert "sk-test" not in failed.value.message


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
