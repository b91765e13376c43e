"""Small audio files made on the spot."""

import math
import struct
import wave
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest


class MakeWav(Protocol):
    def __call__(self, path: Path, *, seconds: float, hertz: float = 0.0) -> Path: ...


@pytest.fixture
def make_wav() -> MakeWav:
    """Write a mono 16 kHz WAV file of silence, or of a tone of `hertz`."""

    def make(path: Path, *, seconds: float, hertz: float = 0.0) -> Path:
        count = int(seconds * 16_000)
        samples = [int(8000 * math.sin(2 * math.pi * hertz * i / 16_000)) for i in range(count)]
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes(struct.pack(f"<{count}h", *samples))
        return path

    return make


class MakeBeeps(Protocol):
    def __call__(self, path: Path, *, seconds: float, every: float, beep: float) -> tuple[Path, list[tuple[float, float]]]: ...


@pytest.fixture
def make_beeps() -> MakeBeeps:
    """Write a WAV file with a tone of `beep` seconds at the head of each `every` seconds; also returns when they sound."""

    def make(path: Path, *, seconds: float, every: float, beep: float) -> tuple[Path, list[tuple[float, float]]]:
        times = np.arange(int(seconds * 16_000)) / 16_000
        samples = np.where(times % every < beep, 0.4 * np.sin(2 * np.pi * 440 * times), 0.0)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes((samples * 32767).astype("<i2").tobytes())
        return path, [(begin, min(begin + beep, seconds)) for begin in np.arange(0, seconds, every).tolist()]

    return make
