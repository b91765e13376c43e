"""Long audio made of the corpus' short clips, with what is said in it and when."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from top5.transcripts.pieces import SAMPLE_RATE, encode_mp3, pieces

Samples = np.ndarray[Any, np.dtype[np.float32]]

# Clear speech with a human reference; the Moon, single words and reverberation are left to the measurements.
CLIPS = (
    "jfk.flac",
    "lhotse_2412-153948-0000.flac",
    "librivox_sonnet_p001.mp3",
    "librivox_sonnet_p002.mp3",
    "librivox_sonnet_p003.mp3",
    "mfa_61-70968-0000.flac",
    "sphinx_sense_and_sensibility_01_austen_64kb-0870.wav",
    "sphinx_sense_and_sensibility_01_austen_64kb-0880.wav",
    "sphinx_sense_and_sensibility_01_austen_64kb-0890.wav",
    "sphinx_sense_and_sensibility_01_austen_64kb-0920.wav",
    "sphinx_sense_and_sensibility_01_austen_64kb-0930.wav",
)


@dataclass(frozen=True)
class Said:
    """What is said from `start` to `end`, in seconds of the long audio."""

    start: float
    end: float
    text: str


def speaking(folder: Path, target: Path, seconds: float, *, gap: float = 3.0) -> list[Said]:
    """Write an MP3 of the clips in `folder`, silence between them, again and again until none fits into `seconds`."""
    silence = np.zeros(int(gap * SAMPLE_RATE), dtype=np.float32)
    clips = [
        (_spoken(next(pieces(folder / name, 600.0)).samples), (folder / f"{name}.ref.txt").read_text("utf-8").strip())
        for name in CLIPS
    ]
    parts, said, size = [silence], list[Said](), len(silence)
    room = int(seconds * SAMPLE_RATE)
    shortest = min(len(samples) for samples, _ in clips) + len(silence)
    for samples, text in cycle(clips):
        if size + shortest > room:
            break
        if size + len(samples) + len(silence) <= room:
            said.append(Said(size / SAMPLE_RATE, (size + len(samples)) / SAMPLE_RATE, text))
            parts += [samples, silence]
            size += len(samples) + len(silence)
    target.write_bytes(encode_mp3(np.concatenate(parts), 64))
    return said


def _spoken(samples: Samples) -> Samples:
    """Without the silence in front and behind: from the first to the last tenth of a second with a tenth of the loudest one's volume."""
    window = SAMPLE_RATE // 10
    volume = np.sqrt(np.square(samples[: len(samples) // window * window]).reshape(-1, window).mean(axis=1))
    loud = np.flatnonzero(volume > 0.1 * volume.max())
    return samples[loud[0] * window : (loud[-1] + 1) * window]


def word_errors(found: str, wanted: str) -> tuple[int, int]:
    """(errors, words): Levenshtein distance in words, case and punctuation aside."""
    a, b = (_words(found), _words(wanted))
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, start=1):
        above, row[0] = row[0], i
        for j, right in enumerate(b, start=1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (left != right))
    return row[-1], len(b)


def error_rate(pairs: Sequence[tuple[str, str]]) -> float:
    """Word error rate over (found, wanted) pairs."""
    counted = [word_errors(found, wanted) for found, wanted in pairs]
    return sum(errors for errors, _ in counted) / sum(words for _, words in counted)


def _words(text: str) -> list[str]:
    return re.sub(r"[^\w\s']", " ", text.lower().replace("’", "'")).split()
