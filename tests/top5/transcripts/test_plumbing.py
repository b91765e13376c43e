"""The plumbing commands on rubbish of every kind: one sentence, exit code 1, nothing on stdout."""

import os
import random
from pathlib import Path

import pytest

from top5.cli import app, guarded
from top5.transcripts import formats

PARSE = ("transcripts", "parse")
TRANSCRIBE = ("transcribe",)
CUE = "00:00.000 --> 00:01.000\nThe valve closed.\n\n"


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The sentence on stderr."""
    code = guarded(lambda: app([*arguments]))
    said = capsys.readouterr()
    assert (code, said.out) == (1, "")
    assert said.err.startswith("top5: ")
    assert said.err.endswith(".\n") or said.err.endswith("?\n")
    assert said.err.count("\n") == 1
    return said.err


@pytest.fixture
def rubbish(tmp_path: Path) -> Path:
    noise = random.Random(1)
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.vtt").write_bytes(b"")
    (tmp_path / "noise.srt").write_bytes(noise.randbytes(300_000))
    (tmp_path / "page.mp3").write_bytes(b"<html><body>sign in</body></html>")
    (tmp_path / "half.flac").write_bytes(b"fLaC\x00\x00\x00\x22" + noise.randbytes(500))
    (tmp_path / "liar.wav").write_bytes(
        b"RIFF\xff\xff\xff\x7fWAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80\x3e\x00\x00\x00\x7d\x00\x00\x02\x00\x10\x00data\xff\xff\xff\x7f"
    )
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "dangling.vtt").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    # 200 MB that take no room on the disk.
    for name in ("zeros.vtt", "zeros.mp3"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(200_000_000)
    return tmp_path


@pytest.mark.parametrize(
    "name", ["folder", "empty.vtt", "noise.srt", "page.mp3", "half.flac", "loop", "dangling.vtt", "zeros.vtt", "missing"]
)
def test_what_is_no_transcript(capsys: pytest.CaptureFixture[str], rubbish: Path, name: str) -> None:
    assert name in refused(capsys, *PARSE, str(rubbish / name))


@pytest.mark.parametrize(
    "name",
    [
        "folder",
        "empty.vtt",
        "noise.srt",
        "page.mp3",
        "half.flac",
        "liar.wav",
        "loop",
        "dangling.vtt",
        "pipe",
        "zeros.mp3",
        "missing",
    ],
)
def test_what_is_no_audio(capsys: pytest.CaptureFixture[str], rubbish: Path, name: str) -> None:
    assert name in refused(capsys, *TRANSCRIBE, str(rubbish / name))


@pytest.mark.parametrize("command", [PARSE, TRANSCRIBE])
def test_what_may_not_be_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As root every file can be read, so the system's answer is given here.
    def refuses(self: Path, *_: object, **__: object) -> object:
        raise PermissionError(13, "Permission denied", str(self))

    (tmp_path / "secret.vtt").write_text(CUE)
    monkeypatch.setattr(Path, "open", refuses)
    monkeypatch.setattr(Path, "is_file", refuses)
    monkeypatch.setattr("top5.cli.load_settings", lambda _path: None)
    assert "Permission denied" in refused(capsys, *command, str(tmp_path / "secret.vtt"))


def test_what_never_ends(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("top5.cli._MOST_INPUT", 1_000_000)
    assert "more than 1 MB" in refused(capsys, *PARSE, "/dev/zero")


def test_a_file_larger_than_any_transcript(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = tmp_path / "big.vtt"
    big.write_text("WEBVTT\n\n" + CUE * 400)
    monkeypatch.setattr(formats, "_MOST_BYTES", 10_000)
    assert "more than any transcript" in refused(capsys, *PARSE, str(big))
    monkeypatch.undo()
    monkeypatch.setattr(formats, "_MOST_LINES", 1000)
    assert "1202 lines" in refused(capsys, *PARSE, str(big))


def test_a_good_file_is_one_document(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    good = tmp_path / "good.vtt"
    good.write_text("WEBVTT\n\n" + CUE)
    assert guarded(lambda: app([*PARSE, str(good), "--json"])) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.count("\n") == 1
    assert '"The valve closed."' in said.out
