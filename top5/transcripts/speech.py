"""Speech to text.

Belongs here: what a transcriber is, and the embedded one (faster-whisper: CTranslate2, no torch). Does not belong here: finding
model files (`top5.weights`), downloads (`audio`), reading audio in pieces (`pieces`), the API (`speech_openai`), repairing names (the
insights' business).
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from top5.errors import PermanentError
from top5.transcripts.clean import clean_text
from top5.transcripts.hotwords import misheard, with_names
from top5.transcripts.language import base_code
from top5.transcripts.loops import find_loops
from top5.transcripts.model import Decoding, Segment, Transcript
from top5.transcripts.pieces import SAMPLE_RATE, Checkpoint, Heard, HeardWord, Piece, Progress, understand
from top5.transcripts.quality import joined, unheard
from top5.transcripts.words import Word, join_words
from top5.weights import ModelFiles

if TYPE_CHECKING:
    import numpy as np
    from faster_whisper import BatchedInferencePipeline  # pyright: ignore[reportMissingTypeStubs]
    from faster_whisper.transcribe import Segment as WhisperSegment  # pyright: ignore[reportMissingTypeStubs]
    from faster_whisper.transcribe import TranscriptionInfo  # pyright: ignore[reportMissingTypeStubs]

    Samples = np.ndarray[Any, np.dtype[np.float32]]

# Raised when the same audio and model give other sentences.
_REVISION = "sentences-4"
PIECE_SECONDS = 600.0
SLACK = 0.5  # a short rest would be a batch of one or two windows that takes as long as eight
_HOLE = 3.0  # seconds of speech without a word that are worth a second try
_MOST_RETRIES = 8  # per piece: what is hopeless in ten minutes of audio stays so
_AROUND = 1.0
_SURE = 0.9


class _Transcribe(Protocol):
    """The arguments used of `BatchedInferencePipeline.transcribe`, whose own annotations are incomplete."""

    def __call__(
        self,
        audio: "Samples",
        *,
        language: str | None,
        beam_size: int,
        batch_size: int,
        vad_filter: bool,
        word_timestamps: bool,
        without_timestamps: bool,
    ) -> "tuple[Iterable[WhisperSegment], TranscriptionInfo]": ...


class _Again(Protocol):
    """The arguments used of `WhisperModel.transcribe` for a second try."""

    def __call__(
        self,
        audio: "Samples",
        *,
        language: str | None,
        beam_size: int,
        word_timestamps: bool,
        condition_on_previous_text: bool,
        no_repeat_ngram_size: int,
        vad_filter: bool,
        hotwords: str | None,
    ) -> "tuple[Iterable[WhisperSegment], TranscriptionInfo]": ...


class _Detect(Protocol):
    """`WhisperModel.detect_language`: the language, its probability, and those of all."""

    def __call__(self, audio: "Samples", *, vad_filter: bool, language_detection_segments: int) -> tuple[str, float, object]: ...


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

    @property
    def usd_per_minute(self) -> float:
        """US dollars for a minute of audio; 0.0 where nobody charges."""
        ...

    def transcribe(
        self,
        audio: Path,
        *,
        language: str | None,
        hotwords: str | None = None,
        on_progress: Progress | None = None,
        checkpoint: Path | None = None,
        check_language: bool = False,
    ) -> Transcript:
        """The words of an audio file. Raises PermanentError or TransientError."""
        ...


class SpeechToText:
    """faster-whisper in this process: int8 on the CPU, batched, with voice activity detection and word times.

    The model (about 1.2 GB of memory for `base`) is loaded by the first call and kept; one call at a time uses it. Audio is read in
    pieces of ten minutes, so that four hours take no more memory than a quarter of one. `cpu_threads=0` leaves the number to CTranslate2.
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

    @property
    def usd_per_minute(self) -> float:
        """Nobody charges for the own machine."""
        return 0.0

    def _load(self) -> "BatchedInferencePipeline":
        if self._pipeline is None:
            from faster_whisper import BatchedInferencePipeline  # pyright: ignore[reportMissingTypeStubs]

            from top5.transcripts.whisper import FrugalWhisperModel

            try:
                whisper = FrugalWhisperModel(
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
        self,
        audio: Path,
        *,
        language: str | None,
        hotwords: str | None = None,
        on_progress: Progress | None = None,
        checkpoint: Path | None = None,
        check_language: bool = False,
    ) -> Transcript:
        """The words of an audio file as sentences, each from its first word's start to its last word's end, in seconds.

        `language` is a code such as `en` or `en-GB`; None lets the model detect it. `check_language` refuses audio that is clearly in
        another one before any of it is decoded. `hotwords` are names to expect: stretches where one may be misheard are decoded
        once more with them. `on_progress(done, total)` gets seconds of audio. With a `checkpoint` file a killed call's pieces are not
        decoded again. Repeat loops and long holes in speech are decoded a second time; what still loops is cut. Raises
        PermanentError `bad_audio`, `no_speech`, `wrong_language` (also of an English-only model for another language) and
        `no_speech_model`.
        """
        from top5.transcripts.audio import probe

        code = base_code(language)
        if self._model.name.endswith(".en") and code not in (None, "en"):
            raise PermanentError(
                "wrong_language",
                f"The speech model {self._model.name!r} knows English only; set transcripts.model to "
                f"{self._model.name.removesuffix('.en')!r} for {language!r}.",
            )
        total = probe(audio)
        with self._lock:
            pipeline = self._load()

            def recognise(piece: Piece, before: Heard | None) -> Heard:
                known = code or (before.language if before else None)
                if check_language and before is None and code:
                    self._check_language(pipeline, piece, code, audio.name)

                def advance(seconds: float) -> None:
                    if on_progress:
                        on_progress(min(total, piece.start_seconds + seconds), total)

                return self._recognise(pipeline, piece, known, hotwords, advance)

            kept = Checkpoint(checkpoint, f"{self.fingerprint};{code};{hotwords}") if checkpoint else None
            heard = understand(
                audio, recognise, seconds=PIECE_SECONDS, slack=SLACK, checkpoint=kept, on_progress=on_progress, total=total
            )
        return assemble(heard, source=self.source, language=code, name=audio.name)

    def _check_language(self, pipeline: "BatchedInferencePipeline", piece: Piece, code: str, name: str) -> None:
        model = cast(Any, pipeline.model)
        if not model.model.is_multilingual:
            return
        detect = cast(_Detect, model.detect_language)
        found, probability, _ = detect(piece.samples, vad_filter=True, language_detection_segments=3)
        if found != code and probability >= _SURE:
            raise PermanentError(
                "wrong_language",
                f"{name} is spoken in {found!r}, not in {code!r}; set language in [transcripts] if it is wanted.",
            )

    def _recognise(
        self,
        pipeline: "BatchedInferencePipeline",
        piece: Piece,
        language: str | None,
        hotwords: str | None,
        advance: Callable[[float], None],
    ) -> Heard:
        try:
            # without_timestamps stays True: in batched mode False loses whole sentences.
            segments, info = cast(_Transcribe, pipeline.transcribe)(  # pyright: ignore[reportUnknownMemberType]
                piece.samples,
                language=language,
                beam_size=self._beam_size,
                batch_size=self._batch_size,
                vad_filter=True,
                word_timestamps=True,
                without_timestamps=True,
            )
        except ValueError as error:
            raise PermanentError(
                "wrong_language", f"The speech model {self._model.name!r} does not know the language {language!r}."
            ) from error
        words, log_probability = words_of(segments, advance)
        voice = _voice(info)
        words, redecoded, cut = self._mend(pipeline, piece, words, voice, language or info.language)
        if hotwords:
            words = self._name(pipeline, piece, words, language or info.language, hotwords)
        return heard_of(piece, words, voice, log_probability, language or info.language, redecoded=redecoded, cut_words=cut)

    def _mend(
        self,
        pipeline: "BatchedInferencePipeline",
        piece: Piece,
        words: list[HeardWord],
        voice: Sequence[tuple[float, float]],
        language: str,
    ) -> tuple[list[HeardWord], int, int]:
        """The words with loops and holes decoded once more, alone; what still loops is cut. Also how many stretches and words."""
        spans = doubtful(words, voice)[:_MOST_RETRIES]
        for begin, end in spans:
            words = _replaced(words, self._again(pipeline, piece, begin, end, language), begin, end)
        words, cut = without_loops(words)
        return words, len(spans), cut

    def _name(
        self, pipeline: "BatchedInferencePipeline", piece: Piece, words: list[HeardWord], language: str, hotwords: str
    ) -> list[HeardWord]:
        """The words with names that a second decode hears when it expects them."""
        for begin, end in misheard(words, hotwords)[:_MOST_RETRIES]:
            again = self._again(pipeline, piece, begin, end, language, hotwords)
            inside = [number for number, word in enumerate(words) if word.start is not None and begin <= word.start < end]
            if inside:
                first, last = inside[0], inside[-1] + 1
                words = [*words[:first], *with_names(words[first:last], again, hotwords), *words[last:]]
        return words

    def _again(
        self,
        pipeline: "BatchedInferencePipeline",
        piece: Piece,
        begin: float,
        end: float,
        language: str,
        hotwords: str | None = None,
    ) -> list[HeardWord]:
        """The words from `begin` to `end` (seconds of the piece), decoded alone: not in a batch, not after other words."""
        first, last = max(0.0, begin - _AROUND), end + _AROUND
        transcribe = cast(_Again, pipeline.model.transcribe)  # pyright: ignore[reportUnknownMemberType]
        segments, _ = transcribe(
            piece.samples[int(first * SAMPLE_RATE) : int(last * SAMPLE_RATE)],
            language=language,
            beam_size=self._beam_size,
            word_timestamps=True,
            condition_on_previous_text=False,
            no_repeat_ngram_size=4,
            vad_filter=True,
            hotwords=hotwords,
        )
        found = [
            word.model_copy(update={"start": round(word.start + first, 3), "end": round((word.end or word.start) + first, 3)})
            for word in words_of(segments)[0]
            if word.start is not None
        ]
        return [word for word in found if word.start is not None and begin <= word.start < end]


