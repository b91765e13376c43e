"""Speech to text.

Belongs here: what a transcriber is, and the embedded one (faster-whisper: CTranslate2, no torch). Does not belong here: finding
model files (`top5.weights`), downloads (`audio`), repairing names (the insights' business).
"""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from top5.errors import PermanentError
from top5.transcripts.clean import clean_text
from top5.transcripts.model import Segment, Transcript
from top5.transcripts.words import Word, join_words
from top5.weights import ModelFiles

if TYPE_CHECKING:
    import numpy as np
    from faster_whisper import BatchedInferencePipeline  # pyright: ignore[reportMissingTypeStubs]
    from faster_whisper.transcribe import Segment as WhisperSegment  # pyright: ignore[reportMissingTypeStubs]
    from faster_whisper.transcribe import TranscriptionInfo  # pyright: ignore[reportMissingTypeStubs]

Progress = Callable[[float, float], None]
_SAMPLE_RATE = 16_000
# Raised when the same audio and model give other sentences.
_REVISION = "sentences-1"


class _Transcribe(Protocol):
    """The arguments used of `BatchedInferencePipeline.transcribe`, whose own annotations are incomplete."""

    def __call__(
        self,
        audio: "np.ndarray[Any, np.dtype[np.float32]]",
        *,
        language: str | None,
        beam_size: int,
        batch_size: int,
        vad_filter: bool,
        word_timestamps: bool,
        without_timestamps: bool,
        hotwords: str | None,
    ) -> "tuple[Iterable[WhisperSegment], TranscriptionInfo]": ...


class Transcriber(Protocol):
    """What turns audio into words. `fingerprint` names engine, model and options: with the audio it is the cache key."""

    @property
    def source(self) -> str:
        """`speech:<engine>/<model>`, as in `Transcript.source`."""
        ...

    @property
    def fingerprint(self) -> str:
        """Everything that changes the words for the same audio."""
        ...

    def transcribe(
        self, audio: Path, *, language: str | None, hotwords: str | None = None, on_progress: Progress | None = None
    ) -> Transcript:
        """The words of an audio file. Raises PermanentError or TransientError."""
        ...


class SpeechToText:
    """faster-whisper in this process: int8 on the CPU, batched, with voice activity detection and word times.

    The model (about 1.2 GB of memory for `base`) is loaded by the first call and kept; one call at a time uses it.
    `cpu_threads=0` leaves the number to CTranslate2.
    """

    def __init__(self, model: ModelFiles, *, beam_size: int = 5, batch_size: int = 8, cpu_threads: int = 0) -> None:
        self._model = model
        self._beam_size = beam_size
        self._batch_size = batch_size
        self._cpu_threads = cpu_threads
        self._pipeline: BatchedInferencePipeline | None = None
        self._lock = threading.Lock()

    @property
    def source(self) -> str:
        """`speech:faster-whisper/<model>`."""
        return f"speech:faster-whisper/{self._model.name}"

    @property
    def fingerprint(self) -> str:
        """Engine, model, options and the version of how sentences are rebuilt."""
        where = f"@{self._model.path}" if self._model.origin == "settings" else ""
        return f"{self.source}{where};int8;beam={self._beam_size};batch={self._batch_size};{_REVISION}"

    def _load(self) -> "BatchedInferencePipeline":
        if self._pipeline is None:
            from faster_whisper import BatchedInferencePipeline, WhisperModel  # pyright: ignore[reportMissingTypeStubs]

            try:
                whisper = WhisperModel(
                    str(self._model.path), device="cpu", compute_type="int8", cpu_threads=self._cpu_threads, local_files_only=True
                )
            except (RuntimeError, OSError, ValueError) as error:
                raise PermanentError(
                    "no_speech_model",
                    f"The speech model in {self._model.path} cannot be loaded; remove the folder and try again.",
                ) from error
            self._pipeline = BatchedInferencePipeline(model=whisper)
        return self._pipeline

    def transcribe(
        self, audio: Path, *, language: str | None, hotwords: str | None = None, on_progress: Progress | None = None
    ) -> Transcript:
        """The words of an audio file as sentences, each from its first word's start to its last word's end, in seconds.

        `language` is a code such as `en` or `en-GB`; None lets the model detect it. `hotwords` are names the model should expect.
        `on_progress(done, total)` gets seconds of audio. Raises PermanentError `bad_audio`, `no_speech`, `wrong_language` (an
        English-only model for another language) and `no_speech_model`.
        """
        code = language.replace("_", "-").split("-")[0].lower() if language else None
        if self._model.name.endswith(".en") and code not in (None, "en"):
            raise PermanentError(
                "wrong_language",
                f"The speech model {self._model.name!r} knows English only; set transcripts.model to "
                f"{self._model.name.removesuffix('.en')!r} for {language!r}.",
            )
        import numpy as np
        from av.error import FFmpegError
        from faster_whisper.audio import decode_audio  # pyright: ignore[reportMissingTypeStubs]

        try:
            decoded = decode_audio(str(audio), sampling_rate=_SAMPLE_RATE)
        except (FFmpegError, OSError, ValueError, IndexError) as error:
            raise PermanentError(
                "bad_audio", f"{audio.name} is not readable as audio; check that the enclosure is an audio file."
            ) from error
        samples = decoded if isinstance(decoded, np.ndarray) else decoded[0]
        total = len(samples) / _SAMPLE_RATE
        if total < 0.1:
            raise PermanentError("bad_audio", f"{audio.name} holds no audio; check the feed's enclosure.")
        with self._lock:
            pipeline = self._load()
            try:
                # without_timestamps stays True: in batched mode False loses whole sentences.
                segments, info = cast(_Transcribe, pipeline.transcribe)(  # pyright: ignore[reportUnknownMemberType]
                    samples,
                    language=code,
                    beam_size=self._beam_size,
                    batch_size=self._batch_size,
                    vad_filter=True,
                    word_timestamps=True,
                    without_timestamps=True,
                    hotwords=hotwords,
                )
            except ValueError as error:
                raise PermanentError(
                    "wrong_language", f"The speech model {self._model.name!r} does not know the language {language!r}."
                ) from error
            sentences = sentences_of(segments, total=total, on_progress=on_progress)
        if not any(character.isalnum() for sentence in sentences for character in sentence.text):
            raise PermanentError("no_speech", f"No speech was found in {audio.name}; is it music only?")
        return Transcript(segments=tuple(sentences), format="speech", source=self.source, language=code or info.language)


def sentences_of(segments: "Iterable[WhisperSegment]", *, total: float, on_progress: Progress | None = None) -> list[Segment]:
    """Sentences rebuilt from the word times of up to 30 s long segments; `total` and progress are seconds of audio."""
    words: list[Word] = []
    for segment in segments:
        for word in segment.words or ():
            text = clean_text(word.word)
            if text:
                start = max(0.0, round(float(word.start), 3))
                glued = bool(words) and not word.word[:1].isspace()
                words.append(Word(text, start, max(start, round(float(word.end), 3)), glued=glued))
        if on_progress:
            on_progress(min(float(segment.end), total), total)
    if on_progress:
        on_progress(total, total)
    return join_words(words)
