"""Long audio as pieces that fit into memory or into an upload, and what was understood of each, kept until all are done.

Belongs here: decoding in a stream, where to cut, encoding a piece again, checkpoints. Does not belong here: recognising speech (`speech`,
`speech_openai`), downloads (`audio`).
"""

import io
import json
import os
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from top5.errors import PermanentError, TransientError

if TYPE_CHECKING:
    import numpy as np

    Samples = np.ndarray[Any, np.dtype[np.float32]]

SAMPLE_RATE = 16_000
_LOOK_BACK = 30.0  # seconds before the end of a piece in which the quietest moment is searched
_QUIET = 0.4  # seconds that such a moment lasts
_TOGETHER = 500_000  # samples that are resampled at once

Progress = Callable[[float, float], None]


class HeardWord(BaseModel):
    """One recognised word with times in seconds of the whole audio; `text` keeps the space in front that tells words from their parts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    start: float | None
    end: float | None


class Heard(BaseModel):
    """What was understood of the samples `begin` to `end`. `voice` are the stretches of speech, in seconds of the whole audio."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    begin: int
    end: int
    words: tuple[HeardWord, ...] = ()
    voice: tuple[tuple[float, float], ...] = ()
    log_probability: float | None = None
    language: str | None = None
    redecoded: int = 0
    cut_words: int = 0


class Piece:
    """Samples `begin` to `end` of the audio: mono, 16 kHz, float32 from -1 to 1."""

    def __init__(self, begin: int, samples: "Samples") -> None:
        self.begin = begin
        self.samples = samples

    @property
    def end(self) -> int:
        """Position of the first sample after it."""
        return self.begin + len(self.samples)

    @property
    def start_seconds(self) -> float:
        """Where it begins in the audio, in seconds."""
        return self.begin / SAMPLE_RATE


def pieces(audio: Path, seconds: float, *, begin: int = 0, slack: float = 0.0) -> Iterator[Piece]:
    """The audio from sample `begin` on in pieces of at most `seconds`, each cut at the quietest moment of its last half minute.

    The last one may be longer by the share `slack`, so that no short rest is left over. Holds one piece in memory: 20 minutes take 77 MB,
    where four hours at once take 920 MB. Raises PermanentError `bad_audio`.
    """
    most = int(seconds * SAMPLE_RATE)
    held: list[Samples] = []
    size, position, skip = 0, begin, begin
    for samples in _samples(audio):
        if skip >= len(samples):
            skip -= len(samples)
            continue
        held.append(samples[skip:])
        size += len(samples) - skip
        skip = 0
        while size > most * (1 + slack):
            joined = _taken(held)
            cut = quietest(joined[:most])
            held.append(joined[cut:].copy())
            size -= cut
            yield Piece(position, joined[:cut])
            del joined
            position += cut
    if size:
        yield Piece(position, _taken(held))


def _taken(held: "list[Samples]") -> "Samples":
    """All of `held` as one array; nothing is left in the list, so that nothing is in memory twice while a piece is worked on."""
    import numpy as np

    joined = np.concatenate(held)
    held.clear()
    return joined


