"""Long audio in pieces: nothing lost, nothing twice, and a kill costs one piece."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.top5.transcripts.conftest import MakeBeeps, MakeWav
from top5.errors import PermanentError
from top5.transcripts.pieces import SAMPLE_RATE, Checkpoint, Heard, HeardWord, Piece, encode_mp3, pieces, quietest, understand


def test_pieces_are_the_audio_and_are_cut_in_silence(tmp_path: Path, make_beeps: MakeBeeps) -> None:
    audio, beeps = make_beeps(tmp_path / "a.wav", seconds=100, every=5.0, beep=4.0)
    found = list(pieces(audio, 30.0))
    assert [piece.begin for piece in found] == [0, *(piece.end for piece in found[:-1])]
    assert found[-1].end == 100 * SAMPLE_RATE
    assert max(len(piece.samples) for piece in found) <= 30 * SAMPLE_RATE
    for piece in found[:-1]:
        cut = piece.end / SAMPLE_RATE
        assert not any(begin < cut < end for begin, end in beeps), cut
    again = list(pieces(audio, 30.0, begin=found[1].begin))
    assert [piece.begin for piece in again] == [piece.begin for piece in found[1:]]
    assert np.array_equal(again[0].samples, found[1].samples)


def test_no_silence_still_makes_pieces(tmp_path: Path, make_wav: MakeWav) -> None:
    found = list(pieces(make_wav(tmp_path / "tone.wav", seconds=20, hertz=440), 6.0))
    assert sum(len(piece.samples) for piece in found) == 20 * SAMPLE_RATE
    assert quietest(np.zeros(100, dtype=np.float32)) == 100


def test_mp3_keeps_times(tmp_path: Path, make_beeps: MakeBeeps) -> None:
    from tests.fakes.transcription_server import _samples, tones

    audio, beeps = make_beeps(tmp_path / "a.wav", seconds=20, every=4.0, beep=1.0)
    (piece,) = pieces(audio, 600.0)
    found = tones(_samples(encode_mp3(piece.samples)))
    assert len(found) == len(beeps)
    assert max(abs(a - b) for one, other in zip(found, beeps, strict=True) for a, b in zip(one, other, strict=True)) < 0.1


def test_text_is_no_audio(tmp_path: Path) -> None:
    page = tmp_path / "page.mp3"
    page.write_bytes(b"<html>sign in</html>" * 50)
    with pytest.raises(PermanentError) as failed:
        list(pieces(page, 10.0))
    assert failed.value.reason == "bad_audio"


def count(piece: Piece, _before: Heard | None) -> Heard:
    word = HeardWord(text=f" piece{piece.begin}", start=piece.start_seconds, end=piece.start_seconds + 1)
    return Heard(begin=piece.begin, end=piece.end, words=(word,))


def test_a_checkpoint_with_another_key_or_half_a_line_is_not_believed(tmp_path: Path, make_wav: MakeWav) -> None:
    audio = make_wav(tmp_path / "tone.wav", seconds=20, hertz=440)
    path = tmp_path / "pieces.jsonl"
    whole = understand(audio, count, seconds=6.0, checkpoint=Checkpoint(path, "a"))
    assert Checkpoint(path, "a").load() == whole
    assert Checkpoint(path, "b").load() == []
    path.write_bytes(path.read_bytes()[:-10])
    assert Checkpoint(path, "a").load() == whole[:-1]
    assert understand(audio, count, seconds=6.0, checkpoint=Checkpoint(path, "a")) == whole
    assert Checkpoint(path, "a").load() == whole


_KILLED = """
import os, signal, sys
from pathlib import Path
from tests.top5.transcripts.test_pieces import count
from top5.transcripts.pieces import Checkpoint, understand

def recognise(piece, before):
    if piece.begin and before.begin:
        os.kill(os.getpid(), signal.SIGKILL)
    return count(piece, before)

understand(Path(sys.argv[1]), recognise, seconds=6.0, checkpoint=Checkpoint(Path(sys.argv[2]), "a"))
"""


def test_killed_in_the_middle_then_resumed(tmp_path: Path, make_wav: MakeWav) -> None:
    audio = make_wav(tmp_path / "tone.wav", seconds=20, hertz=440)
    path = tmp_path / "pieces.jsonl"
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(audio), str(path)], check=False, env=dict(os.environ))
    assert killed.returncode == -signal.SIGKILL
    kept = Checkpoint(path, "a").load()
    assert len(kept) == 2
    decoded: list[int] = []

    def recognise(piece: Piece, before: Heard | None) -> Heard:
        decoded.append(piece.begin)
        return count(piece, before)

    resumed = understand(audio, recognise, seconds=6.0, checkpoint=Checkpoint(path, "a"))
    assert decoded == [heard.begin for heard in resumed[2:]]
    assert resumed == understand(audio, count, seconds=6.0)