def doubtful(words: Sequence[HeardWord], voice: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The stretches (seconds) that a second try may mend: repeat loops, and at least 3 s of speech without a word; in order."""
    spans: list[tuple[float, float]] = []
    timed = [(word.start, word.end) for word in words if word.start is not None and word.end is not None]
    for loop in find_loops([_one_token(word.text) for word in words]):
        start, end = words[loop.first].start, words[loop.last - 1].end
        if start is not None and end is not None:
            # A decoder that loops has not heard what follows: the stretch reaches to the next word.
            after = words[loop.last].start if loop.last < len(words) else None
            spans.append((start, max(end, after or end)))
    spans += [(begin, end) for begin, end in unheard(voice, timed) if end - begin >= _HOLE]
    return joined(spans)


def without_loops(words: Sequence[HeardWord]) -> tuple[list[HeardWord], int]:
    """The words with each loop's phrase once, and how many words were cut."""
    gone: set[int] = set()
    for loop in find_loops([_one_token(word.text) for word in words]):
        gone.update(range(loop.first + len(loop.phrase.split()), loop.last))
    return [word for position, word in enumerate(words) if position not in gone], len(gone)


def _one_token(text: str) -> str:
    # Positions of loops count whitespace-separated tokens, and there must be one for each word.
    return "".join(text.split()) or "-"


def _replaced(words: Sequence[HeardWord], fresh: Sequence[HeardWord], begin: float, end: float) -> list[HeardWord]:
    """`words` with those between `begin` and `end` taken from `fresh`."""
    before = [word for word in words if word.start is not None and word.start < begin]
    after = [word for word in words if word.start is not None and word.start >= end]
    return [*before, *fresh, *after]


def voice_in(piece: Piece) -> list[tuple[float, float]]:
    """Stretches of speech in seconds of the piece, by Silero voice activity detection as faster-whisper's batches use it."""
    vad = cast(Any, import_module("faster_whisper.vad"))
    options = vad.VadOptions(max_speech_duration_s=30.0, min_silence_duration_ms=160)
    spans = cast("list[dict[str, float]]", vad.get_speech_timestamps(piece.samples, options))
    return [(span["start"] / SAMPLE_RATE, span["end"] / SAMPLE_RATE) for span in spans]


def _voice(info: "TranscriptionInfo") -> list[tuple[float, float]]:
    """What voice activity detection called speech, in seconds of the piece: the pipeline notes it among its options, in samples."""
    clips = cast("Iterable[dict[str, float]]", info.transcription_options.clip_timestamps)
    return [(clip["start"] / SAMPLE_RATE, clip["end"] / SAMPLE_RATE) for clip in clips]


def words_of(
    segments: "Iterable[WhisperSegment]", advance: Callable[[float], None] = lambda _seconds: None
) -> tuple[list[HeardWord], float | None]:
    """The words of a model's segments, and the mean log-probability weighted by words; `advance` gets each segment's end."""
    words: list[HeardWord] = []
    weight, total = 0, 0.0
    for segment in segments:
        found = segment.words or ()
        for word in found:
            text = clean_text(word.word)
            if text:
                start = max(0.0, round(float(word.start), 3))
                space = " " if word.word[:1].isspace() else ""
                words.append(HeardWord(text=space + text, start=start, end=max(start, round(float(word.end), 3))))
        advance(float(segment.end))
        weight += len(found)
        total += len(found) * float(segment.avg_logprob)
    return words, round(total / weight, 4) if weight else None


def heard_of(
    piece: Piece,
    words: Iterable[HeardWord],
    voice: Iterable[tuple[float, float]],
    log_probability: float | None,
    language: str | None,
    *,
    redecoded: int = 0,
    cut_words: int = 0,
) -> Heard:
    """A piece's words and voice, moved from the piece's own times to the whole audio's."""
    offset = piece.start_seconds

    def moved(seconds: float | None) -> float | None:
        return None if seconds is None else round(seconds + offset, 3)

    return Heard(
        begin=piece.begin,
        end=piece.end,
        words=tuple(word.model_copy(update={"start": moved(word.start), "end": moved(word.end)}) for word in words),
        voice=tuple((round(begin + offset, 3), round(end + offset, 3)) for begin, end in voice),
        log_probability=log_probability,
        language=language,
        redecoded=redecoded,
        cut_words=cut_words,
    )


def assemble(heard: Sequence[Heard], *, source: str, language: str | None, name: str) -> Transcript:
    """One transcript of sentences from all pieces. Raises PermanentError `no_speech`."""
    spoken = [word for piece in heard for word in piece.words]
    sentences = sentences_of(spoken)
    if not any(character.isalnum() for sentence in sentences for character in sentence.text):
        raise PermanentError("no_speech", f"No speech was found in {name}; is it music only?")
    voice = [span for piece in heard for span in piece.voice]
    timed = [(word.start, word.end) for word in spoken if word.start is not None and word.end is not None]
    holes = unheard(voice, timed)
    counted = [(len(piece.words), piece.log_probability) for piece in heard if piece.log_probability is not None]
    weight = sum(count for count, _ in counted)
    decoding = Decoding(
        audio=round(heard[-1].end / SAMPLE_RATE, 3),
        voice=round(sum(end - begin for begin, end in voice), 3),
        unheard=round(sum(end - begin for begin, end in holes), 3),
        longest_hole=round(max((end - begin for begin, end in holes), default=0.0), 3),
        log_probability=round(sum(count * value for count, value in counted) / weight, 4) if weight else None,
        redecoded=sum(piece.redecoded for piece in heard),
        cut_words=sum(piece.cut_words for piece in heard),
    )
    warnings: list[str] = []
    if decoding.redecoded:
        warnings.append(f"{decoding.redecoded} stretches decoded a second time")
    if decoding.cut_words:
        warnings.append(f"{decoding.cut_words} words of repeat loops cut")
    found = language or next((piece.language for piece in heard if piece.language), None)
    return Transcript(
        segments=tuple(sentences), format="speech", source=source, language=found, warnings=tuple(warnings), decoding=decoding
    )


def sentences_of(spoken: Sequence[HeardWord]) -> list[Segment]:
    """Sentences rebuilt from word times."""
    words = [
        Word(word.text.strip(), word.start, word.end, glued=position > 0 and not word.text[:1].isspace())
        for position, word in enumerate(spoken)
    ]
    if words:
        # The first word of a piece may come without its space; a piece never begins inside a word.
        words = [
            Word(word.text, word.start, word.end, glued=False)
            if before.end is not None and word.start is not None and word.start - before.end > 1.0
            else word
            for before, word in pairwise([words[0], *words])
        ]
    return join_words(words)
