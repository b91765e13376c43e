"""Speech to text by the OpenAI transcription API, or any server that speaks it.

Belongs here: uploads under the size limit, the pieces' times put together, what the API's failures mean. Does not belong here: cutting and
encoding (`pieces`), the embedded engine (`speech`), budgets (`day`).
"""

import io
import json
import math
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from top5.errors import PermanentError, TransientError
from top5.settings import OpenAISettings, TranscriptSettings
from top5.transcripts.clean import clean_text
from top5.transcripts.language import base_code
from top5.transcripts.model import Transcript
from top5.transcripts.pieces import SAMPLE_RATE, Checkpoint, Heard, HeardWord, Piece, Progress, encode_mp3, understand
from top5.transcripts.speech import assemble, heard_of, voice_in, without_loops
from top5.transcripts.words import split_sentences
from top5.urls import mask_url

if TYPE_CHECKING:
    from openai import OpenAI

_REVISION = "1"
_KILOBITS = 48
_BYTES_PER_SECOND = _KILOBITS * 1000 / 8
# Longer uploads run into servers' time limits; some models take 23 minutes at most.
_LONGEST = 1200.0
# Models that give no times: the piece's own times are all there is, so pieces are short.
_WITHOUT_TIMES = ("gpt-",)
_SHORT = 60.0
_PROMPT_CHARACTERS = 800


class OpenAITranscriber:
    """`POST /audio/transcriptions`, piece by piece, with word times where the model gives them."""

    def __init__(
        self, settings: OpenAISettings, transcripts: TranscriptSettings, *, client: "Callable[[], OpenAI] | None" = None
    ) -> None:
        self._settings = settings
        self._transcripts = transcripts
        self._make = client or self._client
        self._timed = not settings.transcription_model.startswith(_WITHOUT_TIMES)

    @property
    def source(self) -> str:
        """`speech:openai/<model>`."""
        return f"speech:openai/{self._settings.transcription_model}"

    @property
    def fingerprint(self) -> str:
        """Model, server and the version of how pieces are put together."""
        return f"{self.source}@{self._settings.base_url or 'openai'};{_REVISION}"

    @property
    def usd_per_minute(self) -> float:
        """As set in `transcripts.usd_per_audio_minute`."""
        return self._transcripts.usd_per_audio_minute

    @property
    def piece_seconds(self) -> float:
        """The longest piece whose upload stays under `transcripts.max_upload_bytes`."""
        fits = 0.95 * self._transcripts.max_upload_bytes / _BYTES_PER_SECOND
        return max(5.0, min(fits, _LONGEST if self._timed else _SHORT))

    def _client(self) -> "OpenAI":
        from openai import OpenAI

        key = self._settings.api_key
        if key is None and self._settings.base_url is None:
            raise PermanentError(
                "no_api_key", "transcripts.speech is 'openai', but there is no key; set OPENAI_API_KEY, or speech to 'local'."
            )
        return OpenAI(
            api_key=key.get_secret_value() if key else "none",
            base_url=self._settings.base_url,
            timeout=max(self._settings.timeout, 600.0),
            max_retries=self._settings.max_retries,
        )

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
        """The words of an audio file as sentences with times in seconds of the whole audio.

        Pieces are cut at silence, so their times are those of the audio within 0.1 s. A killed call's pieces are not sent, nor paid,
        again where there is a `checkpoint`. Raises PermanentError (`bad_audio`, `no_speech`, `no_api_key`, `bad_api_key`, `bad_model`,
        `quota`, `wrong_language`) and TransientError (`timeout`, `connection`, `rate_limited`, `server_error`).
        """
        from top5.transcripts.audio import probe

        code = base_code(language)
        total = probe(audio)
        client = self._make()

        def recognise(piece: Piece, before: Heard | None) -> Heard:
            # The API detects the language where none is named; afterwards all pieces keep to what the first was.
            known = (None if check_language else code) or (before.language if before else None)
            heard = self._recognise(client, piece, known, hotwords)
            if check_language and before is None and code and heard.language not in (None, code):
                raise PermanentError(
                    "wrong_language",
                    f"{audio.name} is spoken in {heard.language!r}, not in {code!r}; set language in [transcripts].",
                )
            return heard

        kept = Checkpoint(checkpoint, f"{self.fingerprint};{code};{hotwords}") if checkpoint else None
        heard = understand(audio, recognise, seconds=self.piece_seconds, checkpoint=kept, on_progress=on_progress, total=total)
        return assemble(heard, source=self.source, language=None, name=audio.name)

    def _recognise(self, client: "OpenAI", piece: Piece, language: str | None, hotwords: str | None) -> Heard:
        upload = io.BytesIO(encode_mp3(piece.samples, _KILOBITS))
        options: dict[str, Any] = {}
        if language:
            options["language"] = language
        if hotwords:
            options["prompt"] = hotwords[:_PROMPT_CHARACTERS]
        if self._timed:
            options |= {"response_format": "verbose_json", "timestamp_granularities": ["word", "segment"]}
        else:
            options["response_format"] = "json"
        with _failures(self._settings):
            # The bare answer: servers that only resemble the API send what the client's own types do not take.
            create = cast(Any, client.audio.transcriptions).with_raw_response.create
            answer = create(file=("piece.mp3", upload, "audio/mpeg"), model=self._settings.transcription_model, **options)
        fields = _fields(answer.content, self._settings)
        words, log_probability = _words(fields, len(piece.samples) / SAMPLE_RATE)
        words, cut = without_loops(words)
        said = fields.get("language")
        found = _CODES.get(said.lower(), said.lower()) if isinstance(said, str) and said else language
        # The API reports no voice activity, and without it a lost half hour would not be noticed.
        return heard_of(piece, words, voice_in(piece) if self._timed else [], log_probability, found, cut_words=cut)