def _samples(audio: Path) -> "Iterator[Samples]":
    """Decoded as faster-whisper decodes (16-bit, mono, 16 kHz), frame by frame; a damaged packet costs its own frames only."""
    import av
    import numpy as np
    from av.audio.fifo import AudioFifo
    from av.audio.resampler import AudioResampler
    from av.error import FFmpegError, InvalidDataError

    def floats(frames: list[Any]) -> "Iterator[Samples]":
        for frame in frames:
            yield frame.to_ndarray().reshape(-1).astype(np.float32) / 32768.0

    bad = PermanentError("bad_audio", f"{audio.name} is not readable as audio; check that the enclosure is an audio file.")
    try:
        with av.open(str(audio), metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise bad
            resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
            # An MP3 frame is 26 ms: one by one they cost more to hand over than to resample.
            fifo = AudioFifo()
            for packet in container.demux(container.streams.audio[0]):
                try:
                    decoded = packet.decode()
                except InvalidDataError:
                    continue
                for frame in decoded:
                    # Wrong times in the file would make the resampler stretch or drop sound.
                    frame.pts = None
                    fifo.write(frame)
                if fifo.samples >= _TOGETHER and (gathered := fifo.read()) is not None:
                    yield from floats(cast("list[Any]", resampler.resample(gathered)))
            if fifo.samples and (gathered := fifo.read()) is not None:
                yield from floats(cast("list[Any]", resampler.resample(gathered)))
            yield from floats(cast("list[Any]", resampler.resample(None)))
    except (FFmpegError, OSError, ValueError, IndexError) as error:
        raise bad from error


def quietest(samples: "Samples", look_back: float = _LOOK_BACK) -> int:
    """The sample in the middle of the quietest 0.4 s among the last `look_back` seconds of `samples`."""
    import numpy as np

    window = int(_QUIET * SAMPLE_RATE)
    step = SAMPLE_RATE // 50
    first = max(len(samples) // 2, len(samples) - int(look_back * SAMPLE_RATE))
    tail = samples[first:]
    if len(tail) < 2 * window:
        return len(samples)
    frames = np.square(tail[: len(tail) // step * step]).reshape(-1, step).sum(axis=1)
    energy = np.convolve(frames, np.ones(window // step), mode="valid")
    # Of equally quiet moments the last one: pieces stay as long as they may be.
    lowest = len(energy) - 1 - int(np.argmin(energy[::-1]))
    return first + lowest * step + window // 2


def encode_mp3(samples: "Samples", kilobits: int = 48) -> bytes:
    """Samples as MP3 (mono, 16 kHz): 0.36 MB a minute at 48 kbit/s, and read by every transcription server."""
    import numpy as np

    av = cast(Any, import_module("av"))  # the types of its encoders are incomplete
    sink = io.BytesIO()
    pcm = (np.clip(samples, -1.0, 1.0) * 32767).astype(np.int16)
    with av.open(sink, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=SAMPLE_RATE, layout="mono", bit_rate=kilobits * 1000)
        for begin in range(0, len(pcm), SAMPLE_RATE):
            frame = av.AudioFrame.from_ndarray(pcm[None, begin : begin + SAMPLE_RATE], format="s16", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return sink.getvalue()


class Checkpoint:
    """What was understood so far of one audio file, one JSON line a piece; a line that a kill cut off is decoded again.

    `key` names the audio and everything that decides its words: a file with another key is begun anew.
    """

    def __init__(self, path: Path, key: str) -> None:
        self._path = path
        self._key = key

    def load(self) -> list[Heard]:
        """The pieces that are done, in order and without gaps from the first sample on."""
        try:
            lines = self._path.read_bytes().split(b"\n")
        except OSError:
            return []
        if lines[0] != self._head():
            return []
        done: list[Heard] = []
        # Without its newline the last line may be half of itself.
        for line in lines[1:-1]:
            try:
                heard = Heard.model_validate_json(line)
            except ValidationError:
                break
            if heard.begin != (done[-1].end if done else 0):
                break
            done.append(heard)
        return done

    def write(self, done: list[Heard]) -> None:
        """Begin the file anew with these pieces."""
        self._save("wb", b"".join(line + b"\n" for line in [self._head(), *(heard.model_dump_json().encode() for heard in done)]))

    def add(self, heard: Heard) -> None:
        """One more piece, on the disk when this returns."""
        self._save("ab", heard.model_dump_json().encode() + b"\n")

    def remove(self) -> None:
        """The words are kept elsewhere."""
        self._path.unlink(missing_ok=True)

    def _head(self) -> bytes:
        return json.dumps({"key": self._key}).encode()

    def _save(self, mode: str, data: bytes) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open(mode) as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise TransientError(
                "disk", f"{self._path} could not be written ({error.strerror}); free some space or fix its permissions."
            ) from error


def understand(
    audio: Path,
    recognise: Callable[[Piece, Heard | None], Heard],
    *,
    seconds: float,
    slack: float = 0.0,
    checkpoint: Checkpoint | None = None,
    on_progress: Progress | None = None,
    total: float = 0.0,
) -> list[Heard]:
    """`recognise` over all pieces of an audio file, from where the checkpoint ends; it is also given what came before.

    `on_progress(done, total)` gets seconds of audio. Raises PermanentError `bad_audio`, and what `recognise` raises.
    """
    done = checkpoint.load() if checkpoint else []
    if checkpoint:
        checkpoint.write(done)
    for piece in pieces(audio, seconds, begin=done[-1].end if done else 0, slack=slack):
        if on_progress:
            on_progress(piece.start_seconds, max(total, piece.start_seconds))
        done.append(recognise(piece, done[-1] if done else None))
        if checkpoint:
            checkpoint.add(done[-1])
        # Its samples would lie beside the next piece's while that is read.
        del piece
    if not done or done[-1].end < SAMPLE_RATE // 10:
        raise PermanentError("bad_audio", f"{audio.name} holds no audio; check the feed's enclosure.")
    if on_progress:
        on_progress(done[-1].end / SAMPLE_RATE, done[-1].end / SAMPLE_RATE)
    return done
