"""A transcript as data that crosses borders. Times are seconds from the start of the audio."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

TranscriptFormat = Literal["vtt", "srt", "json", "html", "text", "speech"]


class Segment(BaseModel):
    """A stretch of speech by one speaker: a cue, a turn or a paragraph. Times are None where the source has none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: float | None = None
    end: float | None = None
    speaker: str | None = None
    text: str


class Transcript(BaseModel):
    """The words of one episode.

    `source` says whose words these are: `publisher`, or `speech:<engine>/<model>`. `warnings` lists repairs made.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    segments: tuple[Segment, ...]
    format: TranscriptFormat
    source: str = "publisher"
    language: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def words(self) -> int:
        """Number of whitespace-separated words."""
        return sum(len(segment.text.split()) for segment in self.segments)

    @property
    def duration(self) -> float:
        """The latest time named, in seconds; 0.0 where no segment carries times."""
        return max((s.end or s.start or 0.0 for s in self.segments), default=0.0)