def _fields(body: bytes, settings: OpenAISettings) -> dict[str, Any]:
    try:
        value = cast(object, json.loads(body))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise TransientError("server_error", f"{_server(settings)} gave no usable answer; it is tried again.")
    return cast("dict[str, Any]", value)


def _listed(value: object) -> list[dict[str, Any]]:
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]


# Whisper's verbose answers name languages in English.
_CODES = {
    "english": "en", "german": "de", "french": "fr", "spanish": "es", "italian": "it", "portuguese": "pt", "dutch": "nl", "swedish": "sv",
    "danish": "da", "polish": "pl", "japanese": "ja", "korean": "ko", "chinese": "zh", "russian": "ru", "arabic": "ar", "greek": "el",
    "hebrew": "he", "hindi": "hi",
}  # fmt: skip


def _words(fields: dict[str, Any], length: float) -> tuple[list[HeardWord], float | None]:
    """Words with times where the answer has them; else those of its segments, each with the segment's times; else of the text."""
    segments = _listed(fields.get("segments"))
    counted = [
        (len(str(item.get("text", "")).split()), float(item["avg_logprob"]))
        for item in segments
        if isinstance(item.get("avg_logprob"), int | float)
    ]
    weight = sum(count for count, _ in counted)
    log_probability = round(sum(count * value for count, value in counted) / weight, 4) if weight else None
    spoken = _listed(fields.get("words"))
    if spoken and segments:
        return list(_punctuated(spoken, segments, length)), log_probability
    words: list[HeardWord] = []
    for item in spoken or segments or [{"text": fields.get("text") or "", "start": 0.0, "end": length}]:
        begin, end = _inside(item.get("start"), length), _inside(item.get("end"), length)
        text = clean_text(str(item.get("word") or item.get("text") or ""))
        words += [HeardWord(text=f" {word}", start=begin, end=end) for word in text.split()]
    return words, log_probability


def _punctuated(spoken: list[dict[str, Any]], segments: list[dict[str, Any]], length: float) -> Iterator[HeardWord]:
    """The API's words come bare: the segments' text has the punctuation that sentences end by."""
    written = [
        word
        for item in segments
        for sentence in split_sentences(clean_text(str(item.get("text", ""))))
        for word in sentence.split()
    ]
    position = 0
    for item in spoken:
        bare = clean_text(str(item.get("word", "")))
        if not bare:
            continue
        text = bare
        for ahead in range(position, min(position + 4, len(written))):
            if _letters(written[ahead]) == _letters(bare):
                text, position = written[ahead], ahead + 1
                break
        yield HeardWord(text=f" {text}", start=_inside(item.get("start"), length), end=_inside(item.get("end"), length))


def _letters(word: str) -> str:
    return "".join(character for character in word.lower() if character.isalnum())


def _inside(value: object, length: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        return None
    return min(float(value), length)


def _server(settings: OpenAISettings) -> str:
    return mask_url(settings.base_url) if settings.base_url else "the OpenAI API"


@contextmanager
def _failures(settings: OpenAISettings) -> "Generator[None, None, None]":
    """The client's errors as ours."""
    import openai

    server = _server(settings)
    try:
        yield
    except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
        raise PermanentError("bad_api_key", f"{server} refuses the key; check OPENAI_API_KEY.") from error
    except openai.NotFoundError as error:
        raise PermanentError(
            "bad_model",
            f"{server} has no transcription model {settings.transcription_model!r}; set transcription_model in [openai].",
        ) from error
    except openai.RateLimitError as error:
        if error.code == "insufficient_quota":
            raise PermanentError(
                "quota", f"The account at {server} is used up; fill it or set transcripts.speech to 'local'."
            ) from error
        raise TransientError("rate_limited", f"{server} asks us to come back later; it is tried again.") from error
    except openai.APITimeoutError as error:
        raise TransientError("timeout", f"{server} did not answer in time; it is tried again.") from error
    except openai.APIConnectionError as error:
        raise TransientError("connection", f"{server} cannot be reached; it is tried again.") from error
    except openai.InternalServerError as error:
        raise TransientError(
            "server_error", f"{server} failed on its side (HTTP {error.status_code}); it is tried again."
        ) from error
    except openai.APIStatusError as error:
        raise PermanentError(
            "refused", f"{server} does not take this audio (HTTP {error.status_code}); try another model."
        ) from error
    except openai.APIError as error:
        raise TransientError("server_error", f"{server} gave no usable answer; it is tried again.") from error
