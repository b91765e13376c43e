"""A transcript as data that crosses borders. Times are seconds from the start of the audio."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

TranscriptFormat = Literal["vtt", "srt", "json", "html", "text", "speech"]


class Segment(BaseModel):
    """A stretch of speech by one speaker: a cue, a turn or a paragraph. Times are None where the source has none.

    `repeated` says that the same words stand in other episodes of the show (`top5.transcripts.repeats`); it is written only where true.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: float | None = None
    end: float | None = None
    speaker: str | None = None
    text: str
    repeated: bool = Field(default=False, exclude_if=lambda value: not value)


class Chapter(BaseModel):
    """One chapter as its publisher names it; `start` and `end` are seconds, `end` is None where nothing says it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: float
    end: float | None = None
    title: str
    url: str | None = None


class Decoding(BaseModel):
    """What speech to text measured while it worked; all times are seconds of audio.

    `voice` is what voice activity detection calls speech, `unheard` the part of it without a word within `HOLE_AROUND` seconds (see
    `top5.transcripts.quality.unheard`), `longest_hole` the longest such stretch. `log_probability` is the model's mean per token,
    weighted by words; None where an engine does not say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    audio: float
    voice: float
    unheard: float
    longest_hole: float = 0.0
    log_probability: float | None = None
    redecoded: int = 0
    cut_words: int = 0


class Transcript(BaseModel):
    """The words of one episode.

    `source` says whose words these are: `publisher`, or `speech:<engine>/<model>`. `warnings` lists repairs made.
    `decoding` is there for speech to text only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    segments: tuple[Segment, ...]
    format: TranscriptFormat
    source: str = "publisher"
    language: str | None = None
    warnings: tuple[str, ...] = ()
    chapters: tuple[Chapter, ...] = Field(default=(), exclude_if=lambda value: not value)
    decoding: Decoding | None = Field(default=None, exclude_if=lambda value: value is None)

    @property
    def words(self) -> int:
        """Number of whitespace-separated words."""
        return sum(len(segment.text.split()) for segment in self.segments)

    @property
    def duration(self) -> float:
        """The latest time named, in seconds; 0.0 where no segment carries times."""
        return max((s.end or s.start or 0.0 for s in self.segments), default=0.0)
